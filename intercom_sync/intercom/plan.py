"""Who reads what next: a pure plan for many walks through one read, without threads or calls.

A cursor can only be followed one page after another, so a large read is cut into shards that are read side by side. A
cut is a search with a lower bound only, and the seam is put at its first record: whatever the bound was read as (a
second, or a day in some zone), no record lies between bound and first record, so the shard below may stop there:
nothing is lost, and nothing read twice but the rest of a page. Such a search also tells how many records lie above it,
which sizes the shards without a call of its own. No count ever decides where a read ends.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from intercom_sync.intercom import cuts, queries, resuming
from intercom_sync.intercom.pages import Found, identity, second
from intercom_sync.intercom.queries import MAX_PER_PAGE
from intercom_sync.intercom.shards import TOP, Line, Scope, Shard
from intercom_sync.intercom.walks import Mark, Walk

_MISSES = 3
"""Cuts of a shard that may find next to nothing before its records are taken to lie too close for cutting."""
_WORTH_A_CUT = 50
_CUT_PAGES = 2.5
"""Pages that must be left of a shard for a cut, which costs about half a page, to be worth it."""

Step = Callable[[], Walk]


class Plan:
    """The plan of one read. Not safe for threads: its owner locks."""

    def __init__(self, scope: Scope, resume: Sequence[Mark] = ()) -> None:
        self.scope = scope
        self.first_total: int | None = None
        self.impatient = False
        """The first answer is slow: cut by guess rather than wait for it."""
        self._names = 1 + max((int(mark["walk"]) for mark in resume), default=-1)
        self._guesses = [] if resume else list(cuts.AGES)
        self._retired = 0
        self._timeless: set[str] = set()
        self.line = Line(scope, [])
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
        return self._retired + sum(shard.read for shard in self.line.shards)

    def can_take(self) -> bool:
        """Whether there is something to read for one more worker."""
        return self._next() is not None

    def take(self) -> Walk | None:
        """The walk to make one call for, marked busy; None when there is nothing to do just now."""
        step = self._next()
        if step is None:
            return None
        walk = step()
        walk.busy = True
        return walk

    def release(self, walk: Walk) -> None:
        """Say that the page of a walk was handed on, and the walk may go further."""
        walk.busy = False

    def give(self, walk: Walk, found: Found) -> list[Any] | None:
        """Take in a page; what of it is to be delivered, None when the page turned out to be of no use."""
        walk.advance(found)
        if self.scope.has_base(walk) and found.total is not None:
            self.line.total = found.total
            self.first_total = found.total if self.first_total is None else self.first_total
        shard = self.line.of(walk)
        if shard is None:
            return None
        if shard.pending and walk is shard.up and not self._confirm(shard, walk, found):
            return None
        kept = [record for record in found.records if self._is_due(record, walk)]
        walk.read += len(kept)
        return kept

    # What to do next.

    def _next(self) -> Step | None:
        shards = self.line.open()
        for shard in shards:
            if shard.up is None and shard.down is None and self.line.end(shard) is not None:
                return partial(self._open_down, shard)
        ready = [(shard, walk) for shard in shards for walk in shard.walks() if self._is_ready(shard, walk)]
        if ready:
            _, walk = max(ready, key=lambda pair: self._worth(pair[0]))
            return lambda: walk
        return self._share(shards)

    def _is_ready(self, shard: Shard, walk: Walk) -> bool:
        if walk.busy:
            return False
        above = self.line.above(shard)
        if walk is shard.up and above is not None and above.pending and (walk.position or 0) >= above.lo:
            return False
        if walk is shard.down and shard.pending and (walk.position or TOP) <= shard.lo + cuts.slack(self.scope):
            return False
        spare = self.line.spare(shard)
        return not shard.in_flight or spare is None or spare > 0

    def _worth(self, shard: Shard) -> float:
        remaining = self.line.remaining(shard)
        return float(TOP) if remaining is None else remaining

    def _share(self, shards: Sequence[Shard]) -> Step | None:
        """Let one more walk help where most is left: from the other end, else from a cut in the middle."""
        if self.line.total is None:
            return self._guess(shards[0]) if shards and self.impatient else None
        by_spare = sorted(((self.line.spare(shard) or 0, index) for index, shard in enumerate(shards)), reverse=True)
        for spare, index in by_spare:
            # The other end costs no page, a cut about half of one: prefer it wherever it helps nearly as much.
            shard = shards[index]
            if spare >= max(1, by_spare[0][0] / 3) and self._can_go_down(shard):
                return partial(self._open_down, shard)
        for spare, index in by_spare:
            at = cuts.middle(self.line, shards[index])
            if spare >= _CUT_PAGES * MAX_PER_PAGE and shards[index].misses < _MISSES and at is not None:
                return partial(self._cut, shards[index], at)
        return None

    def _can_go_down(self, shard: Shard) -> bool:
        return shard.down is None and not shard.pending and self.line.end(shard) is not None

    def _guess(self, bottom: Shard) -> Step | None:
        """Before anything is known: from the other end, then cuts at plausible ages."""
        if self.scope.downward or bottom is not self.line.shards[0]:
            return None
        top = self.line.shards[-1]
        if top is bottom and top.down is None:
            return partial(self._open_down, top)
        if not self._guesses:
            return None
        return partial(self._cut_at_age, self._guesses[0])

    # Doing it.

    def _walk(self, *, up: bool, after: int, before: int | None = None, start: int | None = None) -> Walk:
        name, self._names = str(self._names), self._names + 1
        scope = self.scope
        return Walk(name, scope.stream, scope.field, up, after, before, start, resuming.horizon(scope))

    def _first(self) -> Shard:
        scope = self.scope
        walk = self._walk(up=not scope.downward, after=scope.after, before=scope.before)
        return Shard(scope.floor, down=walk) if scope.downward else Shard(scope.floor, up=walk)

    def _open_down(self, shard: Shard) -> Walk:
        above = self.line.above(shard)
        before = self.scope.before if above is None else above.lo
        shard.down = self._walk(
            up=False, after=self.scope.after, before=before, start=None if above is None else above.lo
        )
        return shard.down

    def _cut(self, shard: Shard, at: int, share: float = 0.5) -> Walk:
        walk = self._walk(
            up=True, after=max(at - cuts.slack(self.scope) // 2, self.scope.after), before=self.scope.before
        )
        upper = Shard(at, walk, shard.down, pending=True, weight=shard.weight * share)
        upper.nothing_above, upper.misses = shard.nothing_above, shard.misses
        shard.down, shard.weight = None, shard.weight * (1 - share)
        self.line.shards.insert(self.line.shards.index(shard) + 1, upper)
        return walk

    def _cut_at_age(self, days: int) -> Walk:
        self._guesses.remove(days)
        at = self.scope.now - days * 86_400
        shard = next(each for each in reversed(self.line.shards) if each.lo < at)
        return self._cut(shard, at)

    # What a page tells.

    def _confirm(self, shard: Shard, walk: Walk, found: Found) -> bool:
        """Put the seam of a cut at its first record; False when nothing above it is still to be read."""
        times = [at for record in found.records if (at := second(record, self.scope.field)) is not None]
        below, end = self.line.below(shard), self.line.end(shard)
        seam = min(times, default=TOP)
        sunk = TOP if shard.down is None or shard.down.position is None else shard.down.position
        if seam <= sunk:
            below.nothing_above = min(below.nothing_above, walk.after + cuts.slack(self.scope) + 1)
        if seam >= (TOP if end is None else end) or seam > sunk:
            below.down, below.weight, below.misses = (
                shard.down,
                below.weight + shard.weight,
                max(below.misses, shard.misses) + 1,
            )
            self.line.shards.remove(shard)
            return False
        shard.pending, shard.lo, walk.start = False, seam, seam
        if len(times) < _WORTH_A_CUT and walk.ended:
            below.misses = max(below.misses, shard.misses) + 1
        return True

    def _is_due(self, record: Any, walk: Walk) -> bool:
        """Whether a record is of this read and not delivered by another walk."""
        at = second(record, self.scope.field)
        if at is None:
            return self._is_new(identity(record))
        if not self.scope.floor <= at < self.scope.ceiling:
            return False
        if not self.scope.immutable:
            return True
        # By what was delivered and not by whose shard it is in: then a record is either here or was there before.
        others = (each for every in self.line.shards for each in every.walks() if each is not walk)
        return not any(each.has_delivered(at, identity(record)) for each in others)

    def _is_new(self, name: str | None) -> bool:
        """Whether a record without a usable time was not delivered yet: it has no place in a shard."""
        if name is None or name in self._timeless:
            return name is None
        self._timeless.add(name)
        return True

    def _go_on(self, marks: Sequence[Mark]) -> None:
        found = resuming.restore(self.scope, marks)
        self.line.shards, self.line.total, self._retired = found.shards, found.total, found.retired
        self.first_total = found.total
        for shard in self.line.open():
            if shard.up is None and not (self.scope.downward and shard is self.line.shards[0]):
                # Its first page was read but never landed: begin again a little below the seam, which is certain.
                at = max(self.scope.after, queries.lower_bound(self.scope.stream, shard.lo))
                shard.up = self._walk(up=True, after=at, before=self.scope.before, start=shard.lo)
