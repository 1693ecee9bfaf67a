"""Build customers, one per email, from landed contacts, support metrics and the rows of other systems (R1).

Three kinds of customers:

- *linked*: a contact has the email; the latest one provides the values;
- *deleted*: the sync wrote it once and no contact has the email any more; only the deletion mark changes;
- *external*: only other systems know it; only time-dependent columns change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from intercom_sync.domain.movements import counted_mrr
from intercom_sync.domain.quality import days_since_seen, quality_score
from intercom_sync.domain.schema.columns import Origin
from intercom_sync.domain.schema.tables import CUSTOMER_LAST_WRITTEN, UNIFIED_CUSTOMERS

KEY = "email_key"
FROM_INTERCOM = tuple(c.name for c in UNIFIED_CUSTOMERS.columns if c.origin is Origin.INTERCOM)
DATA = tuple(name for name in UNIFIED_CUSTOMERS.names if name != "last_intercom_sync")
DERIVED = ("intercom_convos_total", "intercom_convos_30d", "open_tickets")
_LAST_WRITTEN = CUSTOMER_LAST_WRITTEN.names[1:]

ColumnCaster = Callable[[pl.DataFrame], pl.DataFrame]
"""Casts values to what the table stores: columns of other systems may be narrower."""


def identity(values: pl.DataFrame) -> pl.DataFrame:
    """Return the values unchanged, for a table that stores them exactly."""
    return values


@dataclass(frozen=True)
class CustomerRows:
    """Hold the computed rows of some customers.

    Attributes:
        rows: one per customer: `email_key`, the new columns of `unified_customers`, the current ones prefixed
            `current_`, the values that come from Intercom prefixed `next_`, and the flags `existed`, `changed`, `read`
            (the run read its contact) and `synced_later` (its last sync is later than now: a clock was ahead).
        last_written: new rows of `customer_last_written`, where they differ from the stored ones.
    """

    rows: pl.DataFrame
    last_written: pl.DataFrame


def pick_latest_contact(contacts: pl.DataFrame) -> pl.DataFrame:
    """Return one contact per email: greatest `updated_at`, then `created_at`, then `id`.

    `read` becomes true when the run read any contact of the email.

    Args:
        contacts: `email_key`, `id`, `created_at`, `updated_at`, `read` and any other columns.
    """
    order = [KEY, "updated_at", "created_at", "id"]
    ranked = contacts.with_columns(read=pl.col("read").any().over(KEY)).sort(
        order, descending=[False, True, True, True]
    )
    return ranked.unique(KEY, keep="first", maintain_order=True)


def build_customers(
    contacts: pl.DataFrame,
    support: pl.DataFrame,
    rows: pl.DataFrame,
    last_written: pl.DataFrame,
    now: datetime,
    *,
    cast: ColumnCaster = identity,
) -> CustomerRows:
    """Build the customers of some emails.

    Args:
        contacts: every landed contact with one of the emails: `email_key`, `id`, `created_at`, `updated_at`, `read`,
            `name`, and the profile and Stripe columns of `unified_customers`.
        support: rows of `support_metrics`.
        rows: rows of `unified_customers` with their `email_key`.
        last_written: rows of `customer_last_written`.
        now: logical time of the sync.
        cast: converts values to what the table stores.
    """
    joined = _join(contacts, support, rows, last_written)
    customers = joined.with_columns(
        *_names(),
        *(_value(c) for c in FROM_INTERCOM),
        *(pl.col(c).alias(f"next_{c}") for c in ("intercom_contact_id", *FROM_INTERCOM)),
        *_counts(),
        **_bookkeeping(now),
    )
    customers = customers.with_columns(days_since_seen(now)).with_columns(quality_score=quality_score(now))
    # A deleted customer keeps its values; only the deletion mark changes.
    customers = customers.with_columns(
        pl.when("deleted").then(f"current_{c}").otherwise(c).alias(c) for c in DATA if c != "intercom_deleted_at"
    ).pipe(cast)
    changed = pl.any_horizontal(pl.col(c).ne_missing(pl.col(f"current_{c}")) for c in DATA)
    customers = customers.with_columns(
        changed=changed | ~pl.col("existed"),
        next_counted_mrr=counted_mrr(),
        read=pl.col("linked") & pl.col("read").fill_null(False),
        synced_later=(pl.col("current_last_intercom_sync") > pl.col("last_intercom_sync")).fill_null(False),
    )
    return CustomerRows(customers, _changed_last_written(customers))


def _join(
    contacts: pl.DataFrame, support: pl.DataFrame, rows: pl.DataFrame, last_written: pl.DataFrame
) -> pl.DataFrame:
    latest = (
        pick_latest_contact(contacts)
        .rename({"id": "intercom_contact_id", "created_at": "signup_date"})
        .drop("updated_at")
    )
    current = rows.rename({c: f"current_{c}" for c in UNIFIED_CUSTOMERS.names}).with_columns(existed=pl.lit(True))
    written = last_written.rename({c: f"last_written_{c}" for c in _LAST_WRITTEN}).with_columns(known=pl.lit(True))
    return (
        latest.with_columns(linked=pl.lit(True))
        .join(current, on=KEY, how="full", coalesce=True)
        .join(support, on=KEY, how="left")
        .join(written, on=KEY, how="left")
        .with_columns(pl.col("linked", "existed", "known").fill_null(False))
        .with_columns(deleted=pl.col("known") & ~pl.col("linked"), external=~pl.col("known") & ~pl.col("linked"))
        .sort(KEY)
    )


def _ours(column: str) -> pl.Expr:
    """Tell whether the sync wrote the current value: it equals the last written one."""
    return (pl.col(f"current_{column}") == pl.col(f"last_written_{column}")).fill_null(False)


def _value(column: str) -> pl.Expr:
    """Choose Intercom's value, else that of another system; a stale value of the sync itself becomes null."""
    theirs = pl.when(~_ours(column)).then(f"current_{column}")
    return pl.coalesce(column, theirs).alias(column)


