"""Intercom's clock, as far as the headers of its answers tell it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from intercom_sync.intercom.http.rate_limiter import Clock, number


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """Return the time at which an answer arrived, by its `Date`; None where there is none that can be read.

    An answer out of a cache bears the time at which it was made, and its `Age` in seconds since then.
    """
    try:
        made = parsedate_to_datetime(headers.get("Date", ""))
        # A zone of -0000 says that the time is UTC, and is parsed as no zone.
        made = made.replace(tzinfo=UTC) if made.tzinfo is None else made.astimezone(UTC)
        return made + timedelta(seconds=number(headers, "Age") or 0)
    except (ValueError, TypeError, OverflowError):
        return None


class ServerClock:
    """The difference between Intercom's clock and this machine's, by the newest answer. Safe for threads."""

    def __init__(self, wall: Clock) -> None:
        self._wall = wall
        self._ahead: timedelta | None = None

    def note(self, headers: Mapping[str, str]) -> None:
        """Note an answer that has just arrived."""
        time = server_time(headers)
        if time is not None:
            self._ahead = time - self._machine()

    def now(self) -> datetime | None:
        """Return Intercom's time; None before any answer with a usable `Date`."""
        return None if self._ahead is None else self._machine() + self._ahead

    def _machine(self) -> datetime:
        return datetime.fromtimestamp(self._wall(), UTC)
