"""Pages of a search: parsing, sort order, and adaptive page size."""

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from intercom_sync.domain.parsing import record_id, usable_timestamp
from intercom_sync.intercom.http import responses
from intercom_sync.intercom.streams import MAX_PAGE_SIZE, Stream

_MIN_PAGE_SIZE = 10
_MAX_TOTAL = 2**31 - 1
_GROW_AFTER = 20


@dataclass(frozen=True)
class SearchPage:
    """Hold one page of a search."""

    records: list[Any]
    cursor: str | None
    """Cursor of the next page; None on the last page."""
    total: int | None
    """Number of records that the whole search matched then; a hint for sharding, and no stop condition."""
    is_full: bool = False
    """Whether the page has as many records as requested."""


def parse_page(stream: Stream, answer: dict[str, Any], requested: int = MAX_PAGE_SIZE) -> SearchPage:
    """Parse a validated response of a search that requested this number of records."""
    records = answer[stream.key]
    return SearchPage(
        records, responses.cursor(responses.next_page(answer)), _total(answer), is_full=len(records) >= requested
    )


def _total(answer: dict[str, Any]) -> int | None:
    """Return the total count if it is valid, else None."""
    total = answer.get("total_count")
    return min(total, _MAX_TOTAL) if type(total) is int and total >= 0 else None


def timestamp_of(record: Any, field: str) -> int | None:
    """Return a record's timestamp in UNIX seconds, or None if invalid, such as milliseconds."""
    return usable_timestamp(record.get(field)) if isinstance(record, dict) else None


def identity(record: Any) -> str | None:
    """Return a record's id, or None; records without an id are never deduplicated."""
    return record_id(record)


def is_sorted(seconds: Sequence[int], *, descending: bool) -> bool:
    """Tell whether times are in the requested order, except for a few that changed after they were indexed."""
    pairs = list(itertools.pairwise(seconds))
    inversions = sum(later > earlier if descending else later < earlier for earlier, later in pairs)
    return inversions <= max(4, len(pairs) // 4)


class PageSize:
    """Adapt the page size of a scan: halve it after a time-out or a response that is too large, then grow it slowly."""

    def __init__(self, max_size: int = MAX_PAGE_SIZE) -> None:
        self._max_size = max_size
        self._current = max_size
        self._successes = 0
        self._lock = threading.Lock()

    @property
    def current(self) -> int:
        """Return the number of records to request now."""
        with self._lock:
            return self._current

    def shrink(self) -> None:
        """Halve the page size after a time-out."""
        with self._lock:
            self._current = max(self._current // 2, min(_MIN_PAGE_SIZE, self._current))
            self._successes = 0

    def shrink_below(self, requested: int) -> bool:
        """Halve the page size after a response with this many records was too large; return False if it had one."""
        with self._lock:
            if requested > 1 and self._current >= requested:
                self._current = requested // 2
            self._successes = 0
            return requested > 1

    def grow(self) -> None:
        """Count a success; after enough of them double the page size."""
        with self._lock:
            self._successes += 1
            if self._successes >= _GROW_AFTER:
                self._successes = 0
                self._current = min(self._current * 2, self._max_size)
