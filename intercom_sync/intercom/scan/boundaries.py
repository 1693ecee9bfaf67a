"""Boundaries between shards: compute split points, then split shards and confirm or undo the splits."""

import itertools
import math
from collections.abc import Sequence

from intercom_sync.intercom import streams
from intercom_sync.intercom.scan.cursor import ShardCursor
from intercom_sync.intercom.scan.shards import MAX_TIME, ScanScope, Shard, ShardList
from intercom_sync.intercom.search_pages import SearchPage, timestamp_of
from intercom_sync.intercom.streams import DAY_MARGIN

_SPLIT_AGES_DAYS = (365, 730, 180, 90, 545, 270, 455, 635, 820)
"""First split points of an unknown stream, in days before now, the most useful first.

None is older, because a split before the first record wastes two calls.
"""


def initial_split_points(scope: ScanScope, quantiles: Sequence[int] | None = None) -> list[int]:
    """Return the first split points, the most useful first: quantiles of the last scan, else fixed ages."""
    if quantiles is None:
        return [scope.now - days * 86_400 for days in _SPLIT_AGES_DAYS]
    distinct: list[int] = []
    for at in sorted(quantiles):
        if not distinct or at - distinct[-1] > 2 * streams.upper_bound(scope.stream, 0):
            distinct.append(at)
    return _by_bisection(distinct)


def _by_bisection(times: Sequence[int]) -> list[int]:
    """Order times by bisection: the middle one first, then those of both halves alternately."""
    if not times:
        return []
    half = len(times) // 2
    sides = itertools.zip_longest(_by_bisection(times[:half]), _by_bisection(times[half + 1 :]))
    return [times[half], *(at for pair in sides for at in pair if at is not None)]


def granularity_margin(scope: ScanScope) -> int:
    """Return how much later than requested a lower bound may start: up to a day when dates match by day."""
    return 0 if scope.exact else DAY_MARGIN


