"""Where to cut a shard: arithmetic on times only. When to cut is decided in `plan`."""

import itertools
import math
from collections.abc import Sequence

from intercom_sync.intercom import streams
from intercom_sync.intercom.scan.cursor import ShardCursor
from intercom_sync.intercom.scan.shards import MAX_TIME, ScanScope, Shard, ShardList
from intercom_sync.intercom.search_pages import SearchPage, timestamp_of
from intercom_sync.intercom.streams import DAY_MARGIN

_AGES = (365, 730, 180, 90, 545, 270, 455, 635, 820)
"""Days back from now at which the first cuts are tried when nothing is known yet: by quarters, the likeliest first.

None is older: a cut at which there was nobody yet costs two calls in vain.
"""


def initial_split_points(scope: ScanScope, known: Sequence[int] | None = None) -> list[int]:
    """The times of the first cuts, the likeliest first: those that shared the stream evenly before, else some ages."""
    if known is None:
        return [scope.now - days * 86_400 for days in _AGES]
    apart: list[int] = []
    for at in sorted(known):
        if not apart or at - apart[-1] > 2 * streams.upper_bound(scope.stream, 0):
            apart.append(at)
    return _halving(apart)


def _halving(times: Sequence[int]) -> list[int]:
    """Times in an order that leaves no long gap for long: the middle one, then those of both sides in turn."""
    if not times:
        return []
    half = len(times) // 2
    sides = itertools.zip_longest(_halving(times[:half]), _halving(times[half + 1 :]))
    return [times[half], *(at for pair in sides for at in pair if at is not None)]


def granularity_margin(scope: ScanScope) -> int:
    """Seconds by which a lower bound may begin later than asked: up to a day where dates are matched by day."""
    return 0 if scope.exact else DAY_MARGIN


def middle(line: ShardList, shard: Shard, share: float = 0.5) -> int | None:
    """The time that is likely to part what is left of a shard; None when it is too short to cut, or unknown."""
    low, high = _bottom(shard), _ceiling(line, shard)
    room = 4 if line.scope.exact else 2 * DAY_MARGIN
    if low is None or high - low <= room:
        return None
    at = low + int((high - low) * _part(shard, share))
    return min(max(at, low + room // 2), high - room // 2)


def span(line: ShardList, shard: Shard) -> int | None:
    """The seconds over which what is left of a shard may lie; None while unknown."""
    low = _bottom(shard)
    return None if low is None else max(_ceiling(line, shard) - low, 0)


def _bottom(shard: Shard) -> int | None:
    """The time up to which a shard was read from below."""
    if shard.up is not None and shard.up.position is not None:
        return shard.up.position
    return shard.lower_bound if shard.lower_bound > 0 else None


def _ceiling(line: ShardList, shard: Shard) -> int:
    """The time down to which a shard was read from above, or beyond which it holds nothing."""
    above = line.above(shard)
    end = line.scope.ceiling if above is None else above.lower_bound
    sunk = MAX_TIME if shard.down is None or shard.down.position is None else shard.down.position
    return min(end, sunk, shard.nothing_above, line.scope.now)


def _part(shard: Shard, share: float) -> float:
    """The fraction of a shard's time that holds a share of its records, if their density changes evenly."""
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


_MIN_PAGES_TO_SPLIT = 50


def open_down(line: ShardList, shard: Shard) -> ShardCursor:
    """A walk down from the shard's upper end."""
    above = line.above(shard)
    before, start = line.scope.before, None
    if above is not None and above.pending and above.up is not None:
        before, start = streams.upper_bound(line.scope.stream, above.up.after), above.up.after + 1
    elif above is not None:
        before = start = above.lower_bound
    shard.down = line.new_cursor(up=False, after=line.scope.after, before=before, start=start)
    return shard.down


def split(line: ShardList, shard: Shard, at: int, share: float = 0.5) -> ShardCursor:
    """A walk up from a guessed time; `share` of what is left of the shard is thought to lie above it."""
    walk = line.new_cursor(
        up=True, after=max(at - granularity_margin(line.scope) // 2, line.scope.after), before=line.scope.before
    )
    upper = Shard(at, walk, shard.down, pending=True, weight=shard.weight * _part_above(line, shard, share))
    upper.nothing_above, upper.misses = shard.nothing_above, shard.misses
    shard.down, shard.weight = None, shard.weight - upper.weight
    line.shards.insert(line.shards.index(shard) + 1, upper)
    return walk


def confirm(line: ShardList, shard: Shard, walk: ShardCursor, found: SearchPage) -> bool:
    """Put the seam of a cut at the first record of its first page; False when nothing above it is still to be read."""
    below, end = line.below(shard), line.end(shard)
    times = [at for record in found.records if (at := timestamp_of(record, line.scope.field)) is not None]
    seam = min(times, default=MAX_TIME)
    sunk = MAX_TIME if shard.down is None or shard.down.position is None else shard.down.position
    if seam <= sunk:
        below.nothing_above = min(below.nothing_above, walk.after + granularity_margin(line.scope) + 1)
    if seam >= (MAX_TIME if end is None else end) or (seam > sunk and below.down is None):
        _undo(line, shard, below, is_blank=not times and bool(found.records))
        return False
    shard.pending, shard.lower_bound, walk.start = False, seam, seam
    if len(times) < _MIN_PAGES_TO_SPLIT and walk.ended:
        below.misses = max(below.misses, shard.misses) + 1
    if below.down is not None:
        below.down.start = seam
        resolve(line, below)
    return True


def resolve(line: ShardList, shard: Shard) -> None:
    """Say where a walk down began that was opened before its upper end was known.

    One that has met only records above the end is done with; another is opened where it is known to be needed.
    """
    above, down = line.above(shard), shard.down
    if above is None or down is None or down.position is None:
        return
    if above.pending and down.first is not None and down.start is not None:
        down.start = max(down.start, down.first + 1)  # between its bound and its first record there is none
    elif not above.pending and down.position > above.lower_bound and (down.before or MAX_TIME) > above.lower_bound:
        line.passed.append(down)
        shard.down = None


def _part_above(line: ShardList, shard: Shard, share: float) -> float:
    """The part of all of a shard's records, delivered or not, that goes to the upper one of a cut."""
    remaining = line.remaining(shard)
    if remaining is None or remaining <= 0:
        return share
    sunk = 0 if shard.down is None else shard.down.read
    return (share * remaining + sunk) / (remaining + shard.read)


def _undo(line: ShardList, shard: Shard, below: Shard, *, is_blank: bool) -> None:
    """Take back a cut: of two walks down the one that is further goes on, the other is kept for what it delivered.

    After a page of records without a usable time only the upper one goes on: the lower one would never meet those.
    """
    downs = [walk for walk in (below.down, shard.down) if walk is not None]
    downs.sort(key=lambda walk: MAX_TIME if walk.position is None else walk.position)
    goes_on = shard.down if is_blank else next(iter(downs), None)
    line.passed += [walk for walk in downs if walk is not goes_on and walk.position is not None]
    below.weight, below.misses = below.weight + shard.weight, max(below.misses, shard.misses) + 1
    below.down = goes_on
    line.shards.remove(shard)
    above = line.above(below)
    if goes_on is not None and (above is None or not above.pending):
        goes_on.start = None if above is None else above.lower_bound
        resolve(line, below)
