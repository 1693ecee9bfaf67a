"""One page of a search: its records, its next cursor, and the rules that a row of pages must keep.

How a page is asked for is in `queries`; what its end means for a read, in `walks`.
"""

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from intercom_sync.domain.parsing import record_id, usable_timestamp
from intercom_sync.intercom.http import responses
from intercom_sync.intercom.streams import MAX_PAGE_SIZE, Stream

_MIN_PAGE_SIZE = 10
_LARGEST_TOTAL = 2**31 - 1
_GROW_AFTER = 20


@dataclass(frozen=True)
class SearchPage:
    """What one search answered."""

    records: list[Any]
    cursor: str | None
    """Where the next page begins; None after the last."""
    total: int | None
    """How many records the whole search matched at that moment: good for sharing out work, never for stopping."""
    is_full: bool = False
    """As many records came as were asked for."""


def parse_page(stream: Stream, answer: dict[str, Any], asked: int = MAX_PAGE_SIZE) -> SearchPage:
    """Take a search's answer apart, which has the shape of one (`shapes`), after so many records were asked for."""
    records = answer[stream.key]
    return SearchPage(
        records, responses.cursor(responses.next_page(answer)), _total(answer), is_full=len(records) >= asked
    )


def _total(answer: dict[str, Any]) -> int | None:
    """Return a count that can be one, or None."""
    total = answer.get("total_count")
    return min(total, _LARGEST_TOTAL) if type(total) is int and total >= 0 else None


def timestamp_of(record: Any, field: str) -> int | None:
    """A record's time in epoch seconds, or None where it is not a usable one: milliseconds would look like the end."""
    return usable_timestamp(record.get(field)) if isinstance(record, dict) else None


def identity(record: Any) -> str | None:
    """A record's id, or None where it has no usable one: several such records are not the same."""
    return record_id(record)


def is_sorted(seconds: Sequence[int], *, descending: bool) -> bool:
    """Whether times come in the order asked for, but for a few that changed after the index was written."""
    pairs = list(itertools.pairwise(seconds))
    wrong = sum(later > earlier if descending else later < earlier for earlier, later in pairs)
    return wrong <= max(4, len(pairs) // 4)


class PageSize:
    """How many records the pages of one read hold: halved when Intercom is too slow or a page too large.

    They grow back slowly.
    """

    def __init__(self, most: int = MAX_PAGE_SIZE) -> None:
        self._most = most
        self._current = most
        self._good = 0
        self._lock = threading.Lock()

    @property
    def current(self) -> int:
        """Records to ask for now."""
        with self._lock:
            return self._current

    def shrink(self) -> None:
        """An answer took too long."""
        with self._lock:
            self._current = max(self._current // 2, min(_MIN_PAGE_SIZE, self._current))
            self._good = 0

    def shrink_below(self, asked: int) -> bool:
        """An answer with so many records was too large: ask for fewer, down to one; False when it had one."""
        with self._lock:
            if asked > 1 and self._current >= asked:
                self._current = asked // 2
            self._good = 0
            return asked > 1

    def grow(self) -> None:
        """An answer came in time, and whole."""
        with self._lock:
            self._good += 1
            if self._good >= _GROW_AFTER:
                self._good = 0
                self._current = min(self._current * 2, self._most)
