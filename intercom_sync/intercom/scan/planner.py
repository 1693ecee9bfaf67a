"""Who reads what next: a pure plan for many walks through one read, without threads or calls.

A cursor can only be followed one page after another, so a large read is cut into shards (`seams`), each read up from
its lower end and down from its upper end side by side. A cut's search also tells how many records lie above it, which
sizes the shards without a call of its own. No count ever decides where a read ends.
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

_MISSES = 3
"""Cuts of a shard that may find next to nothing before its records are taken to lie too close for cutting."""
_CUT_PAGES = 2.5
"""Pages that must be left of a shard for a cut, which costs about half a page, to be worth it."""
_WALKS = 2
"""Those that read a shard side by side."""
_UNEVEN = 0.6
"""Pages, one after another, by which a shard may outlast the others before it is cut."""
_TOUCHING = 2
"""Walks that meet without as many records in common do not know yet that they have met: the next page tells."""
_OVERLAP = 40
"""Records that a walk down from a guessed seam may read in vain."""

Step = Callable[[], ShardCursor]


class ScanPlanner:
    """The plan of one read. Not safe for threads: its owner locks.

    Args:
        scope: What it is a read of.
        resume: The marks of an earlier, unfinished one.
        known: Times that parted the stream into equal shares when it was read before; None when it never was.
    """

    def __init__(self, scope: ScanScope, resume: Sequence[Checkpoint] = (), known: Sequence[int] | None = None) -> None:
        self.scope = scope
        self.first_total: int | None = None
        self.first_page_slow = False
        """The first answer is slow: cut by guess rather than wait for it."""
        self._guesses = [] if resume else boundaries.initial_split_points(scope, known)
        self._retired = 0
        self._width = 1
        self._timeless: set[str] = set()
        self.line = ShardList(scope, [], 1 + max((int(mark["walk"]) for mark in resume), default=-1))
        if resume:
            self._go_on(resume)
        else:
            self.line.shards.append(self._first())

    @property
    def is_over(self) -> bool:
        """Whether every record was delivered."""
        return not self.line.open()

    @property
    def seen(self) -> int:
        """Records delivered, those before a resumption included."""
        return self._retired + sum(walk.read for walk in self.line.cursors())

    def can_take(self) -> bool:
        """Whether there is something to read for one more worker."""
        return self._next() is not None

    def next_task(self) -> ShardCursor | None:
        """The walk to make one call for, marked busy; None when there is nothing to do just now."""
        step = self._next()
        if step is None:
            return None
        walk = step()
        walk.busy = True
        self._width = max(self._width, sum(shard.in_flight for shard in self.line.shards))
        return walk

    def finish(self, walk: ShardCursor) -> None:
        """Say that the page of a walk was handed on, and the walk may go further."""
        walk.busy = False

    def accept(self, walk: ShardCursor, found: SearchPage) -> list[Any] | None:
        """Take in a page; what of it is to be delivered, None when the page turned out to be of no use."""
        is_whole = self.scope.has_base(walk)
        walk.advance(found)
        if is_whole and found.total is not None:
            self.line.total = found.total
            self.first_total = found.total if self.first_total is None else self.first_total
        shard = self.line.of(walk)
        if shard is None and walk not in self.line.passed:
            return None
        if shard is not None:
            if shard.pending and walk is shard.up and not boundaries.confirm(self.line, shard, walk, found):
                return None
            boundaries.resolve(self.line, shard)
        others = [each for each in self.line.cursors() if each is not walk and each.position is not None]
        kept = [record for record in found.records if self._is_due(record, others)]
        walk.read += len(kept)
        return kept

    # What to do next.

    def _next(self) -> Step | None:
        shards = self.line.open()
        for shard in shards:
            if shard.up is None and shard.down is None and self.line.end(shard) is not None:
                return partial(boundaries.open_down, self.line, shard)
        uneven = self._even_out(shards)
        if uneven is not None:
            return uneven
        ready = [(shard, walk) for shard in shards for walk in shard.cursors() if self._is_ready(shard, walk)]
        if ready:
            _, walk = max(ready, key=lambda pair: self._worth(pair[0]))
            return lambda: walk
        return self._share(shards)

    def _is_ready(self, shard: Shard, walk: ShardCursor) -> bool:
        if walk.busy or walk.ended:
            return False
        above = self.line.above(shard)
        if above is not None and above.pending and (walk.position or 0) >= above.lower_bound:
            return False
        if (
            walk is shard.down
            and shard.pending
            and (walk.position or MAX_TIME) <= shard.lower_bound + boundaries.granularity_margin(self.scope)
        ):
            return False
        spare = self.line.spare(shard)
        return not shard.in_flight or spare is None or spare > -_TOUCHING

    def _worth(self, shard: Shard) -> float:
        remaining = self.line.remaining(shard)
        return float(MAX_TIME) if remaining is None else remaining

    def _even_out(self, shards: Sequence[Shard]) -> Step | None:
        """Cut a shard that would outlast the others, while there is still enough of it to share."""
        if self.line.total is None:
            return None
        spares = [max(self.line.spare(shard) or 0.0, 0.0) for shard in shards]
        each = sum(spares) / self._width  # what every call under way has still to bring, if all bring as much
        for spare, index in sorted(((spare, index) for index, spare in enumerate(spares)), reverse=True):
            if spare / _WALKS < each + _UNEVEN * MAX_PAGE_SIZE:
                return None
            if self._is_sure(shards[index]) and shards[index].misses < _MISSES:
                parts = max(2, math.ceil(spare / _WALKS / max(each, MAX_PAGE_SIZE / 2) - 0.3))
                cut = self._cut(shards[index], (parts - parts // 2) / parts)
                if cut is not None:
                    return cut
        return None

    def _is_sure(self, shard: Shard) -> bool:
        """Whether neither end of a shard is a guess."""
        return not shard.pending and self.line.end(shard) is not None

    def _share(self, shards: Sequence[Shard]) -> Step | None:
        """Let one more walk help where most is left: from the other end, else from a cut in the middle."""
        if self.line.total is None:
            return self._guess(shards[0]) if shards and self.first_page_slow else None
        by_spare = sorted(((self.line.spare(shard) or 0, index) for index, shard in enumerate(shards)), reverse=True)
        for spare, index in by_spare:
            # The other end costs no page, a cut about half of one: prefer it wherever it helps nearly as much.
            shard = shards[index]
            if spare >= max(1, by_spare[0][0] / 3) and self._can_go_down(shard):
                return partial(boundaries.open_down, self.line, shard)
        for spare, index in by_spare:
            if spare >= _CUT_PAGES * MAX_PAGE_SIZE and shards[index].misses < _MISSES:
                cut = self._cut(shards[index], 0.5)
                if cut is not None:
                    return cut
        return None

    def _can_go_down(self, shard: Shard) -> bool:
        if shard.down is not None or shard.pending:
            return False
        return self.line.end(shard) is not None or (self.scope.immutable and self._is_thin(shard))

    def _is_thin(self, shard: Shard) -> bool:
        """Whether so few records lie near a shard's guessed end that overlapping with the next one costs little."""
        remaining, span = self.line.remaining(shard), boundaries.span(self.line, shard)
        return remaining is not None and span is not None and remaining * streams.DAY_MARGIN < _OVERLAP * span

    def _cut(self, shard: Shard, share: float) -> Step | None:
        at = boundaries.middle(self.line, shard, 1 - share)
        return None if at is None else partial(boundaries.split, self.line, shard, at, share)

    def _guess(self, bottom: Shard) -> Step | None:
        """Before anything is known: from the other end, then cuts at plausible ages, up and down from each."""
        if self.scope.downward or bottom is not self.line.shards[0]:
            return None
        for shard in self.line.shards:
            if shard.down is None:
                return partial(boundaries.open_down, self.line, shard)
        return partial(self._cut_at, self._guesses[0]) if self._guesses else None

    # Doing it.

    def _first(self) -> Shard:
        scope = self.scope
        walk = self.line.new_cursor(up=not scope.downward, after=scope.after, before=scope.before)
        return Shard(scope.floor, down=walk) if scope.downward else Shard(scope.floor, up=walk)

    def _cut_at(self, at: int) -> ShardCursor:
        self._guesses.remove(at)
        return boundaries.split(
            self.line, next(each for each in reversed(self.line.shards) if each.lower_bound < at), at
        )

    # What a page tells.

    def _is_due(self, record: Any, others: Sequence[ShardCursor]) -> bool:
        """Whether a record is of this read and not delivered by another walk."""
        at, name = timestamp_of(record, self.scope.field), identity(record)
        if at is None:
            return self._is_new(name)
        if not self.scope.floor <= at < self.scope.ceiling:
            return False
        # By what was delivered and not by whose shard it is in: then a record is either here or was there before.
        return not (self.scope.immutable and any(each.has_delivered(at, name) for each in others))

    def _is_new(self, name: str | None) -> bool:
        """Whether a record without a usable time was not delivered yet: it has no place in a shard."""
        if name is None or name in self._timeless:
            return name is None
        self._timeless.add(name)
        return True

    def _go_on(self, marks: Sequence[Checkpoint]) -> None:
        found = checkpoint.restore(self.scope, marks)
        self.line.shards, self.line.total, self._retired = found.shards, found.total, found.retired
        self.first_total = found.total
        for shard in self.line.open():
            if shard.up is None and not (self.scope.downward and shard is self.line.shards[0]):
                # Its first page was read but never landed: begin again a little below the seam, which is certain.
                at = max(self.scope.after, streams.lower_bound(self.scope.stream, shard.lower_bound))
                shard.up = self.line.new_cursor(up=True, after=at, before=self.scope.before, start=shard.lower_bound)
