"""Which customers mention leaving: what a message says counts the same when it lands and when it is searched again."""

import pytest

from intercom_sync_tests.end_to_end.scenario import DAY, NOW, Scenario, person, talk

_WORDS = "cancel, won't renew, résilier, 解約, schließen"
_QUOTED = '<div class="gmail_quote">On Mon, Jan 15, 2024 Support wrote:<br>you can cancel any time</div>'
_SAYS = {
    "今月で解約したいです": True,
    "je veux re\u0301silier": True,
    "⚠️cancel my plan": True,
    "👍🏽cancel": True,
    "ＣＡＮＣＥＬ": True,
    "SCHLIESSEN": True,
    "won&#180;t&nbsp;renew": True,
    "can&#xfe0f;cel": True,
    "x\u0302cancel": False,
    "uncancelable": False,
    f"Thanks! {_QUOTED}": False,
    f"Please cancel. {_QUOTED}": True,
    "</p><p>&gt; you can cancel": False,
    "Thanks!</p><p>-----Original Message-----</p><p>you can cancel": False,
    'Thanks!</p><div id="appendonsend"></div><div id="divRplyFwdMsg">From: x</div><p>you can cancel': False,
    '</p><div class="gmail_quote"><blockquote>you may stay</blockquote>so I cancel</div><p>': True,
}
_EMAILS = [f"person{number:02}@example.com" for number in range(len(_SAYS))]


def _mentioned(scenario: Scenario) -> dict[str, bool]:
    found = {row["email"]: row["mentioned_cancel"] for row in scenario.rows("SELECT * FROM unified_customers")}
    return {text: found[email] for text, email in zip(_SAYS, _EMAILS, strict=True)}


def test_landing_and_searching_again_find_the_same(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERCOM_SYNC_CANCEL_WORDS", _WORDS)
    scenario.put(*(person(f"c{number}", email) for number, email in enumerate(_EMAILS)))
    scenario.talks(*(talk(f"5{number:02}", f"c{number}", "Hello", text) for number, text in enumerate(_SAYS)))
    scenario.sync(full=True)
    assert _mentioned(scenario) == _SAYS
    monkeypatch.setenv("INTERCOM_SYNC_CANCEL_WORDS", f"{_WORDS}, another word")
    scenario.sandbox.requests.clear()
    scenario.sync(NOW + DAY)
    assert _mentioned(scenario) == _SAYS
    assert scenario.parts_fetched() == []
