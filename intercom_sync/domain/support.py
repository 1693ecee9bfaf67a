"""Support metrics of each customer (R3): conversations, open tickets, cancel mentions and ratings."""

from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl

from intercom_sync.domain.rules import DAY, RECENT_DAYS

_MICROS = 10**6
_COUNTS = ("intercom_convos_total", "intercom_convos_30d", "open_tickets")


def compute_support(participants: pl.DataFrame, mentions: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Compute each customer's support metrics; recent means the 30 × 86,400 seconds up to and including now.

    Conversations are deduplicated per customer, because several of their contacts may belong to it. A rating in a
    conversation of several contacts counts for the contact that gave it, or for everyone when none is named.

    Args:
        participants: one row per contact and conversation: `email_key`, `conversation_id`, `created_at`, `open`,
            `contacts` (number of contacts in it), `rating`, `rating_named` (whether the rating names its contact),
            `rating_email_key` (email of that contact).
        mentions: messages with a cancel phrase: `email_key`, `created_at`.
        now: logical time of the sync.

    Returns:
        `email_key`, `intercom_convos_total`, `intercom_convos_30d`, `open_tickets` (Int32), `mentioned_cancel`,
        `csat_score` (Decimal(38, 6), half up), one row for each customer with a conversation or recent mention, sorted.
    """
    counts = (
        participants.unique(["email_key", "conversation_id"])
        .with_columns(counted_rating=_rating_of_customer())
        .group_by("email_key")
        .agg(
            pl.len().cast(pl.Int32).alias("intercom_convos_total"),
            _recent(now).sum().cast(pl.Int32).alias("intercom_convos_30d"),
            pl.col("open").sum().cast(pl.Int32).alias("open_tickets"),
            _mean("counted_rating").alias("csat_score"),
        )
    )
    mentioned = mentions.filter(_recent(now)).select("email_key", mentioned_cancel=pl.lit(True)).unique()
    return (
        counts.join(mentioned, on="email_key", how="full", coalesce=True)
        .select(
            "email_key",
            *(pl.col(name).fill_null(0) for name in _COUNTS),
            pl.col("mentioned_cancel").fill_null(False),
            "csat_score",
        )
        .sort("email_key")
    )


def _recent(now: datetime) -> pl.Expr:
    """Select the last 30 days; records later than now are excluded."""
    since = now - timedelta(seconds=RECENT_DAYS * DAY)
    kind = pl.Datetime("us", "UTC")
    return pl.col("created_at").is_between(pl.lit(since, kind), pl.lit(now, kind))


def _rating_of_customer() -> pl.Expr:
    named = pl.col("rating_named") & (pl.col("contacts") > 1)
    own = ~named | (pl.col("rating_email_key") == pl.col("email_key"))
    return pl.when(own & pl.col("rating").is_between(1, 5)).then(pl.col("rating").cast(pl.Int64))


def _mean(column: str) -> pl.Expr:
    """Compute the mean, half up to six decimals, exactly, in integer millionths."""
    total, count = pl.col(column).sum(), pl.col(column).count().cast(pl.Int64)
    micros = pl.when(count > 0).then((total * 2 * _MICROS + count) // (2 * count))
    return (micros.cast(pl.Decimal(38, 0)) * pl.lit(Decimal(1).scaleb(-6))).cast(pl.Decimal(38, 6))