def _names() -> tuple[pl.Expr, pl.Expr]:
    """Choose the name: the contact's, else another system's, else the part of the email before the @.

    An external customer keeps its name, also a blank one. The second expression is the part that the sync writes.
    """
    named = pl.col("current_name").str.strip_chars().str.len_chars() > 0
    theirs = pl.when(named & ~_ours("name")).then("current_name")
    prefix = pl.when("linked").then(pl.col(KEY).str.replace(r"@[^@]*$", ""))
    written = pl.coalesce("name", pl.when(theirs.is_null()).then(prefix))
    kept = pl.when("external").then("current_name")
    return pl.coalesce("name", theirs, prefix, kept).alias("name"), written.alias("next_name")


def _counts() -> list[pl.Expr]:
    counts = [pl.col(c).fill_null(0) for c in DERIVED]
    return [*counts, pl.col("mentioned_cancel").fill_null(False)]


def _bookkeeping(now: datetime) -> dict[str, pl.Expr]:
    instant = pl.lit(now).cast(UNIFIED_CUSTOMERS.frame_schema("last_intercom_sync")["last_intercom_sync"])
    return {
        "email": pl.coalesce("current_email", KEY),
        "intercom_contact_id": pl.coalesce("intercom_contact_id", "current_intercom_contact_id"),
        "intercom_deleted_at": pl.when("deleted")
        .then(pl.min_horizontal("current_intercom_deleted_at", instant))
        .when("external")
        .then("current_intercom_deleted_at"),
        "last_intercom_sync": instant,
    }


def _changed_last_written(customers: pl.DataFrame) -> pl.DataFrame:
    """Select the values that the sync writes now, where they differ from the last written ones.

    Of a deleted customer the last written values stay, and only its counted MRR changes.
    """
    differs = pl.any_horizontal(pl.col(f"next_{c}").ne_missing(pl.col(f"last_written_{c}")) for c in _LAST_WRITTEN)
    counted = pl.col("next_counted_mrr").ne_missing(pl.col("last_written_counted_mrr"))
    changes = customers.filter((pl.col("linked") & (differs | ~pl.col("known"))) | (pl.col("deleted") & counted))
    values = {c: pl.when("linked").then(f"next_{c}").otherwise(f"last_written_{c}") for c in _LAST_WRITTEN}
    return changes.select(KEY, **values | {"counted_mrr": pl.col("next_counted_mrr")})
