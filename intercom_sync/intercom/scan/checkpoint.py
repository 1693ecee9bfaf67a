"""The shards of a read as the marks of its walks left them, so that a killed read goes on where it was.

Only what was delivered in the order of its pages is trusted: a seam or a walk without a mark is taken as never read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from intercom_sync.intercom import streams
from intercom_sync.intercom.scan.cursor import Checkpoint, ShardCursor
from intercom_sync.intercom.scan.shards import MAX_TIME, ScanScope, Shard


@dataclass(frozen=True)
class Restored:
    """What is left of a read."""

    shards: list[Shard]
    total: int | None
    retired: int
    """Records delivered by walks that are over."""


def restore(scope: ScanScope, marks: Sequence[Checkpoint]) -> Restored:
    """The shards between the seams that the marks know, each with the walks that were in it."""
    walks = [_walk(scope, mark) for mark in {mark["walk"]: mark for mark in marks}.values()]
    ups = {scope.floor if walk.start is None else walk.start: walk for walk in walks if walk.ascending}
    downs = [walk for walk in walks if not walk.ascending]
    for walk in downs:
        walk.start = _seam(walk, walks)
    seams = {scope.floor, *ups, *(walk.start for walk in downs if walk.start is not None)}
    shards = [Shard(seam, up=ups.get(seam)) for seam in sorted(seams)]
    over = min((seam for seam, walk in ups.items() if walk.ended), default=MAX_TIME)
    for shard in shards:
        shard.closed = shard.lower_bound > over  # that walk went on to the end of the read
    for walk in sorted(downs, key=_reached):
        _place(scope, shards, walk)
    kept = {id(walk) for shard in shards for walk in shard.cursors()}
    total = next((walk.total for walk in walks if scope.has_base(walk) and walk.total is not None), None)
    return Restored(shards, total, sum(walk.read for walk in walks if id(walk) not in kept))


def _seam(down: ShardCursor, walks: Sequence[ShardCursor]) -> int | None:
    """Where a walk down began: at the first record above its bound, if it was marked before that one was known."""
    above = (walk for walk in walks if walk.ascending and streams.upper_bound(walk.stream, walk.after) == down.before)
    return next((walk.start for walk in above), down.start)


def _place(scope: ScanScope, shards: list[Shard], walk: ShardCursor) -> None:
    """Close the shards a downward walk has gone through, and put it into the one it is in, if no other is further."""
    top, reached = MAX_TIME if walk.start is None else walk.start, _reached(walk)
    spans = list(zip(shards, [*(shard.lower_bound for shard in shards[1:]), scope.ceiling], strict=True))
    for shard, end in spans:
        shard.closed = shard.closed or (end <= top and shard.lower_bound > reached)
    below = [(shard, end) for shard, end in spans if shard.lower_bound < top and shard.lower_bound <= reached]
    here = next((shard for shard, end in below if reached < end or end == top or shard is shards[-1]), None)
    if here is not None and here.down is None:
        here.down = walk


def _reached(down: ShardCursor) -> int:
    """The time down to which a walk delivered everything."""
    return -1 if down.ended else MAX_TIME if down.position is None else down.position


def _walk(scope: ScanScope, mark: Checkpoint) -> ShardCursor:
    return ShardCursor(
        mark["walk"],
        scope.stream,
        scope.field,
        mark["up"],
        mark["after"],
        mark["before"],
        mark["start"],
        scope.index_lag_cutoff,
        position=mark["position"],
        cursor=mark["cursor"],
        total=mark["total"],
        read=mark["read"],
        found=mark["found"],
        ended=mark["ended"],
    )
