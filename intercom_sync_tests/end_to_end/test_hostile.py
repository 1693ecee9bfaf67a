"""Hostile data through the whole sync: what is stored is what came, its neighbours are right, and nobody obeys it."""

import json
from typing import Any

import pytest

from intercom_sync.domain.sync_summary import sanitize_for_display
from intercom_sync.sandbox import faults
from intercom_sync.sandbox.builders import subscription
from intercom_sync.slack.blocks import build_messages
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.end_to_end.scenario import Scenario, person, talk

_LARGE = 10 * 2**20
_SQL = "'); DROP TABLE unified_customers; --"
_OBEYED = "=cmd|' /C calc'!A0 <!channel> <@U123> `x` <https://evil.example|click> \x1b[31m\u202e"
_RAW = {
    "deep": "[" * 100_000 + "]" * 100_000,
    "infinite": "1e400",
    "negative nothing": "-0",
    "huge": "9" * 350,
    "huger": "9" * 5_000,
    "half": '"\\ud83d"',
    "nothing": '"a\\u0000b"',
    "twice": '1,"twice":2',
}
_BODIES = {
    "deep tags": "<div>" * 200_000 + "please cancel",
    "open tags": "please cancel " + "<a " * 200_000,
    "open quotes": "please cancel " + '<a href="' * 200_000,
    "equals": "please cancel <a " + "=" * 500_000,
    "comments": "please cancel " + "<!--" * 200_000,
    "entities": "please cancel " + "&amp;" * 500_000 + "&#" + "9" * 500_000 + ";",
    "apostrophes": "please cancel " + "won'" * 500_000,
    "blanks": "please cancel" + " \n" * 500_000 + "!",
    "ten megabytes": "please cancel " + "a" * _LARGE,
    "SQL": f"please cancel {_SQL} \x00",
    "obeyed": f"please cancel {_OBEYED}",
}


def _page(contacts: list[dict[str, Any]]) -> str:
    """A page of contacts, with what no writer of JSON would write in place of its name."""
    text = json.dumps({"type": "list", "data": contacts, "total_count": len(contacts), "pages": {}})
    for name, raw in _RAW.items():
        text = text.replace(f'"raw {name}"', raw)
    return text


def _hostile() -> list[dict[str, Any]]:
    paying = {"Stripe Subscriptions": [subscription()], "stripe_plan": _OBEYED, "stripe_delinquent": True}
    told = [
        person("sql", "sql@example.com", name=_SQL, external_id=_SQL, stripe={_SQL: _SQL, "stripe_plan": _SQL}),
        person("obeyed", "obeyed@example.com", name=_OBEYED, stripe=paying),
        person("large", "large@example.com", name="n" * 100_000, stripe={"x": "y" * _LARGE}),
        person("wide", "wide@example.com", stripe={f"attribute {n}": n for n in range(100_000)}),
        *(person(f"raw{n}", f"raw{n}@example.com", stripe={"twice": f"raw {name}"}) for n, name in enumerate(_RAW)),
    ]
    return [one for n, bad in enumerate(told) for one in (bad, person(f"good{n}", f"good{n}@example.com", name="Ann"))]


@pytest.mark.timeout(240)
def test_hostile_records_are_stored_as_they_are_and_nobody_obeys_them(
    scenario: Scenario, database_url: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERCOM_SYNC_CANCEL_WORDS", f"cancel, {_SQL}, (a+)+$")
    contacts = _hostile()
    scenario.sandbox.faults.add(faults.status(200, _page(contacts)), match="POST /contacts/search")
    scenario.talks(*(talk(f"{500 + n}", f"good{n % 5}", body, body) for n, body in enumerate(_BODIES.values())))
    scenario.talks(talk("600", "obeyed", _BODIES["obeyed"]))
    synced = scenario.sync(full=True)
    assert scenario.emails() == sorted(one["email"] for one in contacts)
    assert scenario.rejects() == []
    assert {scenario.customer(f"good{n}@example.com")["name"] for n in range(len(contacts) // 2)} == {"Ann"}
    assert all(scenario.customer(f"good{n}@example.com")["mentioned_cancel"] for n in range(5))
    assert scenario.values("SELECT DISTINCT conversation_id FROM intercom_messages WHERE NOT mentions_cancel") == []
    assert len(scenario.values("SELECT DISTINCT conversation_id FROM intercom_messages")) == len(_BODIES) + 1
    kept = scenario.customer("sql@example.com"), scenario.customer("obeyed@example.com")
    assert [row["name"] for row in kept] == [_SQL, _OBEYED]
    assert [row["plan_name"] for row in kept] == [_SQL, _OBEYED]
    shown = synced.metadata("unified_customers")
    assert sanitize_for_display(_OBEYED) in {record.data["plan_name"] for record in shown["largest_customers"].records}
    assert not any(mark in shown["mrr_by_plan"] for mark in ("%1B", "%E2%80%AE", "%3C!channel"))
    with Session(database_url, schema) as session:
        said = "".join(json.dumps(message.blocks) + message.text for message in build_messages(outbox.pending(session)))
    assert "DROP TABLE" in said
    assert not any(mark in said for mark in ("<!channel", "<@U", "<https://evil", "`x`", "\u202e"))


@pytest.mark.parametrize("first", ["=", "+", "-", "@", " =", "\t=", "\x00="])
def test_what_a_spreadsheet_would_compute_is_words(first: str) -> None:
    assert sanitize_for_display(f"{first}1+1") == f"'{first[-1]}1+1"
    assert sanitize_for_display("Pro\x1b[2J\u202e plan") == "Pro [2J  plan"
    assert sanitize_for_display("Ann = Lee") == "Ann = Lee"
