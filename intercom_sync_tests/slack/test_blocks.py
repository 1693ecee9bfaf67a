import json
import re

import pytest

from intercom_sync.slack.blocks import DIGEST_THRESHOLD, build_messages
from intercom_sync.slack.mrkdwn import escape_mrkdwn, link, literal
from intercom_sync_tests.slack.samples import alert, trouble

HOSTILE = "<!channel> & `code` *bold* _it_ ~no~ <https://evil.example|click> https://evil.example @here #general :tada:"


def shown(message):
    return [block["text"]["text"] for block in message.blocks if block["type"] == "section"]


def test_a_few_alerts_of_a_run_are_a_message_each():
    made = build_messages(alert(number) for number in range(1, DIGEST_THRESHOLD + 1))
    assert [message.ids for message in made] == [(1,), (2,), (3,), (4,), (5,)]


def test_many_alerts_of_a_run_are_one_digest_with_counts_and_the_largest_customers_first():
    waiting = [alert(n, "cancel_mention", mrr=f"{n}.00", excerpt="we leave") for n in range(1, 31)]
    waiting += [alert(n, "payment_delinquent", mrr=f"{n}.00") for n in range(31, 41)]
    (digest,) = build_messages(waiting)
    assert digest.ids == tuple(range(1, 41))
    assert digest.text == "40 alerts: 30 cancel mentions, 10 delinquent payments"
    cancels, delinquents = shown(digest)
    assert cancels.splitlines()[0] == ":warning: *30 cancel mentions*"
    assert re.findall(r"MRR \$(\d+)", cancels) == [str(n) for n in range(30, 20, -1)]
    assert cancels.splitlines()[-1] == "… and 20 more"
    assert len(delinquents.splitlines()) == 11
    assert "SELECT * FROM customer_alerts WHERE run = 'run-1'" in json.dumps(digest.blocks)


def test_each_run_speaks_for_itself():
    made = build_messages([alert(n, run="big") for n in range(1, 20)] + [alert(20, run="small")])
    assert [len(message.ids) for message in made] == [19, 1]


def test_a_bad_week_of_troubles_is_one_message():
    (digest,) = build_messages(trouble(n) for n in range(1, 30))
    assert digest.text == "29 alerts: 29 failed syncs"
    assert "id BETWEEN 1 AND 29" in json.dumps(digest.blocks)


def test_one_of_a_kind_is_counted_in_the_singular():
    (digest,) = build_messages([trouble(1), *(trouble(n, "failed_check") for n in range(2, 9))])
    assert digest.text == "8 alerts: 1 sync failed, 7 failed checks"


def test_every_alert_is_in_exactly_one_message():
    waiting = [alert(n, run=f"run-{n % 7}", kind="mrr_change") for n in range(1, 40)] + [
        trouble(n) for n in range(40, 44)
    ]
    ids = [number for message in build_messages(waiting) for number in message.ids]
    assert sorted(ids) == list(range(1, 44))


def test_a_cancel_mention_shows_the_words_the_time_the_money_and_the_way_to_answer():
    (message,) = build_messages([alert(
        1, "cancel_mention", excerpt="we want to cancel in May", said_at="2026-02-28T10:11:12+00:00",
        conversation_url="https://app.intercom.com/a/inbox/ws1/inbox/conversation/77",
    )])  # fmt: skip
    assert shown(message) == [
        ":warning: *Cancel mention*: Ann Lee (ann1@example.com)\n"
        "MRR $600.00 (before: $100.00) · Pro\n"
        "> we want to cancel in May\n"
        "Written 2026-02-28 10:11 UTC\n"
        "<https://app.intercom.com/a/inbox/ws1/inbox/conversation/77|Open the conversation>"
    ]
    assert message.text == "Cancel mention: Ann Lee (ann1@example.com) · MRR $600.00 (before: $100.00) · Pro"


def test_a_delinquent_payment_shows_the_last_payment_and_the_way_to_stripe():
    (message,) = build_messages([alert(
        1, "payment_delinquent", previous_mrr="600.00", last_payment_amount="1234.50",
        last_payment_date="2026-01-31T00:00:00+00:00", stripe_customer_id="cus_1",
    )])  # fmt: skip
    assert "MRR $600.00 · Pro\nLast payment: $1,234.50, 2026-01-31 00:00 UTC" in shown(message)[0]
    assert "<https://dashboard.stripe.com/customers/cus_1|Stripe>" in shown(message)[0]


def test_a_change_shows_the_old_and_the_new_amount():
    (message,) = build_messages([alert(1, "mrr_change", mrr="0.00", change_percent="-100.0")])
    assert "MRR $0.00 (before: $100.00, -100.0 %)" in shown(message)[0]


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"mrr": "45594.583333", "previous_mrr": "45594.583333"}, "MRR $45,594.58 · Pro"),
        ({"currency": "jpy", "mrr": "98000.00", "previous_mrr": None}, "MRR JPY 98,000 (before: unknown) · Pro"),
        ({"currency": "kwd", "mrr": "1.50", "previous_mrr": "3"}, "MRR KWD 1.500 (before: KWD 3.000) · Pro"),
        (
            {"currency": "jpy", "previous_currency": "usd", "mrr": "98000.00", "change_percent": "+16233.3"},
            "MRR JPY 98,000 (before: $100.00) · Pro",
        ),
        (
            {"currency": None, "mrr": "350.00"},
            "MRR 350.00 in several currencies (before: 100.00 in several currencies)",
        ),
        ({"currency": "<!channel>", "mrr": "NaN"}, "MRR NaN"),
    ],
)
def test_amounts_are_written_as_people_write_them(details, expected):
    assert expected in shown(build_messages([alert(1, "mrr_change", **details)])[0])[0]


