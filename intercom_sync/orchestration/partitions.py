"""The partitions of all assets of a workspace: six-hour windows in UTC, including the current one."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from intercom_sync.domain.errors import FatalError
from intercom_sync.domain.window import Window

WINDOW = timedelta(hours=6)
_KEY_FORMAT = "%Y-%m-%dT%H"


def six_hour_windows(start: datetime) -> dg.TimeWindowPartitionsDefinition:
    """Return the six-hour windows from a start, including the current one, which a manual sync uses."""
    return dg.TimeWindowPartitionsDefinition(
        cron_schedule="0 */6 * * *", start=start, fmt=_KEY_FORMAT, timezone="UTC", end_offset=1
    )


class UnknownPartitionError(FatalError):
    """The partition key does not exist; the message gives the valid range."""

    def __init__(self, key: str, partitions: dg.PartitionsDefinition) -> None:
        first, last = partitions.get_first_partition_key(), partitions.get_last_partition_key()
        super().__init__(
            f"There is no window {key!r}. Windows begin at 00, 06, 12 and 18 o'clock UTC, from {first} "
            f"(INTERCOM_SYNC_PARTITIONS_START) to {last}: choose one of them, or no partition for the newest."
        )


def window_containing(instant: datetime) -> Window:
    """Return the six-hour window that contains an instant."""
    instant = instant.astimezone(UTC)
    start = instant.replace(hour=instant.hour // 6 * 6, minute=0, second=0, microsecond=0)
    return Window(start, start + WINDOW)


def partition_key(window: Window) -> str:
    """Return the partition key of a six-hour window."""
    return window.start.strftime(_KEY_FORMAT)


def window_of_key(key: str) -> Window | None:
    """Return the six-hour window of a partition key, or None if no window has this key."""
    try:
        start = datetime.strptime(key, _KEY_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
    window = window_containing(start)
    return window if window.start == start else None


def nearest_partition(partitions: dg.TimeWindowPartitionsDefinition, instant: datetime) -> str:
    """Return the key of the window that contains an instant, or of the nearest existing window."""
    key = partition_key(window_containing(instant))
    first, last = partitions.get_first_partition_key(), partitions.get_last_partition_key()
    return min(max(key, first or key), last or key)
