"""Single records by their ids, fetched side by side: conversations with their parts, contacts that were missed.

Which records are worth a fetch is the caller's decision.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Protocol

from intercom_sync.intercom.errors import Gone, IntercomError, Stopped, Unauthorized
from intercom_sync.intercom.limits import Limiter

Detail = tuple[str, dict[str, Any] | Gone | IntercomError]

FAILURES_IN_A_ROW = 20
"""Records that may fail one after another before the trouble is taken to be Intercom's rather than theirs."""
MOST_WORKERS = 400
"""Calls under way at once: enough for 10,000 a minute that take more than two seconds each."""
_RESERVE = 1.3
"""More calls under way than the allowance needs: answers do not all take the same time."""


class Fetch(Protocol):
    """One of the client's calls for a single record."""

    def __call__(self, name: str, /, *, stop: threading.Event | None = None) -> dict[str, Any]:
        """Fetch it."""
        ...


def details(fetch: Fetch, ids: Iterable[str], *, limiter: Limiter, workers: int) -> Generator[Detail, None, None]:
    """Each id with its record, `Gone` where there is none any more, or the error after its retries; in no set order.

    Takes from `ids` only as many as are under way at once, in the caller's thread: `workers`, and as many more as the
    limiter's allowance has room for. Closing the iterator stops it.

    Raises:
        Unauthorized: the token may not read such records.
        IntercomError: `FAILURES_IN_A_ROW` records failed one after another.
    """
    stop = threading.Event()
    pool = ThreadPoolExecutor(max(workers, MOST_WORKERS), thread_name_prefix="intercom-details")

    def width() -> int:
        return max(workers, min(int(limiter.width() * _RESERVE), MOST_WORKERS))

    try:
        in_a_row = 0
        for detail in _side_by_side(fetch, iter(ids), pool, width, stop):
            failed = isinstance(detail[1], IntercomError) and not isinstance(detail[1], Gone)
            in_a_row = in_a_row + 1 if failed else 0
            if isinstance(detail[1], Unauthorized | Stopped):
                raise detail[1]
            yield detail
            if in_a_row >= FAILURES_IN_A_ROW and isinstance(detail[1], IntercomError):
                raise detail[1]
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _side_by_side(
    fetch: Fetch,
    ids: Iterator[str],
    pool: ThreadPoolExecutor,
    width: Callable[[], int],
    stop: threading.Event,
) -> Iterator[Detail]:
    done: SimpleQueue[Future[Detail]] = SimpleQueue()
    under_way = 0
    while True:
        most = width()
        while under_way < most and (name := next(ids, None)) is not None:
            pool.submit(_one, fetch, name, stop).add_done_callback(done.put)
            under_way += 1
        if not under_way:
            return
        yield done.get().result()
        under_way -= 1


def _one(fetch: Fetch, name: str, stop: threading.Event) -> Detail:
    try:
        return name, fetch(name, stop=stop)
    except IntercomError as error:
        return name, error
