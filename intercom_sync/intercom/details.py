"""Single records by their ids, fetched side by side: conversations with their parts, contacts that were missed.

Which records are worth a fetch is the caller's decision.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Protocol

from intercom_sync.intercom.errors import Gone, IntercomError, Stopped, Unauthorized
from intercom_sync.intercom.limits import Limiter

Detail = tuple[str, dict[str, Any] | Gone | IntercomError]

FAILURES_IN_A_ROW = 20
"""Records that may fail one after another before Intercom is asked for others, to see whether it answers at all.

Calls that fail are repeated and so end last: a few among many come in a row, and say nothing of the others."""
MOST_WORKERS = 400
"""Calls under way at once: enough for 10,000 a minute that take more than two seconds each."""
_RESERVE = 1.3
"""More calls under way than the allowance needs: answers do not all take the same time."""
_MOST_ASKED = 5


class Fetch(Protocol):
    """One of the client's calls for a single record."""

    def __call__(self, name: str, /, *, stop: threading.Event | None = None) -> dict[str, Any]:
        """Fetch it."""
        ...


def details(
    fetch: Fetch, ids: Iterable[str], *, limiter: Limiter, workers: int, known: Callable[[], Sequence[str]] = tuple
) -> Generator[Detail, None, None]:
    """Each id with its record, `Gone` where there is none any more, or the error after its retries; in no set order.

    Takes from `ids` only as many as are under way at once, in the caller's thread: `workers` and, once one has come, as
    many more as the limiter's allowance has room for. Closing the iterator stops it.

    Args:
        fetch: The client's call.
        ids: What to fetch.
        limiter: That of the call.
        workers: Calls under way at once.
        known: Asked, in the caller's thread, for some records that Intercom should have, when many have failed.

    Raises:
        Unauthorized: the token may not read such records.
        IntercomError: `FAILURES_IN_A_ROW` records failed, and so did one that had come before and those known.
    """
    stop = threading.Event()
    pool = ThreadPoolExecutor(max(workers, MOST_WORKERS), thread_name_prefix="intercom-details")
    in_a_row, good = 0, ""

    def width() -> int:
        # Before anything has come, or when nothing comes any more, only a few are asked for in vain.
        more = int(limiter.width() * _RESERVE) if good and in_a_row < FAILURES_IN_A_ROW // 2 else 0
        return max(workers, min(more, MOST_WORKERS))

    try:
        for name, answer in _side_by_side(fetch, iter(ids), pool, width, stop):
            if isinstance(answer, Unauthorized | Stopped):
                raise answer
            yield name, answer
            if not _is_failure(answer):
                in_a_row, good = 0, name
                continue
            in_a_row += 1
            if in_a_row >= FAILURES_IN_A_ROW:
                others = [good] if good else known()
                if isinstance(answer, IntercomError) and not _is_any_answered(fetch, others, pool, stop):
                    raise answer
                in_a_row = 0
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _is_failure(answer: dict[str, Any] | IntercomError) -> bool:
    return isinstance(answer, IntercomError) and not isinstance(answer, Gone)


def _is_any_answered(fetch: Fetch, names: Sequence[str], pool: ThreadPoolExecutor, stop: threading.Event) -> bool:
    """Whether Intercom answers for one of some records: then the others' failures are their own."""
    asked = [pool.submit(_one, fetch, name, stop) for name in names[:_MOST_ASKED]]
    return any(not _is_failure(each.result()[1]) for each in asked)


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
