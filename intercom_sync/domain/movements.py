"""MRR movements: by how much each customer's counted MRR changed in a sync, and why.

The counted MRR of a customer is the MRR that the sync itself last wrote, while a contact has the email; it is 0 when
the MRR is null or the customer is deleted. Frames in, frames out: the warehouse reads and writes them.
What is our knowledge rather than the customer's decision is a `transfer` or a `correction`, never revenue won or lost.
"""

from decimal import Decimal

import polars as pl

from intercom_sync.domain.schema.columns import Type

OPENING, TRANSFER, CORRECTION = "opening", "transfer", "correction"
NEW, REACTIVATION, CHURN, EXPANSION, CONTRACTION = "new", "reactivation", "churn", "expansion", "contraction"
KINDS = (OPENING, NEW, REACTIVATION, EXPANSION, CONTRACTION, CHURN, TRANSFER, CORRECTION)
OF_CUSTOMERS = (EXPANSION, CONTRACTION, CHURN, REACTIVATION)
"""The kinds that make net revenue retention: what customers that paid already decided."""

FIRST_SYNC, REBUILT = "first_sync", "rebuilt"
CONTACT_MOVED, CONTACT_CHANGED = "contact_moved", "contact_changed"
SETTINGS, STRIPE_DATA, FORGOTTEN = "settings", "stripe_data", "forgotten"
SUBSCRIPTIONS, DELETED = "subscriptions", "deleted"

_MONEY = Type.NUMERIC.frame
_ZERO = pl.lit(Decimal(0)).cast(_MONEY)
CHANGE_SCHEMA: dict[str, pl.DataType] = {
    "email_key": pl.String(),
    "mrr_before": _MONEY, "mrr_after": _MONEY,
    "contact_before": pl.String(), "contact_after": pl.String(),
    "stripe_before": pl.String(), "stripe_after": pl.String(),
    "plan_before": pl.String(), "plan_after": pl.String(),
    "deleted": pl.Boolean(), "availability_changed": pl.Boolean(), "rules_changed": pl.Boolean(),
    "contact_replaced": pl.Boolean(),
}  # fmt: skip
PAIR_SCHEMA: dict[str, pl.DataType] = {
    "source": pl.String(), "target": pl.String(),
    "source_before": _MONEY, "target_before": _MONEY, "target_after": _MONEY,
    "by_contact": pl.Boolean(), "was_there": pl.Boolean(),
}  # fmt: skip
TRANSFER_SCHEMA: dict[str, pl.DataType] = {
    "email_key": pl.String(), "transferred": _MONEY, "transfer_source": pl.String()
}  # fmt: skip


def counted_mrr() -> pl.Expr:
    """Return the counted MRR after a sync, from the rows of `domain.customers`; null until an MRR has been known."""
    nothing = pl.when(pl.col("last_written_counted_mrr").is_not_null()).then(_ZERO)
    return pl.when("linked").then(pl.coalesce("next_mrr", nothing)).otherwise(nothing)


def changes(rows: pl.DataFrame, *, reopened: bool = False) -> pl.DataFrame:
    """Return the customers whose counted MRR changed, or that may take part in a transfer, as `CHANGE_SCHEMA`.

    Args:
        rows: of `domain.customers.CustomerRows`, with `other_rules`: whether the contact's revenue was computed by
            other rules than those of the sync before.
        reopened: whether the ledger holds nothing, so that every counted MRR is a change from 0.
    """
    was_deleted = pl.col("current_intercom_deleted_at").is_not_null()
    # Values written while the customer was deleted do not show a change of data.
    compared = pl.col("linked") & pl.col("known") & ~was_deleted
    null_or_known = pl.col("last_written_mrr").is_null() != pl.col("next_mrr").is_null()
    before = _ZERO if reopened else pl.col("last_written_counted_mrr").fill_null(_ZERO)
    contact_after = pl.when("linked").then("next_intercom_contact_id")
    stripe_after = pl.when("linked").then("next_stripe_customer_id")
    another = pl.col("contact_before").ne_missing(pl.col("contact_after"))
    another_customer = (pl.col("stripe_before") != pl.col("stripe_after")).fill_null(False)
    moved = another | pl.col("stripe_before").ne_missing(pl.col("stripe_after"))
    made = rows.select(
        "email_key",
        before.alias("mrr_before"),
        pl.col("next_counted_mrr").fill_null(_ZERO).alias("mrr_after"),
        pl.when(~was_deleted).then("last_written_intercom_contact_id").alias("contact_before"),
        contact_after.alias("contact_after"),
        pl.when(~was_deleted).then("last_written_stripe_customer_id").alias("stripe_before"),
        stripe_after.alias("stripe_after"),
        pl.col("last_written_plan_name").alias("plan_before"),
        pl.when("linked").then("next_plan_name").alias("plan_after"),
        (~pl.col("linked")).alias("deleted"),
        (compared & null_or_known & pl.col("last_written_counted_mrr").is_not_null()).alias("availability_changed"),
        (compared & pl.col("other_rules").fill_null(False)).alias("rules_changed"),
        compared.alias("contact_replaced"),
    ).with_columns(contact_replaced=pl.col("contact_replaced") & another & another_customer)
    pays = (pl.col("mrr_before") > 0) | (pl.col("mrr_after") > 0)
    return made.filter((pl.col("mrr_before") != pl.col("mrr_after")) | (moved & pays))


