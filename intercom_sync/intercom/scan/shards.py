"""The shards of a scan, from the oldest to the newest, and the scope of the scan.

A shard holds the records from its lower bound up to the next shard's. An ascending cursor reads it from its lower end
and, when a worker is free, a descending one from its upper end, until they meet.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from intercom_sync.intercom.scan.cursor import ShardCursor
from intercom_sync.intercom.streams import EPOCH_FLOOR, MAX_PAGE_SIZE, Field, Stream

MAX_TIME = 2**62
"""Upper bound of all times."""
_INDEX_LAG_SECONDS = 900
"""Age at which the search index is assumed to have a record's latest time."""


@dataclass(frozen=True)
class ScanScope:
    """Select the records of a stream whose `field` is in [floor, ceiling), in UNIX seconds."""

    stream: Stream
    field: Field
    now: int
    exact: bool
    """Whether splits may be finer than a day."""
    floor: int = 0
    ceiling: int = MAX_TIME
    after: int = EPOCH_FLOOR
    before: int | None = None
    downward: bool = False
    """Start at the newest record and descend."""

    @property
    def immutable(self) -> bool:
        """Return whether records keep their position during the scan, so that cursors can be deduplicated by time."""
        return self.field == "created_at"

    @property
    def index_lag_cutoff(self) -> int | None:
        """Return the time after which a record's position in the index may be older than the time it shows."""
        return None if self.immutable else self.now - _INDEX_LAG_SECONDS

    def has_base(self, cursor: ShardCursor) -> bool:
        """Return whether a cursor's search covers the whole scope, so that its total is that of the scan."""
        return cursor.after == self.after and cursor.before == self.before


@dataclass(eq=False)
class Shard:
    """Hold the cursors of the records from `lower_bound` up to the next shard's `lower_bound`."""

    lower_bound: int
    up: ShardCursor | None = None
    down: ShardCursor | None = None
    pending: bool = False
    """Whether `lower_bound` is a guess, until the first page of `up` arrives."""
    weight: float = 1.0
    """Estimated share of the records between two known boundaries."""
    nothing_above: int = MAX_TIME
    """Time from which on the shard is known to be empty."""
    misses: int = 0
    """Number of useless splits."""
    closed: bool = False
    """Whether a cursor of another shard delivered its records."""

    def cursors(self) -> Iterator[ShardCursor]:
        """Return the open cursors."""
        return (cursor for cursor in (self.up, self.down) if cursor is not None)

    @property
    def in_flight(self) -> int:
        """Return the number of calls in flight."""
        return sum(cursor.busy for cursor in self.cursors())

    @property
    def read(self) -> int:
        """Return the number of records delivered."""
        return sum(cursor.read for cursor in self.cursors())


class ShardList:
    """Hold the shards of one scan in order."""

    def __init__(self, scope: ScanScope, shards: list[Shard], first_name: int = 0) -> None:
        self.scope = scope
        self.shards = shards
        self._names = itertools.count(first_name)
        self.retired: list[ShardCursor] = []
        """Retired cursors, kept to deduplicate the records they delivered."""
        self.total: int | None = None
        """Number of records in scope, by the latest response that includes it."""

    def new_cursor(self, *, up: bool, after: int, before: int | None = None, start: int | None = None) -> ShardCursor:
        """Create a cursor with a unique name in this scan."""
        scope = self.scope
        return ShardCursor(
            str(next(self._names)), scope.stream, scope.field, up, after, before, start, scope.index_lag_cutoff
        )

    def cursors(self) -> Iterator[ShardCursor]:
        """Return all cursors, the retired ones included."""
        return itertools.chain(self.retired, *(shard.cursors() for shard in self.shards))

    def of(self, cursor: ShardCursor) -> Shard | None:
        """Return the shard of a cursor; None when the cursor is no longer needed."""
        return next((shard for shard in self.shards if shard.up is cursor or shard.down is cursor), None)

    def below(self, shard: Shard) -> Shard:
        """Return the next older shard."""
        return self.shards[self.shards.index(shard) - 1]

    def above(self, shard: Shard) -> Shard | None:
        """Return the next newer shard."""
        index = self.shards.index(shard) + 1
        return self.shards[index] if index < len(self.shards) else None

    def end(self, shard: Shard) -> int | None:
        """Return the upper end of a shard; None while it is a guess."""
        above = self.above(shard)
        if above is None:
            return self.scope.ceiling
        return None if above.pending else above.lower_bound

    def is_done(self, shard: Shard) -> bool:
        """Return whether every record of a shard was delivered."""
        if shard.pending or shard.closed:
            return shard.closed
        up, down, end = shard.up, shard.down, self.end(shard)
        if any(cursor.ended for cursor in shard.cursors()):
            return True
        up_position = None if up is None else up.position
        down_position = None if down is None else down.position
        if up_position is not None and end is not None and up_position >= end:
            return True
        if down_position is not None and down_position < shard.lower_bound:
            return True
        return up_position is not None and down_position is not None and up_position > down_position

    def open(self) -> list[Shard]:
        """Return the unfinished shards."""
        return [shard for shard in self.shards if not self.is_done(shard)]

    def remaining(self, shard: Shard) -> float | None:
        """Estimate how many records of a shard were not delivered yet; None while unknown."""
        index = self.shards.index(shard)
        first = next(i for i in range(index, -1, -1) if not self.shards[i].pending)
        last = next((i for i in range(index + 1, len(self.shards)) if not self.shards[i].pending), len(self.shards))
        from_first, from_last = self._count_from(first), self._count_from(last)
        if from_first is None or from_last is None:
            return None
        group = self.shards[first:last]
        return (from_first - from_last) * shard.weight / sum(each.weight for each in group) - shard.read

    def spare(self, shard: Shard) -> float | None:
        """Estimate the remaining records less those of the calls in flight."""
        remaining = self.remaining(shard)
        return None if remaining is None else remaining - MAX_PAGE_SIZE * shard.in_flight

    def _count_from(self, index: int) -> int | None:
        """Return the number of records from a shard's lower bound upwards."""
        if index == 0:
            return self.total
        if index == len(self.shards):
            return 0
        up = self.shards[index].up
        return None if up is None else up.total
