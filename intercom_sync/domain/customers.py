"""Make customers: one per email, from the contacts that share it, beside what other systems wrote.

Frames in, frames out; the warehouse reads and writes them. Three kinds of customers are told apart:

- *held*: some contact has the email; the winning one gives the values;
- *deleted*: the sync wrote it once and no contact has the email any more; it is marked and otherwise left alone;
- *foreign*: only other systems know it; what depends on time is kept right and nothing else is touched.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from intercom_sync.domain.quality import days_since_seen, quality_score
from intercom_sync.domain.schema.columns import Origin
from intercom_sync.domain.schema.tables import CUSTOMER_LAST_WRITTEN, UNIFIED_CUSTOMERS

KEY = "email_key"
FROM_INTERCOM = tuple(c.name for c in UNIFIED_CUSTOMERS.columns if c.origin is Origin.INTERCOM)
DATA = tuple(name for name in UNIFIED_CUSTOMERS.names if name != "last_intercom_sync")
DERIVED = ("intercom_convos_total", "intercom_convos_30d", "open_tickets")
_EVIDENCE = CUSTOMER_LAST_WRITTEN.names[1:]

ColumnCaster = Callable[[pl.DataFrame], pl.DataFrame]
"""Makes of values what the table keeps of them: other systems' columns may be narrower than ours."""


def identity(values: pl.DataFrame) -> pl.DataFrame:
    """Fit values to a table that keeps all of them."""
    return values


@dataclass(frozen=True)
class CustomerRows:
    """What a sync makes of some customers.

    Attributes:
        rows: one per customer: `email_key`, the columns of `unified_customers` as they are to be, `row_` the
            same as they are, `writing_` what of it comes from Intercom, and the flags `existed`, `changed`, `read`
            (its contact was read by the run) and `synced_later` (its last sync is later than now: a clock was ahead).
        evidence: rows of `customer_last_written` that differ from what is kept.
    """

    rows: pl.DataFrame
    last_written: pl.DataFrame


def pick_latest_contact(contacts: pl.DataFrame) -> pl.DataFrame:
    """Return one contact per email: greatest `updated_at`, then `created_at`, then `id`.

    Takes `email_key`, `id`, `created_at`, `updated_at`, `read` and values; `read` becomes true when any contact of the
    email was read.
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
    writes: pl.DataFrame,
    now: datetime,
    *,
    fit: ColumnCaster = identity,
) -> CustomerRows:
    """Make the customers of some emails.

    Args:
        contacts: every landed contact with one of the emails: `email_key`, `id`, `created_at`, `updated_at`, `read`,
            `name`, and the profile and Stripe columns of `unified_customers`.
        support: rows of `support_metrics`.
        rows: rows of `unified_customers` with their `email_key`.
        writes: rows of `customer_last_written`.
        now: the sync's instant.
        fit: what the table keeps of values.
    """
    joined = _join(contacts, support, rows, writes)
    made = joined.with_columns(
        *_names(),
        *(_value(c) for c in FROM_INTERCOM),
        *(pl.col(c).alias(f"writing_{c}") for c in ("intercom_contact_id", *FROM_INTERCOM)),
        *_counts(),
        **_bookkeeping(now),
    )
    made = made.with_columns(days_since_seen(now)).with_columns(quality_score=quality_score(now))
    # A deleted customer stays as it was but for the mark.
    made = made.with_columns(
        pl.when("deleted").then(f"row_{c}").otherwise(c).alias(c) for c in DATA if c != "intercom_deleted_at"
    ).pipe(fit)
    changed = pl.any_horizontal(pl.col(c).ne_missing(pl.col(f"row_{c}")) for c in DATA)
    made = made.with_columns(
        changed=changed | ~pl.col("existed"),
        read=pl.col("held") & pl.col("read").fill_null(False),
        synced_later=(pl.col("row_last_intercom_sync") > pl.col("last_intercom_sync")).fill_null(False),
    )
    return CustomerRows(made, _evidence(made))


def _join(contacts: pl.DataFrame, support: pl.DataFrame, rows: pl.DataFrame, writes: pl.DataFrame) -> pl.DataFrame:
    won = (
        pick_latest_contact(contacts)
        .rename({"id": "intercom_contact_id", "created_at": "signup_date"})
        .drop("updated_at")
    )
    before = rows.rename({c: f"row_{c}" for c in UNIFIED_CUSTOMERS.names}).with_columns(existed=pl.lit(True))
    wrote = writes.rename({c: f"wrote_{c}" for c in _EVIDENCE}).with_columns(known=pl.lit(True))
    return (
        won.with_columns(held=pl.lit(True))
        .join(before, on=KEY, how="full", coalesce=True)
        .join(support, on=KEY, how="left")
        .join(wrote, on=KEY, how="left")
        .with_columns(pl.col("held", "existed", "known").fill_null(False))
        .with_columns(deleted=pl.col("known") & ~pl.col("held"), foreign=~pl.col("known") & ~pl.col("held"))
        .sort(KEY)
    )


def _ours(column: str) -> pl.Expr:
    """Whether the sync wrote the value that stands in the row: it is what the sync noted when it last wrote."""
    return (pl.col(f"row_{column}") == pl.col(f"wrote_{column}")).fill_null(False)


def _value(column: str) -> pl.Expr:
    """Intercom's value; without one what another system wrote, and null in place of what the sync wrote."""
    theirs = pl.when(~_ours(column)).then(f"row_{column}")
    return pl.coalesce(column, theirs).alias(column)


def _names() -> tuple[pl.Expr, pl.Expr]:
    """The contact's name, else another system's, else the email's part before the @; and which of it we write.

    A customer that only others know keeps the name as it stands, blank ones too.
    """
    named = pl.col("row_name").str.strip_chars().str.len_chars() > 0
    theirs = pl.when(named & ~_ours("name")).then("row_name")
    prefix = pl.when("held").then(pl.col(KEY).str.replace(r"@[^@]*$", ""))
    writing = pl.coalesce("name", pl.when(theirs.is_null()).then(prefix))
    stands = pl.when("foreign").then("row_name")
    return pl.coalesce("name", theirs, prefix, stands).alias("name"), writing.alias("writing_name")


def _counts() -> list[pl.Expr]:
    counts = [pl.col(c).fill_null(0) for c in DERIVED]
    return [*counts, pl.col("mentioned_cancel").fill_null(False)]


def _bookkeeping(now: datetime) -> dict[str, pl.Expr]:
    instant = pl.lit(now).cast(UNIFIED_CUSTOMERS.frame_schema("last_intercom_sync")["last_intercom_sync"])
    return {
        "email": pl.coalesce("row_email", KEY),
        "intercom_contact_id": pl.coalesce("intercom_contact_id", "row_intercom_contact_id"),
        "intercom_deleted_at": pl.when("deleted")
        .then(pl.min_horizontal("row_intercom_deleted_at", instant))
        .when("foreign")
        .then("row_intercom_deleted_at"),
        "last_intercom_sync": instant,
    }


def _evidence(made: pl.DataFrame) -> pl.DataFrame:
    """What the sync writes now, where that differs from what it noted when it last wrote."""
    differs = pl.any_horizontal(pl.col(f"writing_{c}").ne_missing(pl.col(f"wrote_{c}")) for c in _EVIDENCE)
    news = made.filter(pl.col("held") & (differs | ~pl.col("known")))
    return news.select(KEY, *(pl.col(f"writing_{c}").alias(c) for c in _EVIDENCE))