def transfers(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return what each customer gained or lost by transfers, and where most of it came from, as `TRANSFER_SCHEMA`.

    Args:
        pairs: `PAIR_SCHEMA`: a contact (`by_contact`) or Stripe customer that represented the source before and does
            not now, and represents the target now; `was_there`: it represented the target before, as the contact
            that another one was merged into does, so that only what the target gained can have moved.
    """
    left: dict[str, Decimal] = {}
    room: dict[str, Decimal] = {}
    net: dict[str, Decimal] = {}
    sources: dict[str, tuple[Decimal, str]] = {}
    ordered = pairs.sort("by_contact", "source", "target", descending=[True, False, False])
    for pair in ordered.iter_rows(named=True):
        source, target = pair["source"], pair["target"]
        gained = pair["target_after"] - (pair["target_before"] if pair["was_there"] else 0)
        left.setdefault(source, pair["source_before"])
        room.setdefault(target, pair["target_after"])
        amount = min(left[source], room[target], gained)
        if amount <= 0:
            continue
        left[source] -= amount
        room[target] -= amount
        net[source] = net.get(source, Decimal(0)) - amount
        net[target] = net.get(target, Decimal(0)) + amount
        sources[target] = max(sources.get(target, (Decimal(0), "")), (amount, source))
    rows = [(key, amount, sources.get(key, (0, None))[1]) for key, amount in net.items()]
    return pl.DataFrame(rows, schema=TRANSFER_SCHEMA, orient="row")


def decide_movements(changed: pl.DataFrame, opening: str | None = None) -> pl.DataFrame:
    """Return the movements of some customers, in order of their emails; a transfer comes before its remainder.

    Args:
        changed: `CHANGE_SCHEMA`, `TRANSFER_SCHEMA` and `paid_before`: whether the customer paid at some time before.
        opening: the cause of an opening, where all that changed is one.
    """
    made = changed.with_columns(
        intercom_contact_id=pl.coalesce("contact_after", "contact_before"),
        stripe_customer_id=pl.coalesce("stripe_after", "stripe_before"),
        transferred=pl.col("transferred").fill_null(_ZERO),
    )
    if opening:
        found = [_movements(made, pl.lit(OPENING), pl.lit(opening))]
    else:
        whole = pl.col("mrr_before") + pl.col("transferred")
        moved = made.with_columns(mrr_after=whole)
        rest = made.with_columns(mrr_before=whole)
        kind = pl.when(_is_correction()).then(pl.lit(CORRECTION)).otherwise(_decision())
        found = [
            _movements(moved, pl.lit(TRANSFER), pl.lit(CONTACT_MOVED)),
            _movements(rest, kind, _cause()),
        ]
    return pl.concat(found).sort("email_key", maintain_order=True)


def _is_correction() -> pl.Expr:
    return pl.col("rules_changed") | pl.col("availability_changed") | pl.col("contact_replaced")


def _decision() -> pl.Expr:
    before, after = pl.col("mrr_before"), pl.col("mrr_after")
    return (
        pl.when((before == 0) & pl.col("paid_before"))
        .then(pl.lit(REACTIVATION))
        .when(before == 0)
        .then(pl.lit(NEW))
        .when(after == 0)
        .then(pl.lit(CHURN))
        .when(after > before)
        .then(pl.lit(EXPANSION))
        .otherwise(pl.lit(CONTRACTION))
    )


def _cause() -> pl.Expr:
    return (
        pl.when("rules_changed")
        .then(pl.lit(SETTINGS))
        .when("availability_changed")
        .then(pl.lit(STRIPE_DATA))
        .when("contact_replaced")
        .then(pl.lit(CONTACT_CHANGED))
        .when("deleted")
        .then(pl.lit(DELETED))
        .otherwise(pl.lit(SUBSCRIPTIONS))
    )


def _movements(changed: pl.DataFrame, kind: pl.Expr, cause: pl.Expr) -> pl.DataFrame:
    moved = changed.filter(pl.col("mrr_before") != pl.col("mrr_after"))
    return moved.select(
        "email_key", "intercom_contact_id", "stripe_customer_id", kind.alias("kind"), cause.alias("cause"),
        "mrr_before", "mrr_after", (pl.col("mrr_after") - pl.col("mrr_before")).cast(_MONEY).alias("mrr_change"),
        "plan_before", "plan_after", "transfer_source",
    )  # fmt: skip
