"""A shard cursor: reads a stream's records in one direction, page by page, and its checkpoint."""

import dataclasses
from dataclasses import dataclass
from typing import Any, TypedDict

from intercom_sync.intercom import streams
from intercom_sync.intercom.errors import PaginationLoopError, TruncatedSearchError, UnexpectedOrderError
from intercom_sync.intercom.search_pages import SearchPage, identity, is_sorted, timestamp_of
from intercom_sync.intercom.streams import Field, Stream

_MAX_REJECTIONS = 3


class Checkpoint(TypedDict):
    """Hold the position of one shard cursor after a page, as JSON. The last one of each cursor is enough to resume.

    `walk` is the cursor's name. `start` is its first record's time (ascending) or its exclusive upper bound
    (descending, None without a bound), and `position` the time of its last record, in UNIX seconds. `read` counts the
    records delivered, and `found` those that the current search has returned.
    """

    walk: str
    up: bool
    after: int
    before: int | None
    start: int | None
    position: int | None
    cursor: str | None
    read: int
    found: int
    total: int | None
    ended: bool


@dataclass(eq=False)
class ShardCursor:
    """Read a stream in one direction, ascending or descending by time."""

    name: str
    stream: Stream
    field: Field
    ascending: bool
    after: int
    before: int | None = None
    start: int | None = None
    index_lag_cutoff: int | None = None
    """Ascending, later times do not move the position, because the index may still have an older time of the record."""
    position: int | None = None
    cursor: str | None = None
    total: int | None = None
    read: int = 0
    ended: bool = False
    busy: bool = False
    ids_at_position: set[str] = dataclasses.field(default_factory=set)
    """Ids read at exactly `position`, to deduplicate records where two cursors meet within one second."""
    first: int | None = None
    """Time of the first record read by this process."""
    span: int | None = None
    """Seconds that the last page covers, a measure of the density of records."""
    _cursors: set[str] = dataclasses.field(default_factory=set)
    _last_ids: list[str | None] = dataclasses.field(default_factory=list)
    _rejections: int = 0
    found: int = 0
    """Number of records that the current search has returned, needed or not."""
    _end_rechecked: bool = False

    def body(self) -> dict[str, Any]:
        """Return the search body of the next page."""
        return streams.search(
            self.field, descending=not self.ascending, after=self.after, before=self.before, cursor=self.cursor
        )

    def advance(self, found: SearchPage) -> None:
        """Move past the page just read.

        Raises:
            PaginationLoopError: the page or its next cursor was seen before.
            UnexpectedOrderError: the page is not sorted as requested.
            TruncatedSearchError: the search ended a second time at a full page, although it counts more records.
        """
        ids = [identity(record) for record in found.records]
        if any(ids) and ids == self._last_ids:  # pages without ids cannot be compared
            raise PaginationLoopError("page")
        if found.cursor is not None and found.cursor in self._cursors:
            raise PaginationLoopError("cursor")
        times = [(timestamp_of(record, self.field), name) for record, name in zip(found.records, ids, strict=True)]
        if not is_sorted([at for at, _ in times if at is not None], descending=not self.ascending):
            raise UnexpectedOrderError(self.field)
        self._last_ids = ids
        if found.cursor is not None:
            self._cursors.add(found.cursor)
        self.cursor, self.total, self.ended = found.cursor, found.total, found.cursor is None
        self.found += len(found.records)
        self._move([(at, name) for at, name in times if at is not None])
        if self.ended and self.total is not None and self.total > self.found:
            self._recheck_end(found)

    def restart_after_rejection(self) -> bool:
        """Restart from the last position after Intercom rejected the cursor; return False when that is impossible."""
        self._rejections += 1
        if self.cursor is None or self.position is None or self._rejections > _MAX_REJECTIONS:
            return False
        self._restart()
        return True

    def _recheck_end(self, found: SearchPage) -> None:
        """Search again from the last position before accepting an end that contradicts the search's own count.

        Counts may be slightly wrong, but a second end at a full page is an error.
        """
        if self._end_rechecked and found.is_full:
            raise TruncatedSearchError(self.found, found.total)
        if not self._end_rechecked:
            self._restart()
            self.ended, self._end_rechecked = False, True

    def _restart(self) -> None:
        """Start a new search at the last position, without a cursor."""
        if self.position is None:
            pass
        elif self.ascending:
            self.after = max(self.after, streams.lower_bound(self.stream, self.position))
        else:
            bound = streams.upper_bound(self.stream, self.position)
            self.before = bound if self.before is None else min(self.before, bound)
        self.cursor = None
        self.found = 0
        self._last_ids = []
        self._cursors.clear()

    def checkpoint(self) -> Checkpoint:
        """Return the current checkpoint."""
        return Checkpoint(
            walk=self.name,
            up=self.ascending,
            after=self.after,
            before=self.before,
            start=self.start,
            position=self.position,
            cursor=self.cursor,
            read=self.read,
            found=self.found,
            total=self.total,
            ended=self.ended,
        )

    def has_delivered(self, at: int, name: str | None) -> bool:
        """Return whether the cursor has passed a record with this time and id."""
        if self.position is None:
            return False
        if at == self.position:
            return name in self.ids_at_position
        if self.ascending:
            return (self.start or 0) <= at < self.position
        if self.first is not None:
            return self.position < at <= self.first
        return self.position < at and (self.start is None or at < self.start)

    def _move(self, times: list[tuple[int, str | None]]) -> None:
        if self.ascending and self.index_lag_cutoff is not None:
            times = [(at, name) for at, name in times if at <= self.index_lag_cutoff]
        if not times:
            return
        seconds = [at for at, _ in times]
        reached = max(seconds) if self.ascending else min(seconds)
        self.span = max(seconds) - min(seconds)
        if self.position is not None:
            further = max(reached, self.position) if self.ascending else min(reached, self.position)
            if further == self.position and reached != self.position:
                return  # a page read again after a rejected cursor
            reached = further
        if self.position is None:
            self.first = min(seconds) if self.ascending else max(seconds)
        if reached != self.position:
            self.ids_at_position = set()
            self._rejections, self._end_rechecked = 0, False
        self.position = reached
        self.ids_at_position |= {name for at, name in times if at == reached and name is not None}
