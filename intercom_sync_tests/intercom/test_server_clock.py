"""What Intercom's headers tell of its time."""

from datetime import UTC, datetime, timedelta

import pytest

from intercom_sync.intercom.http.server_clock import ServerClock, server_time

_DATE = "Mon, 15 Jun 2026 12:00:00 GMT"
_TOLD = datetime(2026, 6, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"Date": _DATE}, _TOLD),
        ({"Date": "Mon, 15 Jun 2026 14:00:00 +0200"}, _TOLD),
        ({"Date": "Mon, 15 Jun 2026 12:00:00 -0000"}, _TOLD),
        ({"Date": _DATE, "Age": "86400"}, _TOLD + timedelta(days=1)),
        ({"Date": _DATE, "Age": "-5"}, _TOLD),
        ({"Date": _DATE, "Age": "a day"}, _TOLD),
        ({"Date": "Fri, 31 Dec 9999 23:59:59 GMT", "Age": "5"}, None),
        *(({"Date": date}, None) for date in ("", "yesterday", "Mon, 45 Jun 2026 12:00:00 GMT", "1781524800", "\x00")),
        ({}, None),
    ],
)
def test_the_date_and_the_age_of_an_answer_tell_the_time(headers: dict[str, str], told: datetime | None) -> None:
    assert server_time(headers) == told


def test_the_time_goes_on_after_the_newest_answer_that_told_it() -> None:
    now = 1_000_000_000.0
    clock = ServerClock(lambda: now)
    assert clock.now() is None
    clock.update({"Date": _DATE})
    now += 90
    clock.update({"Date": "garbage"})
    assert clock.now() == _TOLD + timedelta(seconds=90)
