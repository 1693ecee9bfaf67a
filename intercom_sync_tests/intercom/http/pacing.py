"""A simulated scan with its own clock: a planner, a rate limiter of ten requests per second, and slow responses.

It tells what a read costs in requests and seconds. What a plan delivers is tested in `test_plan`.
"""

import heapq
import itertools
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from intercom_sync.intercom.scan.cursor import ShardCursor
from intercom_sync.intercom.scan.planner import ScanPlanner
from intercom_sync.intercom.search_pages import SearchPage

DAY = 86_400
PAGE = 150
SECOND = 1.02
"""The limiter's second; see `limits`."""
PATIENCE = 0.15


class Records:
    """Records by creation time, searched as Intercom does.

    Args:
        times: creation times in UNIX seconds.
        zone: the workspace's offset from UTC in seconds; None if dates are compared by the second.
    """

    def __init__(self, times: Sequence[int], zone: int | None = None) -> None:
        self._times = sorted(times)
        self._zone = zone

    def __len__(self) -> int:
        return len(self._times)

    def answer(self, walk: ShardCursor) -> SearchPage:
        """Return the next page of a cursor."""
        after, before = walk.after, walk.before
        if self._zone is not None:
            after = after if after == 1 else self._midnight(after) + DAY - 1
            before = None if before is None else self._midnight(before)
        low = bisect_right(self._times, after)
        high = len(self._times) if before is None else max(low, bisect_left(self._times, before))
        done, total = int(walk.cursor or 0), high - low
        if walk.ascending:
            numbers = range(low + done, min(low + done + PAGE, high))
        else:
            numbers = range(high - 1 - done, max(high - 1 - done - PAGE, low - 1), -1)
        records: list[Any] = [{"id": str(number), "created_at": self._times[number]} for number in numbers]
        return SearchPage(records, str(done + PAGE) if done + PAGE < total else None, total)

    def _midnight(self, at: int) -> int:
        assert self._zone is not None
        return at - (at + self._zone) % DAY


@dataclass
class Cost:
    """The cost of a scan.

    Attributes:
        requests: number of requests.
        seconds: time from the start to the last response.
        delivered: ids in order.
        sent: the time of each request.
    """

    requests: int = 0
    seconds: float = 0.0
    delivered: list[str] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)


def read_at(plan: ScanPlanner, records: Records, *, latency: float, per_second: int = 10, workers: int = 24) -> Cost:
    """Run a scan plan, and send each request as soon as the limiter permits it."""
    cost, now, news = Cost(), 0.0, 0.0
    granted: deque[float] = deque(maxlen=per_second)
    under_way: list[tuple[float, int, ShardCursor]] = []
    numbers = itertools.count()
    while not plan.is_over:
        slot = now
        if granted:
            slot = max(now, granted[-1] + 0.5 / per_second)
        if len(granted) == per_second:
            slot = max(slot, granted[0] + SECOND)
        next_answer = under_way[0][0] if under_way else float("inf")
        if len(under_way) < workers and plan.can_take():
            if slot <= next_answer:
                now = slot
                walk = plan.next_task()
                assert walk is not None
                granted.append(now)
                cost.sent.append(now)
                heapq.heappush(under_way, (now + latency, next(numbers), walk))
                continue
        elif not plan.first_page_slow and news + PATIENCE < next_answer:
            now, plan.first_page_slow = max(now, news + PATIENCE), True
            continue
        now, _, walk = heapq.heappop(under_way)
        news = now
        kept = plan.accept(walk, records.answer(walk))
        cost.delivered += [record["id"] for record in kept or ()]
        plan.finish(walk)
    cost.requests, cost.seconds = len(cost.sent), now
    return cost
