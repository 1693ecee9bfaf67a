from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from intercom_sync.domain.quality import days_since_seen, quality_score

NOW = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
WEEK_AGO = NOW - timedelta(days=7)
SCHEMA = {
    "stripe_customer_id": pl.String,
    "subscription_count": pl.Int32,
    "subscription_status": pl.String,
    "ltv": pl.Decimal(38, 6),
    "last_seen_at": pl.Datetime("us", "UTC"),
    "location_country": pl.String,
    "location_city": pl.String,
    "intercom_convos_total": pl.Int32,
    "csat_score": pl.Decimal(38, 6),
}
EVERYTHING = {
    "stripe_customer_id": "cus_1",
    "subscription_count": 1,
    "subscription_status": "active",
    "ltv": Decimal("0.01"),
    "last_seen_at": NOW,
    "location_country": "Ireland",
    "location_city": "Dublin",
    "intercom_convos_total": 1,
    "csat_score": Decimal(1),
}


def score(**fields):
    frame = pl.DataFrame([dict.fromkeys(SCHEMA) | fields], schema=SCHEMA).select(quality_score(NOW))
    assert frame.schema == {"quality_score": pl.Int32}
    return frame.item()


def test_everything_is_100_and_nothing_is_0():
    assert score(**EVERYTHING) == 20 + 20 + 15 + 15 + 10 + 10 + 10 == 100
    assert score() == 0


@pytest.mark.parametrize(
    ("fields", "points"),
    [
        ({"stripe_customer_id": "cus_1"}, 20),
        ({"stripe_customer_id": " "}, 0),
        ({"subscription_count": 1}, 20),
        ({"subscription_count": 0, "subscription_status": "active"}, 0),
        ({"subscription_count": None, "subscription_status": "active"}, 20),
        ({"subscription_count": 2, "subscription_status": "canceled"}, 20),
        ({"subscription_count": None, "subscription_status": "trialing"}, 0),
        ({"ltv": Decimal("0.01")}, 15),
        ({"ltv": Decimal(0)}, 0),
        ({"last_seen_at": WEEK_AGO}, 15),
        ({"last_seen_at": WEEK_AGO - timedelta(microseconds=1)}, 0),
        ({"last_seen_at": NOW + timedelta(days=1)}, 15),
        ({"location_country": "Ireland"}, 10),
        ({"location_city": "Dublin"}, 10),
        ({"location_country": "", "location_city": " "}, 0),
        ({"intercom_convos_total": 1}, 10),
        ({"intercom_convos_total": 0}, 0),
        ({"csat_score": Decimal(1)}, 10),
    ],
)
def test_each_factor_gives_its_points(fields, points):
    assert score(**fields) == points


@pytest.mark.parametrize(
    ("ago", "days"),
    [
        (timedelta(0), 0),
        (timedelta(days=1) - timedelta(microseconds=1), 0),
        (timedelta(days=1), 1),
        (timedelta(days=364, hours=23), 364),
        (-timedelta(days=3), 0),
        (-timedelta(seconds=1), 0),
    ],
)
def test_days_since_seen_are_whole_and_never_below_zero(ago, days):
    frame = pl.DataFrame({"last_seen_at": [NOW - ago, None]}, schema={"last_seen_at": SCHEMA["last_seen_at"]})
    result = frame.select(days_since_seen(NOW))
    assert result.to_dict(as_series=False) == {"days_since_seen": [days, None]}
    assert result.schema == {"days_since_seen": pl.Int32}
