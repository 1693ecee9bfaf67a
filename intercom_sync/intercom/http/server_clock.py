"""Intercom's clock, read from the headers of its responses."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from intercom_sync.intercom.http.rate_limiter import Clock, number


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """Return the server time at arrival from `Date`; None when it is missing or invalid.

    A cached response has its original `Date`, and its `Age` in seconds since then.
    """
    try:
        created_at = parsedate_to_datetime(headers.get("Date", ""))
        # The zone -0000 means UTC, and is parsed as no zone.
        created_at = created_at.replace(tzinfo=UTC) if created_at.tzinfo is None else created_at.astimezone(UTC)
        return created_at + timedelta(seconds=number(headers, "Age") or 0)
    except (ValueError, TypeError, OverflowError):
        return None


class ServerClock:
    """Track the offset of Intercom's clock from this machine's, by the newest response. Thread-safe."""

    def __init__(self, wall: Clock) -> None:
        self._wall = wall
        self._offset: timedelta | None = None

    def update(self, headers: Mapping[str, str]) -> None:
        """Update the offset from a response that has just arrived."""
        time = server_time(headers)
        if time is not None:
            self._offset = time - self._machine_time()

    def now(self) -> datetime | None:
        """Return Intercom's time; None before the first response with a valid `Date`."""
        return None if self._offset is None else self._machine_time() + self._offset

    def _machine_time(self) -> datetime:
        return datetime.fromtimestamp(self._wall(), UTC)
