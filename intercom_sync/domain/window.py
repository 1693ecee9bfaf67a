"""A window: the half-open time interval [start, end) of a partition or of one sync, in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class Window:
    """The records whose `updated_at` lies in [start, end)."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse a window that holds nothing.

        Raises:
            ValueError: when the end is not after the start.
        """
        if self.end <= self.start:
            raise ValueError(f"a window ends after it starts; got {self}")

    def widened(self, overlap: timedelta) -> "Window":
        """Return the window reaching `overlap` further back, for records that the search index shows late."""
        return Window(self.start - overlap, self.end)

    def seconds(self) -> tuple[int, int]:
        """Return start and end in whole UNIX seconds, the start rounded down and the end up."""
        return int(self.start.timestamp() // 1), -int(-self.end.timestamp() // 1)

    def __str__(self) -> str:
        """Return the interval in the form that `--window` takes."""
        return f"{_stamp(self.start)}/{_stamp(self.end)}"


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