def test_an_unknown_amount_is_called_so():
    assert "MRR unknown" in build_messages([alert(mrr=None, previous_mrr=None)])[0].text


@pytest.mark.parametrize("many", [1, DIGEST_THRESHOLD + 1])
def test_words_of_customers_are_shown_and_never_obeyed(many):
    waiting = [alert(n, "cancel_mention", name=HOSTILE, plan_name=HOSTILE, excerpt=HOSTILE) for n in range(many)]
    (message, *_) = build_messages(waiting)
    for text in [message.text, *shown(message)]:
        assert "<!channel>" not in text
        assert "`" not in text
        assert "https://evil" not in text
        assert not re.search(r"<(?!https://(app\.intercom|dashboard\.stripe)\.com/)", text)
        assert not re.search(r"&(?!amp;|lt;|gt;)", text)
    assert all(block["text"].get("verbatim") for block in message.blocks if block["type"] == "section")


def test_emails_can_be_copied_and_do_no_harm():
    assert literal("first_last*2@example.com", 100) == "first_last*2@example.com"
    assert literal('"<!here>&`x`"@example.com', 100) == "\"&lt;!here&gt;&amp;'x'\"@example.com"


def test_words_are_cut_as_slack_counts_them_and_never_within_an_entity():
    for most in range(2, 40):
        cut = escape_mrkdwn("&" * 100, most)
        assert len(cut) <= most
        assert re.fullmatch(r"(&amp;)*…", cut)
    assert escape_mrkdwn("a\n b\t c", 50) == "a b c"


def test_invisible_characters_do_not_reorder_the_words_around_them():
    assert escape_mrkdwn("abc\u202egnp.exe\u2066\u200f", 50) == "abcgnp.exe"


def test_a_link_leads_to_the_web_or_nowhere():
    assert link("javascript:alert(1)", "x") == ""
    assert link("https://a.example/b|c>d", "x") == "<https://a.example/b%7Cc%3Ed|x>"


@pytest.mark.parametrize("kind", ["new_high_value", "cancel_mention", "payment_delinquent", "mrr_change", "failed_run"])
@pytest.mark.parametrize("many", [1, 6, 3_000])
def test_slacks_limits_hold_for_the_longest_words(kind, many):
    long = "<&>" * 5_000
    words = {"name": long, "plan_name": long, "excerpt": long, "sentence": long, "mrr": "9" * 32 + ".999999"}
    links = {"conversation_url": "https://app.intercom.com/" + "x" * 200, "stripe_customer_id": "c" * 200}
    waiting = [alert(n, kind, **words, **links, last_payment_amount="1" * 32) for n in range(many)]
    made = build_messages(waiting)
    assert len(made) == 1
    for message in made:
        assert len(message.blocks) <= 50
        assert all(0 < len(text) <= 3_000 for text in shown(message))
        assert len(message.text) <= 4_000
        assert all(len(b["text"]["text"]) <= 150 for b in message.blocks if b["type"] == "header")


def test_what_slack_has_refused_goes_as_plain_words_and_a_digest_without_anyones_name():
    (single,) = build_messages([alert(1, refusal_count=1)])
    assert single.blocks is None
    assert "Ann Lee" in single.text
    (digest,) = build_messages([alert(n, refusal_count=1) for n in range(9)])
    assert digest.blocks is None
    assert digest.text.startswith("9 alerts: 9 new high-value customers. All of them: SELECT")


def test_a_kind_that_is_not_known_here_is_shown_all_the_same():
    assert "churn_risk".replace("_", "_\u200b") in build_messages([alert(1, "churn_risk")])[0].text


_MOVED = [
    {"kind": "correction", "change": "-90.00", "at": "2026-03-01T06:00:00Z"},
    {"kind": "new", "change": "+100.00", "at": "2026-01-02T06:00:00Z"},
]


def test_a_change_says_what_moved_and_what_moved_before() -> None:
    (message,) = build_messages([alert(kind="mrr_change", movement="contraction", last_movements=_MOVED)])
    text = message.blocks[0]["text"]["text"]  # type: ignore[index]
    assert "Movement: contraction. Last movements: -$90.00 correction 2026-03-01, +$100.00 new 2026-01-02" in text
    assert message.text.startswith("Large MRR change: Ann Lee")


@pytest.mark.parametrize(
    ("movement", "cause", "words"),
    [
        ("transfer", "contact_moved", "Transfer from another email, no new revenue: "),
        ("correction", "stripe_data", "Correction, Stripe's data vanished or came back: "),
        ("correction", "settings", "Correction, other revenue rules: "),
    ],
)
@pytest.mark.parametrize(("kind", "one"), [("mrr_change", "large MRR change"), ("new_high_value", "new high-value")])
def test_what_is_no_revenue_says_so_in_its_first_words(
    movement: str, cause: str, words: str, kind: str, one: str
) -> None:
    (message,) = build_messages([alert(kind=kind, movement=movement, movement_cause=cause)])
    assert message.text.startswith(words + one)
    assert f"*{words}{one}" in message.blocks[0]["text"]["text"]  # type: ignore[index]


def test_alerts_that_other_rules_cause_are_one_message_that_says_so() -> None:
    of_rules = [alert(n, "mrr_change", movement="correction", movement_cause="settings") for n in range(1, 4)]
    others = [alert(4, "mrr_change", movement="churn", movement_cause="subscriptions")]
    first, second = build_messages([*of_rules, *others])
    assert first.ids == (1, 2, 3)
    assert first.text == ("Other revenue rules (a setting or an upgrade) caused 3 alerts: 3 large MRR changes")
    assert second.text.startswith("Large MRR change")
