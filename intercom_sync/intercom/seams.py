"""Where shards meet: opening walks at a seam, cuts whose seam is still a guess, and what their first page tells.

A cut is a search with a lower bound only, and its seam is put at the first record found: whatever the bound was read as
(a second, or a day in some zone), no record lies between the two. While the seam is a guess the shard below may be read
down all the same, from a bound that overlaps with the walk above under any reading. When to do what: see `plan`.
"""

from intercom_sync.intercom import cuts, queries
from intercom_sync.intercom.pages import Found, second
from intercom_sync.intercom.shards import TOP, Line, Shard
from intercom_sync.intercom.walks import Walk

_WORTH_A_CUT = 50


def open_down(line: Line, shard: Shard) -> Walk:
    """A walk down from the shard's upper end."""
    above = line.above(shard)
    before, start = line.scope.before, None
    if above is not None and above.pending and above.up is not None:
        before, start = queries.upper_bound(line.scope.stream, above.up.after), above.up.after + 1
    elif above is not None:
        before = start = above.lo
    shard.down = line.walk(up=False, after=line.scope.after, before=before, start=start)
    return shard.down


def cut(line: Line, shard: Shard, at: int, share: float = 0.5) -> Walk:
    """A walk up from a guessed time; `share` of what is left of the shard is thought to lie above it."""
    walk = line.walk(up=True, after=max(at - cuts.slack(line.scope) // 2, line.scope.after), before=line.scope.before)
    upper = Shard(at, walk, shard.down, pending=True, weight=shard.weight * _part_above(line, shard, share))
    upper.nothing_above, upper.misses = shard.nothing_above, shard.misses
    shard.down, shard.weight = None, shard.weight - upper.weight
    line.shards.insert(line.shards.index(shard) + 1, upper)
    return walk


def confirm(line: Line, shard: Shard, walk: Walk, found: Found) -> bool:
    """Put the seam of a cut at the first record of its first page; False when nothing above it is still to be read."""
    below, end = line.below(shard), line.end(shard)
    times = [at for record in found.records if (at := second(record, line.scope.field)) is not None]
    seam = min(times, default=TOP)
    sunk = TOP if shard.down is None or shard.down.position is None else shard.down.position
    if seam <= sunk:
        below.nothing_above = min(below.nothing_above, walk.after + cuts.slack(line.scope) + 1)
    if seam >= (TOP if end is None else end) or (seam > sunk and below.down is None):
        _undo(line, shard, below, is_blank=not times and bool(found.records))
        return False
    shard.pending, shard.lo, walk.start = False, seam, seam
    if len(times) < _WORTH_A_CUT and walk.ended:
        below.misses = max(below.misses, shard.misses) + 1
    if below.down is not None:
        below.down.start = seam
        settle(line, below)
    return True


def settle(line: Line, shard: Shard) -> None:
    """Say where a walk down began that was opened before its upper end was known.

    One that has met only records above the end is done with; another is opened where it is known to be needed.
    """
    above, down = line.above(shard), shard.down
    if above is None or down is None or down.position is None:
        return
    if above.pending and down.first is not None and down.start is not None:
        down.start = max(down.start, down.first + 1)  # between its bound and its first record there is none
    elif not above.pending and down.position > above.lo and (down.before or TOP) > above.lo:
        line.passed.append(down)
        shard.down = None


def _part_above(line: Line, shard: Shard, share: float) -> float:
    """The part of all of a shard's records, delivered or not, that goes to the upper one of a cut."""
    remaining = line.remaining(shard)
    if remaining is None or remaining <= 0:
        return share
    sunk = 0 if shard.down is None else shard.down.read
    return (share * remaining + sunk) / (remaining + shard.read)


def _undo(line: Line, shard: Shard, below: Shard, *, is_blank: bool) -> None:
    """Take back a cut: of two walks down the one that is further goes on, the other is kept for what it delivered.

    After a page of records without a usable time only the upper one goes on: the lower one would never meet those.
    """
    downs = [walk for walk in (below.down, shard.down) if walk is not None]
    downs.sort(key=lambda walk: TOP if walk.position is None else walk.position)
    goes_on = shard.down if is_blank else next(iter(downs), None)
    line.passed += [walk for walk in downs if walk is not goes_on and walk.position is not None]
    below.weight, below.misses = below.weight + shard.weight, max(below.misses, shard.misses) + 1
    below.down = goes_on
    line.shards.remove(shard)
    above = line.above(below)
    if goes_on is not None and (above is None or not above.pending):
        goes_on.start = None if above is None else above.lo
        settle(line, below)
