"""The window of a partition or a sync: a half-open time interval [start, end) in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class Window:
    """Select the records whose `updated_at` is in [start, end)."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Reject an empty window.

        Raises:
            ValueError: when the end is not after the start.
        """
        if self.end <= self.start:
            raise ValueError(f"the end of a window must be after its start; got {self}")

    def widened(self, overlap: timedelta) -> "Window":
        """Return the window with an earlier start, for records that the search index returns late."""
        return Window(self.start - overlap, self.end)

    def seconds(self) -> tuple[int, int]:
        """Return start and end in UNIX seconds, the start rounded down and the end rounded up."""
        return int(self.start.timestamp() // 1), -int(-self.end.timestamp() // 1)

    def __str__(self) -> str:
        """Return the interval in the form that `--window` takes."""
        return f"{_stamp(self.start)}/{_stamp(self.end)}"


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
