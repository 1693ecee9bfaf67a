"""Which seconds a date filter covers: whole calendar days in the workspace's zone (API 2.16) or exact seconds (2.17).

Spans are half-open, `[low, high)`, in UNIX seconds. Intercom's search page: the value is cut to its day; `=` is that
day, `>` begins with the next one, `<` ends before it.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from intercom_sync.sandbox.errors import invalid

Span = tuple[int, int]
END = 1 << 62


def day_span(operator: str, moment: int, zone: ZoneInfo) -> Span:
    """What `operator` and the day around `moment` cover."""
    start, following = _day(moment, zone)
    return {"=": (start, following), ">": (following, END), "<": (1, start)}[operator]


def second_span(operator: str, moment: int) -> Span:
    """What `operator` and the exact second cover (`!=` is the complement of `=`)."""
    return {
        "=": (moment, moment + 1),
        "!=": (moment, moment + 1),
        ">": (moment + 1, END),
        ">=": (moment, END),
        "<": (1, moment),
        "<=": (1, moment + 1),
    }[operator]


def _day(moment: int, zone: ZoneInfo) -> Span:
    try:
        here = datetime.fromtimestamp(moment, zone).date()
        starts = [datetime(day.year, day.month, day.day, tzinfo=zone) for day in (here, here + timedelta(days=1))]
        return int(starts[0].timestamp()), int(starts[1].timestamp())
    except (OverflowError, ValueError, OSError):
        raise invalid(f"{moment} is not a valid date") from None
