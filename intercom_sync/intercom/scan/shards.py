"""The shards that a read is cut into, from the oldest to the newest, and what is known of each.

A shard holds the records from its own lower end up to the next one's. It is read by a walk up from its lower end and,
when there is time, by one down from its upper end; they meet in between. What to do next is decided in `plan`.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from intercom_sync.intercom.scan.cursor import ShardCursor
from intercom_sync.intercom.streams import EPOCH_FLOOR, MAX_PAGE_SIZE, Field, Stream

MAX_TIME = 2**62
"""A time above all others."""
_INDEX_LAG = 900
"""Seconds after which the search index is taken to show a record's latest time."""


@dataclass(frozen=True)
class ScanScope:
    """What a read is of: the records of a stream whose `field` lies in [floor, ceiling), by epoch seconds."""

    stream: Stream
    field: Field
    now: int
    exact: bool
    """Whether cuts may be finer than a day."""
    floor: int = 0
    ceiling: int = MAX_TIME
    after: int = EPOCH_FLOOR
    before: int | None = None
    downward: bool = False
    """Begin at the newest record and go down, rather than at the oldest."""

    @property
    def immutable(self) -> bool:
        """Whether a record keeps its place while it is read, so that what one walk delivered another may leave out."""
        return self.field == "created_at"

    @property
    def index_lag_cutoff(self) -> int | None:
        """The time beyond which a record's place in the index may lag behind the time it shows."""
        return None if self.immutable else self.now - _INDEX_LAG

    def has_base(self, walk: ShardCursor) -> bool:
        """Whether a walk's search matches the whole read, so that its total is the read's."""
        return walk.after == self.after and walk.before == self.before


@dataclass(eq=False)
class Shard:
    """The records from `lower_bound` up to the next shard's `lower_bound`."""

    lower_bound: int
    up: ShardCursor | None = None
    down: ShardCursor | None = None
    pending: bool = False
    """`lower_bound` is a guess: the first page of `up` is on its way."""
    weight: float = 1.0
    """The part it is thought to hold of what lies between two known seams."""
    nothing_above: int = MAX_TIME
    """A time from which on this shard is known to hold nothing."""
    misses: int = 0
    """Cuts that found nothing to share."""
    closed: bool = False
    """Delivered by a walk that has gone on into another shard."""

    def cursors(self) -> Iterator[ShardCursor]:
        """Those there are."""
        return (walk for walk in (self.up, self.down) if walk is not None)

    @property
    def in_flight(self) -> int:
        """Calls under way."""
        return sum(walk.busy for walk in self.cursors())

    @property
    def read(self) -> int:
        """Records delivered."""
        return sum(walk.read for walk in self.cursors())


class ShardList:
    """The shards of one read in order."""

    def __init__(self, scope: ScanScope, shards: list[Shard], first_name: int = 0) -> None:
        self.scope = scope
        self.shards = shards
        self._names = itertools.count(first_name)
        self.passed: list[ShardCursor] = []
        """Walks that go no further, for what they delivered."""
        self.total: int | None = None
        """How many records the whole read matches, as of the latest answer that says so."""

    def new_cursor(self, *, up: bool, after: int, before: int | None = None, start: int | None = None) -> ShardCursor:
        """A new walk, with a name that no other of this read has."""
        scope = self.scope
        return ShardCursor(
            str(next(self._names)), scope.stream, scope.field, up, after, before, start, scope.index_lag_cutoff
        )

    def cursors(self) -> Iterator[ShardCursor]:
        """All that delivered something, or will."""
        return itertools.chain(self.passed, *(shard.cursors() for shard in self.shards))

    def of(self, walk: ShardCursor) -> Shard | None:
        """The shard a walk works for; None when it is no longer needed."""
        return next((shard for shard in self.shards if shard.up is walk or shard.down is walk), None)

    def below(self, shard: Shard) -> Shard:
        """The next older shard."""
        return self.shards[self.shards.index(shard) - 1]

    def above(self, shard: Shard) -> Shard | None:
        """The next newer shard."""
        index = self.shards.index(shard) + 1
        return self.shards[index] if index < len(self.shards) else None

    def end(self, shard: Shard) -> int | None:
        """Where a shard ends, None as long as that is only guessed."""
        above = self.above(shard)
        if above is None:
            return self.scope.ceiling
        return None if above.pending else above.lower_bound

    def is_done(self, shard: Shard) -> bool:
        """Whether every record of a shard was delivered."""
        if shard.pending or shard.closed:
            return shard.closed
        up, down, end = shard.up, shard.down, self.end(shard)
        if any(walk.ended for walk in shard.cursors()):
            return True
        risen = None if up is None else up.position
        sunk = None if down is None else down.position
        if risen is not None and end is not None and risen >= end:
            return True
        if sunk is not None and sunk < shard.lower_bound:
            return True
        return risen is not None and sunk is not None and risen > sunk

    def open(self) -> list[Shard]:
        """The shards still to be read."""
        return [shard for shard in self.shards if not self.is_done(shard)]

    def remaining(self, shard: Shard) -> float | None:
        """About how many records of a shard were not delivered yet; None while nothing is known."""
        index = self.shards.index(shard)
        first = next(i for i in range(index, -1, -1) if not self.shards[i].pending)
        last = next((i for i in range(index + 1, len(self.shards)) if not self.shards[i].pending), len(self.shards))
        here, there = self._from(first), self._from(last)
        if here is None or there is None:
            return None
        group = self.shards[first:last]
        return (here - there) * shard.weight / sum(each.weight for each in group) - shard.read

    def spare(self, shard: Shard) -> float | None:
        """The remaining records less those that calls under way will bring."""
        remaining = self.remaining(shard)
        return None if remaining is None else remaining - MAX_PAGE_SIZE * shard.in_flight

    def _from(self, index: int) -> int | None:
        """How many records the read has from a shard's lower end upwards."""
        if index == 0:
            return self.total
        if index == len(self.shards):
            return 0
        up = self.shards[index].up
        return None if up is None else up.total
