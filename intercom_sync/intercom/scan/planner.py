"""Plan a sharded scan: which cursor reads the next page. Without threads or calls.

A cursor is sequential, so a large scan is split into shards, each read by an ascending and a descending cursor in
parallel. The first page of a split also returns how many records are above it, which estimates the shard sizes without
extra calls. Counts never decide where a scan ends.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from intercom_sync.intercom import streams
from intercom_sync.intercom.scan import boundaries, checkpoint
from intercom_sync.intercom.scan.cursor import Checkpoint, ShardCursor
from intercom_sync.intercom.scan.shards import MAX_TIME, ScanScope, Shard, ShardList
from intercom_sync.intercom.search_pages import SearchPage, identity, timestamp_of
from intercom_sync.intercom.streams import MAX_PAGE_SIZE

_MAX_SPLIT_MISSES = 3
"""Useless splits of a shard after which its records count as too dense to split."""
_MIN_SPLIT_PAGES = 2.5
"""Remaining pages that justify a split, which costs about half a page."""
_CURSORS_PER_SHARD = 2
"""An ascending and a descending one."""
_MAX_LAG_PAGES = 0.6
"""Sequential pages by which a shard may take longer than the others before it is split."""
_MEETING_MARGIN = 2
"""Cursors that meet with fewer common records learn it from the next page only."""
_MAX_OVERLAP_RECORDS = 40
"""Records that a descending cursor from a guessed boundary may read twice."""

Step = Callable[[], ShardCursor]


class ScanPlanner:
    """Plan one scan. Not thread-safe: the owner locks.

    Args:
        scope: The scope of the scan.
        resume: Checkpoints of an unfinished scan.
        quantiles: Quantiles of the record times in the last scan; None without one.
    """

    def __init__(
        self, scope: ScanScope, resume: Sequence[Checkpoint] = (), quantiles: Sequence[int] | None = None
    ) -> None:
        self.scope = scope
        self.first_total: int | None = None
        self.first_page_slow = False
        """The first page is slow, so split at guessed times instead of waiting for it."""
        self._split_points = [] if resume else boundaries.initial_split_points(scope, quantiles)
        self._retired = 0
        self._max_in_flight = 1
        self._ids_without_time: set[str] = set()
        self.shard_list = ShardList(scope, [], 1 + max((int(saved["walk"]) for saved in resume), default=-1))
        if resume:
            self._resume(resume)
        else:
            self.shard_list.shards.append(self._first_shard())

    @property
    def is_over(self) -> bool:
        """Return whether every record was delivered."""
        return not self.shard_list.open()

    @property
    def seen(self) -> int:
        """Return the number of records delivered, also before a resumption."""
        return self._retired + sum(cursor.read for cursor in self.shard_list.cursors())

    def can_take(self) -> bool:
        """Return whether there is a page to read for another worker."""
        return self._next() is not None

    def next_task(self) -> ShardCursor | None:
        """Return the cursor whose next page to fetch, marked busy; None when there is nothing to do now."""
        step = self._next()
        if step is None:
            return None
        cursor = step()
        cursor.busy = True
        self._max_in_flight = max(self._max_in_flight, sum(shard.in_flight for shard in self.shard_list.shards))
        return cursor

    def finish(self, cursor: ShardCursor) -> None:
        """Release a cursor after its page was delivered."""
        cursor.busy = False

    def accept(self, cursor: ShardCursor, found: SearchPage) -> list[Any] | None:
        """Accept a page; return the records to deliver, or None when the page is useless."""
        covers_scope = self.scope.has_base(cursor)
        cursor.advance(found)
        if covers_scope and found.total is not None:
            self.shard_list.total = found.total
            self.first_total = found.total if self.first_total is None else self.first_total
        shard = self.shard_list.of(cursor)
        if shard is None and cursor not in self.shard_list.retired:
            return None
        if shard is not None:
            if shard.pending and cursor is shard.up and not boundaries.confirm(self.shard_list, shard, cursor, found):
                return None
            boundaries.resolve(self.shard_list, shard)
        others = [other for other in self.shard_list.cursors() if other is not cursor and other.position is not None]
        kept = [record for record in found.records if self._must_deliver(record, others)]
        cursor.read += len(kept)
        return kept

    # Choose the next step.

    def _next(self) -> Step | None:
        shards = self.shard_list.open()
        for shard in shards:
            if shard.up is None and shard.down is None and self.shard_list.end(shard) is not None:
                return partial(boundaries.open_down, self.shard_list, shard)
        uneven = self._rebalance(shards)
        if uneven is not None:
            return uneven
        ready = [(shard, cursor) for shard in shards for cursor in shard.cursors() if self._is_ready(shard, cursor)]
        if ready:
            _, cursor = max(ready, key=lambda pair: self._priority(pair[0]))
            return lambda: cursor
        return self._add_cursor(shards)

    def _is_ready(self, shard: Shard, cursor: ShardCursor) -> bool:
        if cursor.busy or cursor.ended:
            return False
        above = self.shard_list.above(shard)
        if above is not None and above.pending and (cursor.position or 0) >= above.lower_bound:
            return False
        if (
            cursor is shard.down
            and shard.pending
            and (cursor.position or MAX_TIME) <= shard.lower_bound + boundaries.granularity_margin(self.scope)
        ):
            return False
        spare = self.shard_list.spare(shard)
        return not shard.in_flight or spare is None or spare > -_MEETING_MARGIN

    def _priority(self, shard: Shard) -> float:
        remaining = self.shard_list.remaining(shard)
        return float(MAX_TIME) if remaining is None else remaining

    def _rebalance(self, shards: Sequence[Shard]) -> Step | None:
        """Split a shard that would take longer than the others, while enough of it is left."""
        if self.shard_list.total is None:
            return None
        spares = [max(self.shard_list.spare(shard) or 0.0, 0.0) for shard in shards]
        average = sum(spares) / self._max_in_flight  # what each concurrent call must still fetch, if all fetch the same
        for spare, index in sorted(((spare, index) for index, spare in enumerate(spares)), reverse=True):
            if spare / _CURSORS_PER_SHARD < average + _MAX_LAG_PAGES * MAX_PAGE_SIZE:
                return None
            if self._has_known_bounds(shards[index]) and shards[index].misses < _MAX_SPLIT_MISSES:
                parts = max(2, math.ceil(spare / _CURSORS_PER_SHARD / max(average, MAX_PAGE_SIZE / 2) - 0.3))
                split = self._split(shards[index], (parts - parts // 2) / parts)
                if split is not None:
                    return split
        return None

    def _has_known_bounds(self, shard: Shard) -> bool:
        """Return whether both bounds of a shard are known."""
        return not shard.pending and self.shard_list.end(shard) is not None

    def _add_cursor(self, shards: Sequence[Shard]) -> Step | None:
        """Add a cursor where most is left: descending from the upper end, else by a split in the middle."""
        if self.shard_list.total is None:
            return self._start_early(shards[0]) if shards and self.first_page_slow else None
        by_spare = sorted(
            ((self.shard_list.spare(shard) or 0, index) for index, shard in enumerate(shards)), reverse=True
        )
        for spare, index in by_spare:
            # A descending cursor costs no page and a split about half of one, so it is preferred if nearly as useful.
            shard = shards[index]
            if spare >= max(1, by_spare[0][0] / 3) and self._can_descend(shard):
                return partial(boundaries.open_down, self.shard_list, shard)
        for spare, index in by_spare:
            if spare >= _MIN_SPLIT_PAGES * MAX_PAGE_SIZE and shards[index].misses < _MAX_SPLIT_MISSES:
                split = self._split(shards[index], 0.5)
                if split is not None:
                    return split
        return None

    def _can_descend(self, shard: Shard) -> bool:
        if shard.down is not None or shard.pending:
            return False
        return self.shard_list.end(shard) is not None or (self.scope.immutable and self._is_sparse(shard))

    def _is_sparse(self, shard: Shard) -> bool:
        """Return whether a shard is so sparse that reading beyond its guessed end costs little."""
        remaining, span = self.shard_list.remaining(shard), boundaries.span(self.shard_list, shard)
        return (
            remaining is not None and span is not None and remaining * streams.DAY_MARGIN < _MAX_OVERLAP_RECORDS * span
        )

    def _split(self, shard: Shard, share: float) -> Step | None:
        at = boundaries.middle(self.shard_list, shard, 1 - share)
        return None if at is None else partial(boundaries.split, self.shard_list, shard, at, share)

    def _start_early(self, bottom: Shard) -> Step | None:
        """Start before any count is known: descending cursors first, then splits at the initial split points."""
        if self.scope.downward or bottom is not self.shard_list.shards[0]:
            return None
        for shard in self.shard_list.shards:
            if shard.down is None:
                return partial(boundaries.open_down, self.shard_list, shard)
        return partial(self._split_at, self._split_points[0]) if self._split_points else None

    # Carry out a step.

    def _first_shard(self) -> Shard:
        scope = self.scope
        cursor = self.shard_list.new_cursor(up=not scope.downward, after=scope.after, before=scope.before)
        return Shard(scope.floor, down=cursor) if scope.downward else Shard(scope.floor, up=cursor)

    def _split_at(self, at: int) -> ShardCursor:
        self._split_points.remove(at)
        return boundaries.split(
            self.shard_list, next(shard for shard in reversed(self.shard_list.shards) if shard.lower_bound < at), at
        )

    # Evaluate a page.

    def _must_deliver(self, record: Any, others: Sequence[ShardCursor]) -> bool:
        """Return whether a record is in scope and was not delivered by another cursor."""
        at, name = timestamp_of(record, self.scope.field), identity(record)
        if at is None:
            return self._is_new(name)
        if not self.scope.floor <= at < self.scope.ceiling:
            return False
        # Deduplicate by what other cursors delivered, not by shard, because shards change during the scan.
        return not (self.scope.immutable and any(other.has_delivered(at, name) for other in others))

    def _is_new(self, name: str | None) -> bool:
        """Deduplicate a record without a valid time by its id, because it belongs to no shard."""
        if name is None or name in self._ids_without_time:
            return name is None
        self._ids_without_time.add(name)
        return True

    def _resume(self, checkpoints: Sequence[Checkpoint]) -> None:
        found = checkpoint.restore(self.scope, checkpoints)
        self.shard_list.shards, self.shard_list.total, self._retired = found.shards, found.total, found.retired
        self.first_total = found.total
        for shard in self.shard_list.open():
            if shard.up is None and not (self.scope.downward and shard is self.shard_list.shards[0]):
                # Its first page was never landed: restart slightly below the boundary, which is certain.
                at = max(self.scope.after, streams.lower_bound(self.scope.stream, shard.lower_bound))
                shard.up = self.shard_list.new_cursor(
                    up=True, after=at, before=self.scope.before, start=shard.lower_bound
                )
