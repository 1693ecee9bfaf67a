"""The time spans of date filters: calendar days in the workspace's zone (API 2.16) or exact seconds (2.17).

Spans are half-open, `[low, high)`, in UNIX seconds. By Intercom's search documentation, values are rounded down to
their day: `=` is that day, `>` starts at the next day, `<` ends before the day.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from intercom_sync.sandbox.errors import invalid

Span = tuple[int, int]
END = 1 << 62


def day_span(operator: str, timestamp: int, zone: ZoneInfo) -> Span:
    """Return the span of an operator and the day that contains `timestamp`."""
    start, following = _day(timestamp, zone)
    return {"=": (start, following), ">": (following, END), "<": (1, start)}[operator]


def second_span(operator: str, timestamp: int) -> Span:
    """Return the span of an operator and an exact second; for `!=` the span to exclude."""
    return {
        "=": (timestamp, timestamp + 1),
        "!=": (timestamp, timestamp + 1),
        ">": (timestamp + 1, END),
        ">=": (timestamp, END),
        "<": (1, timestamp),
        "<=": (1, timestamp + 1),
    }[operator]


def _day(timestamp: int, zone: ZoneInfo) -> Span:
    try:
        date = datetime.fromtimestamp(timestamp, zone).date()
        starts = [datetime(day.year, day.month, day.day, tzinfo=zone) for day in (date, date + timedelta(days=1))]
        return int(starts[0].timestamp()), int(starts[1].timestamp())
    except (OverflowError, ValueError, OSError):
        raise invalid(f"{timestamp} is not a valid date") from None
