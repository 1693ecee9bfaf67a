"""A walk: one cursor going through a stream's records in one direction, and what it may conclude on the way.

How many walks share a read, and which way each goes, is decided in `shards`.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, TypedDict

from intercom_sync.intercom import streams
from intercom_sync.intercom.errors import PaginationLoopError, TruncatedSearchError, UnexpectedOrderError
from intercom_sync.intercom.search_pages import SearchPage, identity, is_sorted, timestamp_of
from intercom_sync.intercom.streams import Field, Stream

_REFUSALS = 3


class Checkpoint(TypedDict):
    """How far one walk had come with one page: plain JSON, the last one of each `walk` is enough to go on from.

    `start` is where the walk began (upwards: its first record's time; downwards: the bound it lies below, None for the
    top), `position` the time of its last record, both in epoch seconds; `read` the records delivered so far, `found`
    those that its present search has given.
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
    """One cursor's way up or down the times of a stream."""

    name: str
    stream: Stream
    field: Field
    ascending: bool
    after: int
    before: int | None = None
    start: int | None = None
    index_lag_cutoff: int | None = None
    """Upwards, times beyond it say nothing of the position: the index still holds an older time of that record."""
    position: int | None = None
    cursor: str | None = None
    total: int | None = None
    read: int = 0
    ended: bool = False
    busy: bool = False
    ids_at_position: set[str] = dataclasses.field(default_factory=set)
    """The ids seen at exactly `position`: where walks meet within one second, these are not delivered twice."""
    first: int | None = None
    """The time of the first record this process saw of it."""
    span: int | None = None
    """Seconds that the last page covered: how dense the records lie here."""
    _cursors: set[str] = dataclasses.field(default_factory=set)
    _last_ids: list[str | None] = dataclasses.field(default_factory=list)
    _refusals: int = 0
    found: int = 0
    """Records that the present search has given, wanted or not."""
    _doubted: bool = False

    def body(self) -> dict[str, Any]:
        """The search for this walk's next page."""
        return streams.search(
            self.field, descending=not self.ascending, after=self.after, before=self.before, cursor=self.cursor
        )

    def advance(self, found: SearchPage) -> None:
        """Take in the page just read.

        Raises:
            CursorRepeated: the page, or the cursor after it, is one this walk has seen.
            OutOfOrder: the page is not sorted as asked.
            TruncatedSearchError: a full page is said to be the last one, again and against the search's own count.
        """
        ids = [identity(record) for record in found.records]
        if any(ids) and ids == self._last_ids:  # pages of records without an id say nothing
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
            self._doubt(found)

    def refused(self) -> bool:
        """Go on without a cursor that Intercom no longer takes, from the last position; False when that cannot be."""
        self._refusals += 1
        if self.cursor is None or self.position is None or self._refusals > _REFUSALS:
            return False
        self._begin_again()
        return True

    def _doubt(self, found: SearchPage) -> None:
        """Ask once more from the last position before an end is believed that the search's own count contradicts.

        Counts may be a little off, but a full page that nothing follows is then no end.
        """
        if self._doubted and found.is_full:
            raise TruncatedSearchError(self.found, found.total)
        if not self._doubted:
            self._begin_again()
            self.ended, self._doubted = False, True

    def _begin_again(self) -> None:
        """Search anew from the last position, without a cursor."""
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
        """How far this walk has come."""
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
        """Whether a record of that time and id lies on the way this walk has come."""
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
                return  # a page read again after a refused cursor
            reached = further
        if self.position is None:
            self.first = min(seconds) if self.ascending else max(seconds)
        if reached != self.position:
            self.ids_at_position = set()
            self._refusals, self._doubted = 0, False
        self.position = reached
        self.ids_at_position |= {name for at, name in times if at == reached and name is not None}
