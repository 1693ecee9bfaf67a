"""The quality score (R4.1) and the days since a customer was seen, over the columns of `unified_customers`."""

from datetime import datetime

import polars as pl

from intercom_sync.domain.rules import DAY, SEEN_DAYS


def quality_score(now: datetime) -> pl.Expr:
    """Return the score, 0 to 100, over the columns of `unified_customers`.

    20 points for a Stripe customer id, 20 for an active subscription, 15 for ltv above 0, 15 for last_seen_at in the
    last 7 × 86,400 seconds or later than now, 10 each for a country or city, a conversation, and a csat_score. When the
    subscription count is unknown, the status `active` counts instead. Blank texts count as missing.
    """
    active = pl.coalesce(pl.col("subscription_count") > 0, pl.col("subscription_status") == "active")
    seen_since = pl.lit(now, pl.Datetime("us", "UTC")) - pl.duration(seconds=SEEN_DAYS * DAY)
    return pl.sum_horizontal(
        _points(20, _has_text("stripe_customer_id")),
        _points(20, active),
        _points(15, pl.col("ltv") > 0),
        _points(15, pl.col("last_seen_at") >= seen_since),
        _points(10, _has_text("location_country") | _has_text("location_city")),
        _points(10, pl.col("intercom_convos_total") > 0),
        _points(10, pl.col("csat_score").is_not_null()),
    ).alias("quality_score")


def days_since_seen(now: datetime) -> pl.Expr:
    """Return the whole days from last_seen_at to now, never below 0; null when the customer was never seen."""
    elapsed = pl.lit(now, pl.Datetime("us", "UTC")) - pl.col("last_seen_at")
    days = elapsed.dt.total_seconds() // DAY
    return pl.max_horizontal(days, pl.when(days.is_not_null()).then(0)).cast(pl.Int32).alias("days_since_seen")


def _has_text(name: str) -> pl.Expr:
    return (pl.col(name).str.strip_chars() != "").fill_null(False)


def _points(points: int, condition: pl.Expr) -> pl.Expr:
    return pl.when(condition).then(pl.lit(points, pl.Int32)).otherwise(pl.lit(0, pl.Int32))