def middle(shard_list: ShardList, shard: Shard, share: float = 0.5) -> int | None:
    """Return the time that probably splits the rest of a shard; None when it is too short or unknown."""
    low, high = _lower_position(shard), _upper_position(shard_list, shard)
    min_span = 4 if shard_list.scope.exact else 2 * DAY_MARGIN
    if low is None or high - low <= min_span:
        return None
    at = low + int((high - low) * _time_fraction(shard, share))
    return min(max(at, low + min_span // 2), high - min_span // 2)


def span(shard_list: ShardList, shard: Shard) -> int | None:
    """Return the seconds that the rest of a shard spans; None while unknown."""
    low = _lower_position(shard)
    return None if low is None else max(_upper_position(shard_list, shard) - low, 0)


def _lower_position(shard: Shard) -> int | None:
    """Return the time up to which a shard was read ascending."""
    if shard.up is not None and shard.up.position is not None:
        return shard.up.position
    return shard.lower_bound if shard.lower_bound > 0 else None


def _upper_position(shard_list: ShardList, shard: Shard) -> int:
    """Return the time down to which a shard was read descending, or above which it is empty."""
    above = shard_list.above(shard)
    end = shard_list.scope.ceiling if above is None else above.lower_bound
    down_position = MAX_TIME if shard.down is None or shard.down.position is None else shard.down.position
    return min(end, down_position, shard.nothing_above, shard_list.scope.now)


def _time_fraction(shard: Shard, share: float) -> float:
    """Return the fraction of a shard's time span that has this share of its records, if density changes linearly."""
    up, down = shard.up, shard.down
    if up is None or down is None or not up.span or not down.span:
        return share
    early, late = 1 / up.span, 1 / down.span
    if abs(early - late) < 0.05 * (early + late):
        return share
    slope = late - early
    part = (early + late) * share / 2
    root = (math.sqrt(early * early + 2 * slope * part) - early) / slope
    return min(max(root, 0.4 * share), 1 - 0.4 * (1 - share))


_MIN_RECORDS_TO_SPLIT = 50


def open_down(shard_list: ShardList, shard: Shard) -> ShardCursor:
    """Open a descending cursor at the shard's upper end."""
    above = shard_list.above(shard)
    before, start = shard_list.scope.before, None
    if above is not None and above.pending and above.up is not None:
        before, start = streams.upper_bound(shard_list.scope.stream, above.up.after), above.up.after + 1
    elif above is not None:
        before = start = above.lower_bound
    shard.down = shard_list.new_cursor(up=False, after=shard_list.scope.after, before=before, start=start)
    return shard.down


def split(shard_list: ShardList, shard: Shard, at: int, share: float = 0.5) -> ShardCursor:
    """Split a shard: open an ascending cursor at a guessed time above which `share` of the rest is expected."""
    cursor = shard_list.new_cursor(
        up=True,
        after=max(at - granularity_margin(shard_list.scope) // 2, shard_list.scope.after),
        before=shard_list.scope.before,
    )
    upper = Shard(at, cursor, shard.down, pending=True, weight=shard.weight * _weight_above(shard_list, shard, share))
    upper.nothing_above, upper.misses = shard.nothing_above, shard.misses
    shard.down, shard.weight = None, shard.weight - upper.weight
    shard_list.shards.insert(shard_list.shards.index(shard) + 1, upper)
    return cursor


def confirm(shard_list: ShardList, shard: Shard, cursor: ShardCursor, found: SearchPage) -> bool:
    """Set the boundary of a split to the first record of its first page; undo it and return False if it is useless."""
    below, end = shard_list.below(shard), shard_list.end(shard)
    times = [at for record in found.records if (at := timestamp_of(record, shard_list.scope.field)) is not None]
    boundary = min(times, default=MAX_TIME)
    down_position = MAX_TIME if shard.down is None or shard.down.position is None else shard.down.position
    if boundary <= down_position:
        below.nothing_above = min(below.nothing_above, cursor.after + granularity_margin(shard_list.scope) + 1)
    if boundary >= (MAX_TIME if end is None else end) or (boundary > down_position and below.down is None):
        _undo(shard_list, shard, below, is_blank=not times and bool(found.records))
        return False
    shard.pending, shard.lower_bound, cursor.start = False, boundary, boundary
    if len(times) < _MIN_RECORDS_TO_SPLIT and cursor.ended:
        below.misses = max(below.misses, shard.misses) + 1
    if below.down is not None:
        below.down.start = boundary
        resolve(shard_list, below)
    return True


def resolve(shard_list: ShardList, shard: Shard) -> None:
    """Resolve the start of a descending cursor that was opened before its upper end was known.

    A cursor that has only read records above that end is retired; a new one is opened when needed.
    """
    above, down = shard_list.above(shard), shard.down
    if above is None or down is None or down.position is None:
        return
    if above.pending and down.first is not None and down.start is not None:
        down.start = max(down.start, down.first + 1)  # there is no record between its bound and its first record
    elif not above.pending and down.position > above.lower_bound and (down.before or MAX_TIME) > above.lower_bound:
        shard_list.retired.append(down)
        shard.down = None


def _weight_above(shard_list: ShardList, shard: Shard, share: float) -> float:
    """Return the share of all the shard's records, delivered or not, that goes to the upper shard of a split."""
    remaining = shard_list.remaining(shard)
    if remaining is None or remaining <= 0:
        return share
    down_read = 0 if shard.down is None else shard.down.read
    return (share * remaining + down_read) / (remaining + shard.read)


def _undo(shard_list: ShardList, shard: Shard, below: Shard, *, is_blank: bool) -> None:
    """Undo a split: of two descending cursors the one that is further continues, and the other one is retired.

    After a page of records without a valid time the upper one continues: the lower one would never return them.
    """
    downs = [cursor for cursor in (below.down, shard.down) if cursor is not None]
    downs.sort(key=lambda cursor: MAX_TIME if cursor.position is None else cursor.position)
    continuing = shard.down if is_blank else next(iter(downs), None)
    shard_list.retired += [cursor for cursor in downs if cursor is not continuing and cursor.position is not None]
    below.weight, below.misses = below.weight + shard.weight, max(below.misses, shard.misses) + 1
    below.down = continuing
    shard_list.shards.remove(shard)
    above = shard_list.above(below)
    if continuing is not None and (above is None or not above.pending):
        continuing.start = None if above is None else above.lower_bound
        resolve(shard_list, below)
