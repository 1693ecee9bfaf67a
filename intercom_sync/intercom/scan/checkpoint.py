"""Restore the shards of a scan from its checkpoints, so that a later run resumes a dead one.

Only checkpoints count: a boundary or a cursor without one is treated as never read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from intercom_sync.intercom import streams
from intercom_sync.intercom.scan.cursor import Checkpoint, ShardCursor
from intercom_sync.intercom.scan.shards import MAX_TIME, ScanScope, Shard


@dataclass(frozen=True)
class Restored:
    """Hold the restored state of a scan."""

    shards: list[Shard]
    total: int | None
    retired: int
    """Number of records that finished cursors delivered."""


def restore(scope: ScanScope, checkpoints: Sequence[Checkpoint]) -> Restored:
    """Return the shards between the boundaries in the checkpoints, each with its cursors."""
    cursors = [
        _shard_cursor(scope, checkpoint)
        for checkpoint in {checkpoint["walk"]: checkpoint for checkpoint in checkpoints}.values()
    ]
    ups = {scope.floor if cursor.start is None else cursor.start: cursor for cursor in cursors if cursor.ascending}
    downs = [cursor for cursor in cursors if not cursor.ascending]
    for cursor in downs:
        cursor.start = _start_of(cursor, cursors)
    boundaries = {scope.floor, *ups, *(cursor.start for cursor in downs if cursor.start is not None)}
    shards = [Shard(boundary, up=ups.get(boundary)) for boundary in sorted(boundaries)]
    ended_at = min((boundary for boundary, cursor in ups.items() if cursor.ended), default=MAX_TIME)
    for shard in shards:
        shard.closed = shard.lower_bound > ended_at  # that cursor continued to the end of the scan
    for cursor in sorted(downs, key=_reached):
        _place(scope, shards, cursor)
    kept = {id(cursor) for shard in shards for cursor in shard.cursors()}
    total = next((cursor.total for cursor in cursors if scope.has_base(cursor) and cursor.total is not None), None)
    return Restored(shards, total, sum(cursor.read for cursor in cursors if id(cursor) not in kept))


def _start_of(down: ShardCursor, cursors: Sequence[ShardCursor]) -> int | None:
    """Return the start of a descending cursor, which its checkpoint may lack: the first record above its bound."""
    above = (
        cursor
        for cursor in cursors
        if cursor.ascending and streams.upper_bound(cursor.stream, cursor.after) == down.before
    )
    return next((cursor.start for cursor in above), down.start)


def _place(scope: ScanScope, shards: list[Shard], cursor: ShardCursor) -> None:
    """Close the shards that a descending cursor has passed, and assign it to its shard unless one is further there."""
    top, reached = MAX_TIME if cursor.start is None else cursor.start, _reached(cursor)
    spans = list(zip(shards, [*(shard.lower_bound for shard in shards[1:]), scope.ceiling], strict=True))
    for shard, end in spans:
        shard.closed = shard.closed or (end <= top and shard.lower_bound > reached)
    below = [(shard, end) for shard, end in spans if shard.lower_bound < top and shard.lower_bound <= reached]
    current = next((shard for shard, end in below if reached < end or end == top or shard is shards[-1]), None)
    if current is not None and current.down is None:
        current.down = cursor


def _reached(down: ShardCursor) -> int:
    """Return the time down to which a descending cursor delivered everything."""
    return -1 if down.ended else MAX_TIME if down.position is None else down.position


def _shard_cursor(scope: ScanScope, checkpoint: Checkpoint) -> ShardCursor:
    return ShardCursor(
        checkpoint["walk"],
        scope.stream,
        scope.field,
        checkpoint["up"],
        checkpoint["after"],
        checkpoint["before"],
        checkpoint["start"],
        scope.index_lag_cutoff,
        position=checkpoint["position"],
        cursor=checkpoint["cursor"],
        total=checkpoint["total"],
        read=checkpoint["read"],
        found=checkpoint["found"],
        ended=checkpoint["ended"],
    )
