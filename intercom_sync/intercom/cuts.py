"""Where to cut a shard: arithmetic on times only. When to cut is decided in `plan`."""

import itertools
import math
from collections.abc import Sequence

from intercom_sync.intercom import queries
from intercom_sync.intercom.queries import WIDENING
from intercom_sync.intercom.shards import TOP, Line, Scope, Shard

_AGES = (365, 730, 180, 90, 545, 270, 455, 635, 820)
"""Days back from now at which the first cuts are tried when nothing is known yet: by quarters, the likeliest first.

None is older: a cut at which there was nobody yet costs two calls in vain.
"""


def guesses(scope: Scope, known: Sequence[int] | None = None) -> list[int]:
    """The times of the first cuts, the likeliest first: those that shared the stream evenly before, else some ages."""
    if known is None:
        return [scope.now - days * 86_400 for days in _AGES]
    apart: list[int] = []
    for at in sorted(known):
        if not apart or at - apart[-1] > 2 * queries.upper_bound(scope.stream, 0):
            apart.append(at)
    return _halving(apart)


def _halving(times: Sequence[int]) -> list[int]:
    """Times in an order that leaves no long gap for long: the middle one, then those of both sides in turn."""
    if not times:
        return []
    half = len(times) // 2
    sides = itertools.zip_longest(_halving(times[:half]), _halving(times[half + 1 :]))
    return [times[half], *(at for pair in sides for at in pair if at is not None)]


def slack(scope: Scope) -> int:
    """Seconds by which a lower bound may begin later than asked: up to a day where dates are matched by day."""
    return 0 if scope.exact else WIDENING


def middle(line: Line, shard: Shard, share: float = 0.5) -> int | None:
    """The time that is likely to part what is left of a shard; None when it is too short to cut, or unknown."""
    low, high = _bottom(shard), _ceiling(line, shard)
    room = 4 if line.scope.exact else 2 * WIDENING
    if low is None or high - low <= room:
        return None
    at = low + int((high - low) * _part(shard, share))
    return min(max(at, low + room // 2), high - room // 2)


def span(line: Line, shard: Shard) -> int | None:
    """The seconds over which what is left of a shard may lie; None while unknown."""
    low = _bottom(shard)
    return None if low is None else max(_ceiling(line, shard) - low, 0)


def _bottom(shard: Shard) -> int | None:
    """The time up to which a shard was read from below."""
    if shard.up is not None and shard.up.position is not None:
        return shard.up.position
    return shard.lo if shard.lo > 0 else None


def _ceiling(line: Line, shard: Shard) -> int:
    """The time down to which a shard was read from above, or beyond which it holds nothing."""
    above = line.above(shard)
    end = line.scope.ceiling if above is None else above.lo
    sunk = TOP if shard.down is None or shard.down.position is None else shard.down.position
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
