"""MRR movements: by how much each customer's counted MRR changed in a sync, and why.

The counted MRR of a customer is the MRR that the sync itself last wrote, while a contact has the email. It is 0 when
the MRR is null or the customer is deleted. A change of what is known, not of what the customer decided to pay, is a
`transfer` or a `correction` and never counts as revenue gained or lost. The functions take and return frames.
"""

from decimal import Decimal

import polars as pl

from intercom_sync.domain.schema.columns import Type

OPENING, TRANSFER, CORRECTION = "opening", "transfer", "correction"
NEW, REACTIVATION, CHURN, EXPANSION, CONTRACTION = "new", "reactivation", "churn", "expansion", "contraction"
KINDS = (OPENING, NEW, REACTIVATION, EXPANSION, CONTRACTION, CHURN, TRANSFER, CORRECTION)
RETENTION_KINDS = (EXPANSION, CONTRACTION, CHURN, REACTIVATION)
"""The kinds that count towards net revenue retention: decisions of customers that paid before."""

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
    zero_if_known = pl.when(pl.col("last_written_counted_mrr").is_not_null()).then(_ZERO)
    return pl.when("linked").then(pl.coalesce("next_mrr", zero_if_known)).otherwise(zero_if_known)


def changes(rows: pl.DataFrame, *, reopened: bool = False) -> pl.DataFrame:
    """Return the customers whose counted MRR changed or that may take part in a transfer.

    Args:
        rows: rows of `domain.customers.CustomerRows`, with `other_rules`: whether the contact's revenue was computed
            under other rules than in the previous sync.
        reopened: whether the ledger is empty, so that every counted MRR is a change from 0.

    Returns:
        Changes as `CHANGE_SCHEMA`.
    """
    was_deleted = pl.col("current_intercom_deleted_at").is_not_null()
    # The last written values of a customer that was deleted do not show whether Stripe's data or the rules changed.
    comparable = pl.col("linked") & pl.col("known") & ~was_deleted
    became_null_or_known = pl.col("last_written_mrr").is_null() != pl.col("next_mrr").is_null()
    before = _ZERO if reopened else pl.col("last_written_counted_mrr").fill_null(_ZERO)
    contact_after = pl.when("linked").then("next_intercom_contact_id")
    stripe_after = pl.when("linked").then("next_stripe_customer_id")
    other_contact = pl.col("contact_before").ne_missing(pl.col("contact_after"))
    other_stripe_customer = (pl.col("stripe_before") != pl.col("stripe_after")).fill_null(False)
    may_transfer = other_contact | pl.col("stripe_before").ne_missing(pl.col("stripe_after"))
    compared = rows.select(
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
        (comparable & became_null_or_known & pl.col("last_written_counted_mrr").is_not_null()).alias(
            "availability_changed"
        ),
        (comparable & pl.col("other_rules").fill_null(False)).alias("rules_changed"),
        comparable.alias("contact_replaced"),
    ).with_columns(contact_replaced=pl.col("contact_replaced") & other_contact & other_stripe_customer)
    pays = (pl.col("mrr_before") > 0) | (pl.col("mrr_after") > 0)
    return compared.filter((pl.col("mrr_before") != pl.col("mrr_after")) | (may_transfer & pays))


def transfers(pairs: pl.DataFrame) -> pl.DataFrame:
    """Match the MRR that sources lost with the MRR that targets gained.

    Args:
        pairs: as `PAIR_SCHEMA`: a contact (`by_contact`) or a Stripe customer belonged to the source before the sync
            and belongs to the target after it. `was_there` is true if it belonged to the target before as well, as
            the contact that remains after a merge does; then at most the target's increase is transferred.

    Returns:
        The net amount of each customer and the source of its largest transfer, as `TRANSFER_SCHEMA`.
    """
    source_balance: dict[str, Decimal] = {}
    target_balance: dict[str, Decimal] = {}
    net: dict[str, Decimal] = {}
    sources: dict[str, tuple[Decimal, str]] = {}
    ordered = pairs.sort("by_contact", "source", "target", descending=[True, False, False])
    for pair in ordered.iter_rows(named=True):
        source, target = pair["source"], pair["target"]
        gained = pair["target_after"] - (pair["target_before"] if pair["was_there"] else 0)
        source_balance.setdefault(source, pair["source_before"])
        target_balance.setdefault(target, pair["target_after"])
        amount = min(source_balance[source], target_balance[target], gained)
        if amount <= 0:
            continue
        source_balance[source] -= amount
        target_balance[target] -= amount
        net[source] = net.get(source, Decimal(0)) - amount
        net[target] = net.get(target, Decimal(0)) + amount
        sources[target] = max(sources.get(target, (Decimal(0), "")), (amount, source))
    rows = [(key, amount, sources.get(key, (0, None))[1]) for key, amount in net.items()]
    return pl.DataFrame(rows, schema=TRANSFER_SCHEMA, orient="row")


def decide_movements(changed: pl.DataFrame, opening: str | None = None) -> pl.DataFrame:
    """Return the movements of some customers, ordered by email; a transfer comes before its remainder.

    Args:
        changed: changes with the columns of `CHANGE_SCHEMA` and `TRANSFER_SCHEMA`, and `paid_before`: whether the
            customer has paid at any time before.
        opening: the cause, if every change is an opening; else None.

    Returns:
        Rows of `mrr_movements` without time and run, with `transfer_source`.
    """
    identified = changed.with_columns(
        intercom_contact_id=pl.coalesce("contact_after", "contact_before"),
        stripe_customer_id=pl.coalesce("stripe_after", "stripe_before"),
        transferred=pl.col("transferred").fill_null(_ZERO),
    )
    if opening:
        movements = [_movements(identified, pl.lit(OPENING), pl.lit(opening))]
    else:
        after_transfer = pl.col("mrr_before") + pl.col("transferred")
        transferred = identified.with_columns(mrr_after=after_transfer)
        remainder = identified.with_columns(mrr_before=after_transfer)
        kind = pl.when(_is_correction()).then(pl.lit(CORRECTION)).otherwise(_decision_kind())
        movements = [
            _movements(transferred, pl.lit(TRANSFER), pl.lit(CONTACT_MOVED)),
            _movements(remainder, kind, _cause()),
        ]
    return pl.concat(movements).sort("email_key", maintain_order=True)


def _is_correction() -> pl.Expr:
    return pl.col("rules_changed") | pl.col("availability_changed") | pl.col("contact_replaced")


def _decision_kind() -> pl.Expr:
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
    nonzero = changed.filter(pl.col("mrr_before") != pl.col("mrr_after"))
    return nonzero.select(
        "email_key", "intercom_contact_id", "stripe_customer_id", kind.alias("kind"), cause.alias("cause"),
        "mrr_before", "mrr_after", (pl.col("mrr_after") - pl.col("mrr_before")).cast(_MONEY).alias("mrr_change"),
        "plan_before", "plan_after", "transfer_source",
    )  # fmt: skip
