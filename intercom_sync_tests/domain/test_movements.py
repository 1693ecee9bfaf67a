"""The rules of MRR movements, one sentence of the specification at a time."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from intercom_sync.domain import movements
from intercom_sync.domain.movements import changes, counted_mrr, decide_movements, transfers

MONEY = pl.Decimal(38, 6)
WRITTEN = {"mrr": MONEY, "counted_mrr": MONEY, "intercom_contact_id": pl.String, "stripe_customer_id": pl.String,
           "plan_name": pl.String}  # fmt: skip
ROWS = {
    "email_key": pl.String, "linked": pl.Boolean, "known": pl.Boolean, "other_rules": pl.Boolean,
    "current_intercom_deleted_at": pl.Datetime("us", "UTC"),
    **{f"{prefix}_{name}": kind for prefix in ("last_written", "next") for name, kind in WRITTEN.items()},
}  # fmt: skip


def row(
    email: str = "ann@example.com",
    *,
    before: str | None = None,
    after: str | None = None,
    counted: str | None = "as before",
    contact: tuple[str | None, str | None] = ("c1", "c1"),
    stripe: tuple[str | None, str | None] = ("cus_1", "cus_1"),
    **fields: Any,
) -> dict[str, Any]:
    """A customer as `build_customers` makes it; `counted` is the counted MRR before, by default the MRR."""
    written = {
        "last_written_mrr": before, "next_mrr": after,
        "last_written_counted_mrr": before if counted == "as before" else counted,
        "last_written_intercom_contact_id": contact[0], "next_intercom_contact_id": contact[1],
        "last_written_stripe_customer_id": stripe[0], "next_stripe_customer_id": stripe[1],
    }  # fmt: skip
    money = {name: Decimal(value) for name, value in written.items() if name.endswith("mrr") and value is not None}
    flags = {"linked": True, "known": True, "other_rules": False}
    return dict.fromkeys(ROWS) | {"email_key": email} | flags | written | money | fields


def changed(*rows: dict[str, Any], **how: Any) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=ROWS).with_columns(next_counted_mrr=counted_mrr())
    return changes(frame, **how)


def moves(
    *rows: dict[str, Any], paid: bool = False, pairs: pl.DataFrame | None = None, **how: Any
) -> list[tuple[str, str, int]]:
    """Kind, cause and change of each movement."""
    moved = transfers(pairs if pairs is not None else pl.DataFrame(schema=movements.PAIR_SCHEMA))
    frame = changed(*rows).join(moved, on="email_key", how="left").with_columns(paid_before=pl.lit(paid))
    found = decide_movements(frame, **how)
    return [(kind, cause, int(change)) for kind, cause, change in found["kind", "cause", "mrr_change"].iter_rows()]


def pair(source: str, target: str, **fields: Any) -> dict[str, Any]:
    money = {name: Decimal(fields.pop(name)) for name in ("source_before", "target_before", "target_after")}
    return {"source": source, "target": target, "by_contact": True, "was_there": False} | money | fields


def shared(*pairs: dict[str, Any]) -> dict[str, int]:
    found = transfers(pl.DataFrame(pairs, schema=movements.PAIR_SCHEMA))
    return {key: int(amount) for key, amount, _ in found.iter_rows()}


@pytest.mark.parametrize(
    ("before", "after", "paid", "expected"),
    [
        ("0", "100", False, ("new", "subscriptions", 100)),
        ("0", "100", True, ("reactivation", "subscriptions", 100)),
        ("100", "0", True, ("churn", "subscriptions", -100)),
        ("100", "140", True, ("expansion", "subscriptions", 40)),
        ("100", "60", True, ("contraction", "subscriptions", -40)),
    ],
)
def test_what_the_customer_decides(before: str, after: str, paid: bool, expected: tuple[str, str, int]) -> None:
    assert moves(row(before=before, after=after), paid=paid) == [expected]


@pytest.mark.parametrize("mrr", ["100", "0", None])
def test_the_same_mrr_is_no_movement(mrr: str | None) -> None:
    assert moves(row(before=mrr, after=mrr)) == []


def test_a_customer_whose_mrr_was_never_known_is_new_and_not_a_correction() -> None:
    assert moves(row(before=None, after="100")) == [("new", "subscriptions", 100)]
    assert moves(row(known=False, before=None, after="100", contact=(None, "c1"))) == [("new", "subscriptions", 100)]


def test_an_mrr_that_is_unknown_now_is_no_churn() -> None:
    assert moves(row(before="100", after=None)) == [("correction", "stripe_data", -100)]
    assert moves(row(before=None, after="100", counted="0"), paid=True) == [("correction", "stripe_data", 100)]


def test_a_deleted_customer_churns_and_is_reactivated_when_it_returns() -> None:
    assert moves(row(before="100", linked=False)) == [("churn", "deleted", -100)]
    deleted = {"current_intercom_deleted_at": pl.Series([0]).cast(pl.Datetime("us", "UTC"))[0]}
    back = row(before="100", after="80", counted="0", contact=("c1", "c9"), stripe=("cus_1", "cus_9"), **deleted)
    assert moves(back, paid=True) == [("reactivation", "subscriptions", 80)]
    assert moves(row(before="100", counted="0", linked=False, **deleted)) == []


def test_other_rules_correct_what_was_written_and_nothing_else() -> None:
    assert moves(row(before="100", after="500", other_rules=True)) == [("correction", "settings", 400)]
    assert moves(row(before=None, after="500", other_rules=True)) == [("correction", "settings", 500)]
    assert moves(row(known=False, after="500", other_rules=True)) == [("new", "subscriptions", 500)]
    assert moves(row(before="100", linked=False, other_rules=None)) == [("churn", "deleted", -100)]


@pytest.mark.parametrize(
    ("contact", "stripe", "kind"),
    [
        (("c1", "c2"), ("cus_1", "cus_2"), "correction"),
        (("c1", "c2"), ("cus_1", "cus_1"), "contraction"),  # the same Stripe customer: its subscription changed
        (("c1", "c1"), ("cus_1", "cus_2"), "contraction"),
        (("c1", "c2"), (None, "cus_2"), "contraction"),
    ],
)
def test_another_winning_contact_with_another_stripe_customer_is_a_correction(
    contact: tuple[str, str], stripe: tuple[str, str], kind: str
) -> None:
    ((found, cause, change),) = moves(row(before="100", after="60", contact=contact, stripe=stripe))
    assert (found, change) == (kind, -40)
    assert cause == ("contact_changed" if kind == "correction" else "subscriptions")


def test_every_change_of_an_opening_is_one_kind() -> None:
    rows = [row("a@x.io", before=None, after="10"), row("b@x.io", before=None, after="0"), row("c@x.io", after=None)]
    assert moves(*rows, opening="first_sync") == [("opening", "first_sync", 10)]


def test_a_ledger_that_holds_nothing_counts_every_mrr_from_zero() -> None:
    assert changed(row(before="100", after="100")).is_empty()
    assert changed(row(before="100", after="100"), reopened=True)["mrr_before"].to_list() == [0]


def test_a_transfer_is_the_amount_that_both_share_and_its_remainder_a_decision() -> None:
    left = row("a@x.io", before="100", linked=False, contact=("c1", None))
    came = row("b@x.io", known=False, after="120", contact=(None, "c1"), stripe=(None, "cus_1"))
    one = pair("a@x.io", "b@x.io", source_before="100", target_before="0", target_after="120")
    found = moves(left, came, pairs=pl.DataFrame([one], schema=movements.PAIR_SCHEMA))
    assert found == [("transfer", "contact_moved", -100), ("transfer", "contact_moved", 100),
                     ("expansion", "subscriptions", 20)]  # fmt: skip


def test_a_smaller_target_leaves_the_rest_to_the_source() -> None:
    left = row("a@x.io", before="100", linked=False)
    came = row("b@x.io", known=False, after="80")
    one = pair("a@x.io", "b@x.io", source_before="100", target_before="0", target_after="80")
    found = moves(left, came, pairs=pl.DataFrame([one], schema=movements.PAIR_SCHEMA))
    assert found == [("transfer", "contact_moved", -80), ("churn", "deleted", -20), ("transfer", "contact_moved", 80)]


def test_swapped_emails_net_to_one_transfer_each() -> None:
    there = pair("a", "b", source_before="100", target_before="50", target_after="100")
    back = pair("b", "a", source_before="50", target_before="100", target_after="50")
    assert shared(there, back) == {"a": -50, "b": 50}


def test_a_chain_of_emails_moves_every_amount() -> None:
    first = pair("a", "b", source_before="100", target_before="50", target_after="100")
    second = pair("b", "c", source_before="50", target_before="0", target_after="50")
    assert shared(first, second) == {"a": -100, "b": 50, "c": 50}


def test_a_merge_moves_only_what_the_other_contact_gained() -> None:
    merged = {"source_before": "100", "target_before": "80", "was_there": True}
    assert shared(pair("a", "b", target_after="150", **merged)) == {"a": -70, "b": 70}
    assert shared(pair("a", "b", target_after="80", **merged)) == {}
    assert shared(pair("a", "b", target_after="30", **merged)) == {}


def test_an_amount_moves_once_also_where_contact_and_stripe_customer_go_apart() -> None:
    contact = pair("a", "b", source_before="100", target_before="0", target_after="30")
    stripe = pair("a", "c", source_before="100", target_before="0", target_after="100", by_contact=False)
    assert shared(contact, stripe) == {"a": -100, "b": 30, "c": 70}
    again = contact | {"by_contact": False}
    assert shared(contact, again) == {"a": -30, "b": 30}


def test_two_emails_become_one() -> None:
    first = pair("a", "c", source_before="100", target_before="0", target_after="120")
    second = pair("b", "c", source_before="50", target_before="0", target_after="120")
    assert shared(first, second) == {"a": -100, "b": -20, "c": 120}


def test_only_customers_that_pay_or_changed_may_take_part_in_a_transfer() -> None:
    rows = [
        row("unchanged@x.io", before="10", after="10"),
        row("moved@x.io", before="10", after="10", contact=("c1", "c2")),
        row("moved.free@x.io", before="0", after="0", contact=("c1", "c2")),
    ]
    assert changed(*rows)["email_key"].to_list() == ["moved@x.io"]


def test_every_movement_adds_up() -> None:
    left = row("a@x.io", before="33.333333", linked=False)
    came = row("b@x.io", known=False, after="0.1")
    one = pair("a@x.io", "b@x.io", source_before="33.333333", target_before="0", target_after="0.1")
    frame = changed(left, came).join(
        transfers(pl.DataFrame([one], schema=movements.PAIR_SCHEMA)), on="email_key", how="left"
    )
    found = decide_movements(frame.with_columns(paid_before=pl.lit(False)))
    assert (found["mrr_after"] - found["mrr_before"]).to_list() == found["mrr_change"].to_list()
    assert found["mrr_change"].sum() == Decimal("0.1") - Decimal("33.333333")
    assert set(found["kind"]) <= set(movements.KINDS)
