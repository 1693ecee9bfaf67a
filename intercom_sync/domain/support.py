"""How support goes with each customer: conversations, open tickets, cancel mentions and ratings, counted.

Works on frames of who takes part in what; which contact belongs to which customer is decided before, reading one
conversation in `conversations`.
"""

from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl

from intercom_sync.domain.rules import DAY, RECENT_DAYS

_MICROS = 10**6
_COUNTS = ("intercom_convos_total", "intercom_convos_30d", "open_tickets")


def compute_support(taking_part: pl.DataFrame, mentions: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Count each customer's support figures; the 30 days are 30 × 86,400 seconds up to and including now.

    A conversation counts once for a customer, however many of its contacts are the customer's. A rating in a
    conversation of several contacts is the rating contact's where one is named, else everyone's.

    Args:
        taking_part: who takes part: `email_key`, `conversation_id`, `created_at`, `open`, `contacts` (how many take
            part), `rating`, `rating_named` (whether a rating contact was named), `rating_email_key` (whose contact).
        mentions: messages that say a cancel word: `email_key`, `created_at`.
        now: the sync's instant.

    Returns:
        `email_key`, `intercom_convos_total`, `intercom_convos_30d`, `open_tickets` (Int32), `mentioned_cancel`,
        `csat_score` (Decimal(38, 6), half up), one row for each customer with a conversation or recent mention, sorted.
    """
    counts = (
        taking_part.unique(["email_key", "conversation_id"])
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
    """What lies in the last 30 days; with a now in the past, later records are not."""
    first = now - timedelta(seconds=RECENT_DAYS * DAY)
    kind = pl.Datetime("us", "UTC")
    return pl.col("created_at").is_between(pl.lit(first, kind), pl.lit(now, kind))


def _rating_of_customer() -> pl.Expr:
    named = pl.col("rating_named") & (pl.col("contacts") > 1)
    own = ~named | (pl.col("rating_email_key") == pl.col("email_key"))
    return pl.when(own & pl.col("rating").is_between(1, 5)).then(pl.col("rating").cast(pl.Int64))


def _mean(column: str) -> pl.Expr:
    """The mean half up to six decimals, in whole numbers of millionths until the last step."""
    total, count = pl.col(column).sum(), pl.col(column).count().cast(pl.Int64)
    micros = pl.when(count > 0).then((total * 2 * _MICROS + count) // (2 * count))
    return (micros.cast(pl.Decimal(38, 0)) * pl.lit(Decimal(1).scaleb(-6))).cast(pl.Decimal(38, 6))
