import json
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from intercom_sync.domain.alerts import decide_alerts
from intercom_sync.domain.rules import Rules

MONEY = pl.Decimal(38, 6)
SCHEMA = {
    "email_key": pl.String,
    "existed": pl.Boolean,
    "before_mrr": MONEY,
    "after_mrr": MONEY,
    "before_mentioned_cancel": pl.Boolean,
    "after_mentioned_cancel": pl.Boolean,
    "before_is_delinquent": pl.Boolean,
    "after_is_delinquent": pl.Boolean,
    "after_name": pl.String,
    "after_plan_name": pl.String,
    "after_last_payment_amount": MONEY,
    "after_last_payment_date": pl.Datetime("us", "UTC"),
    "after_stripe_customer_id": pl.String,
    "before_currency": pl.String,
    "after_currency": pl.String,
    "after_mixed_currencies": pl.Boolean,
}


def decide(*rows, rules=None):
    complete = [dict.fromkeys(SCHEMA) | {"email_key": "ann@example.com", "existed": True} | row for row in rows]
    return decide_alerts(pl.DataFrame(complete, schema=SCHEMA), rules or Rules())


def kinds(rules=None, **row):
    money = {name: Decimal(value) for name, value in row.items() if name.endswith("mrr") and value is not None}
    return decide(row | money, rules=rules)["kind"].to_list()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, "500.000001", True),
        (None, "500", False),
        ("500", "500.01", True),
        ("500.01", "600", False),
        ("400", "550", True),
        ("600", None, False),
        (None, None, False),
    ],
)
def test_a_customer_becomes_of_high_value_above_500_dollars(before, after, expected):
    assert ("new_high_value" in kinds(before_mrr=before, after_mrr=after)) is expected


def test_a_new_customer_of_high_value_is_one():
    assert kinds(existed=False, after_mrr="501") == ["new_high_value"]


@pytest.mark.parametrize("fact", ["mentioned_cancel", "is_delinquent"])
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(None, True, 1), (False, True, 1), (True, True, 0), (True, False, 0), (None, False, 0), (True, None, 0)],
)
def test_a_fact_alerts_when_it_becomes_true(fact, before, after, expected):
    kind = {"mentioned_cancel": "cancel_mention", "is_delinquent": "payment_delinquent"}[fact]
    assert kinds(**{f"before_{fact}": before, f"after_{fact}": after}) == [kind] * expected
    assert kinds(existed=False, **{f"after_{fact}": after}) == ([kind] if after else [])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("100", "150", False),  # 50 / 100 is not more than 0.5
        ("100", "150.000001", True),
        ("100", "50", False),
        ("100", "49.999999", True),
        ("100", "0", True),
        ("0", "400", False),
        (None, "400", False),
        ("100", None, False),
        ("0.000001", "0.000002", True),
        ("3", "4.5", False),
        ("99999999999999999999999999999999.000000", "1", True),
        ("99999999999999999999999999999999.000000", "99999999999999999999999999999998.999999", False),
    ],
)
def test_mrr_changes_by_more_than_half(before, after, expected):
    assert ("mrr_change" in kinds(before_mrr=before, after_mrr=after)) is expected


def test_a_new_row_has_no_mrr_to_change_from():
    assert kinds(existed=False, before_mrr="100", after_mrr="400") == []


def test_thresholds_are_configuration():
    rules = Rules(high_value_mrr=Decimal(50), mrr_change_ratio=Decimal("0.1"))
    assert kinds(rules, before_mrr="50", after_mrr="55.01") == ["new_high_value", "mrr_change"]
    assert kinds(rules, before_mrr="51", after_mrr="56.1") == []


def test_one_write_may_make_several_alerts_sorted_by_customer():
    both = {
        "before_mrr": Decimal(100),
        "after_mrr": Decimal(700),
        "after_is_delinquent": True,
        "after_mentioned_cancel": True,
    }
    found = decide({"email_key": "b@example.com"} | both, {"email_key": "a@example.com", "after_is_delinquent": True})
    assert found.select("email", "kind").rows() == [
        ("a@example.com", "payment_delinquent"),
        ("b@example.com", "new_high_value"),
        ("b@example.com", "cancel_mention"),
        ("b@example.com", "payment_delinquent"),
        ("b@example.com", "mrr_change"),
    ]


def test_the_details_are_what_a_person_needs_with_exact_amounts():
    row = {
        "before_mrr": Decimal("300"),
        "after_mrr": Decimal("100.001"),
        "after_mentioned_cancel": True,
        "before_is_delinquent": False,
        "after_is_delinquent": True,
        "after_name": "Ann",
        "after_plan_name": "Pro",
        "after_last_payment_amount": Decimal("99999999999999999999999999.99"),
        "after_last_payment_date": datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
        "after_stripe_customer_id": "cus_1",
    }
    details = {kind: json.loads(text) for kind, text in decide(row).select("kind", "details").rows()}
    always = {"name": "Ann", "mrr": "100.001", "previous_mrr": "300.00", "plan_name": "Pro", "currency": "usd"}
    assert details == {
        "cancel_mention": always,
        "mrr_change": always | {"change_percent": "-66.7"},  # (100.001 − 300) / 300 = −0.66666…
        "payment_delinquent": always
        | {
            "last_payment_amount": "99999999999999999999999999.99",
            "last_payment_date": "2026-02-03T04:05:06+00:00",
            "stripe_customer_id": "cus_1",
        },
    }


def test_a_new_customer_has_no_previous_amount():
    (text,) = decide({"existed": False, "before_mrr": Decimal(1), "after_mrr": Decimal(600)})["details"]
    assert json.loads(text)["previous_mrr"] is None


def test_without_rows_there_are_no_alerts():
    found = decide_alerts(pl.DataFrame(schema=SCHEMA), Rules())
    assert found.schema == {"kind": pl.String, "email": pl.String, "details": pl.String}
    assert found.is_empty()


@pytest.mark.parametrize(
    ("before", "after", "mixed", "expected"),
    [
        (None, None, None, ("usd", None)),
        ("usd", None, False, ("usd", None)),
        ("jpy", "jpy", False, ("jpy", None)),
        ("usd", "jpy", False, ("jpy", "usd")),
        (None, "jpy", False, ("jpy", "usd")),
        ("jpy", None, True, (None, "jpy")),
    ],
)
def test_amounts_are_told_with_their_currency(before, after, mixed, expected):
    row = {"before_currency": before, "after_currency": after, "after_mixed_currencies": mixed}
    (details,) = decide(row | {"before_mrr": Decimal(600), "after_mrr": Decimal(98_000)})["details"]
    told = json.loads(details)
    assert (told["currency"], told.get("previous_currency")) == expected


def test_a_customer_without_a_currency_is_in_the_workspaces():
    row = {"existed": False, "after_mrr": Decimal(980)}
    (details,) = decide(row, rules=Rules(currency="eur"))["details"]
    assert json.loads(details)["currency"] == "eur"
