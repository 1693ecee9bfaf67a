"""Fetch single records by id, concurrently, and list deleted conversations."""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol

from intercom_sync.domain.parsing import record_id, usable_timestamp
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.intercom.errors import (
    CancelledError,
    IntercomError,
    NotFoundError,
    UnauthorizedError,
    UnsupportedVersionError,
)
from intercom_sync.intercom.http.byte_budget import Budget, Share
from intercom_sync.intercom.http.rate_limiter import RateLimiter
from intercom_sync.intercom.http.responses import next_page
from intercom_sync.intercom.streams import DELETED_LIST_SINCE, is_at_least


class FetchResult(NamedTuple):
    """Hold a fetched record or its error.

    Attributes:
        id: the requested id.
        answer: the record, `NotFoundError` if it no longer exists, or the error after all retries.
        size: approximate bytes of memory.
    """

    id: str
    answer: dict[str, Any] | NotFoundError | IntercomError
    size: int = 0


MAX_CONSECUTIVE_FAILURES = 20
"""Consecutive failures after which another record is fetched, to test whether Intercom answers at all.

Failing calls are retried and therefore finish last, so a few consecutive failures prove nothing."""
MAX_WORKERS = 400
"""Concurrent calls: enough for 10,000 a minute that take more than two seconds each."""
_CONCURRENCY_MARGIN = 1.3
"""Factor on the concurrency that the rate budget needs, because response times vary."""
_MAX_PROBES = 5
_PROBE_BUDGET_BYTES = 2**20


class Fetch(Protocol):
    """Type of the client's calls for a single record."""

    def __call__(
        self, item_id: str, /, *, stop: threading.Event | None = None, share: Share | None = None
    ) -> dict[str, Any]:
        """Fetch the record."""
        ...


def fetch_many(
    fetch: Fetch,
    ids: Iterable[str],
    *,
    limiter: RateLimiter,
    workers: int,
    budget: Budget,
    known_ids: Callable[[], Sequence[str]] = tuple,
) -> Generator[FetchResult, None, None]:
    """Yield each id with its record, `NotFoundError` if it no longer exists, or the error after its retries.

    The order is not defined. `ids` is consumed lazily in the caller's thread, as calls become free. Closing the
    iterator cancels the calls.

    Args:
        fetch: The client's call.
        ids: Ids to fetch.
        limiter: Rate limiter of the call.
        workers: Initial number of concurrent calls; it grows to what the rate budget allows.
        budget: Memory of the results that were not yielded yet.
        known_ids: Returns ids of records that Intercom should have. It is called after many failures, in the caller's
            thread, to test whether Intercom answers at all.

    Raises:
        UnauthorizedError: the token may not read such records.
        IntercomError: `MAX_CONSECUTIVE_FAILURES` records failed in a row, and so did the last good or the known ones.
    """
    stop = threading.Event()
    pool = ThreadPoolExecutor(max(workers, MAX_WORKERS), thread_name_prefix="intercom-details")
    consecutive_failures, last_good = 0, ""

    def concurrency() -> int:
        # Before the first success, and after many failures, few calls are wasted.
        target = (
            int(limiter.target_concurrency() * _CONCURRENCY_MARGIN)
            if last_good and consecutive_failures < MAX_CONSECUTIVE_FAILURES // 2
            else 0
        )
        return max(workers, min(target, MAX_WORKERS))

    try:
        for result in _fetch_concurrently(fetch, iter(ids), pool, concurrency, stop, budget):
            item_id, answer, _ = result
            if isinstance(answer, UnauthorizedError | CancelledError):
                raise answer
            yield result
            if not _is_failure(answer):
                consecutive_failures, last_good = 0, item_id
                continue
            consecutive_failures += 1
            if consecutive_failures >= MAX_CONSECUTIVE_FAILURES:
                probes = [last_good] if last_good else known_ids()
                if isinstance(answer, IntercomError) and not _is_any_answered(fetch, probes, pool, stop):
                    raise answer
                consecutive_failures = 0
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _is_failure(answer: dict[str, Any] | IntercomError) -> bool:
    return isinstance(answer, IntercomError) and not isinstance(answer, NotFoundError)


def _is_any_answered(fetch: Fetch, names: Sequence[str], pool: ThreadPoolExecutor, stop: threading.Event) -> bool:
    """Test whether Intercom returns any of these records; if so, the failures concern single records only.

    The probes have a budget of their own: the shared one may be full of results that wait for this test to end.
    """
    probe_budget = Budget(_PROBE_BUDGET_BYTES)
    futures = [pool.submit(_is_answered, fetch, item_id, stop, probe_budget) for item_id in names[:_MAX_PROBES]]
    return any(future.result() for future in futures)


def _is_answered(fetch: Fetch, item_id: str, stop: threading.Event, budget: Budget) -> bool:
    with budget.share() as share:
        return not _is_failure(_fetch_one(fetch, item_id, stop, share).answer)


class _CompletedResults:
    """Queue of completed results that were not yielded yet, with their shares of the byte budget."""

    def __init__(self, stop: threading.Event) -> None:
        self._queue: SimpleQueue[tuple[Future[FetchResult], Share]] = SimpleQueue()
        self._stop = stop

    def put(self, share: Share, future: Future[FetchResult]) -> None:
        """Add a result."""
        self._queue.put((future, share))
        if self._stop.is_set():
            self.drop()

    def take(self) -> FetchResult:
        """Wait for the next result and release its share."""
        future, share = self._queue.get()
        share.release()
        return future.result()

    def drop(self) -> None:
        """Release all remaining results."""
        with suppress(Empty):
            while True:
                self._queue.get_nowait()[1].release()


def _fetch_concurrently(
    fetch: Fetch,
    ids: Iterator[str],
    pool: ThreadPoolExecutor,
    concurrency: Callable[[], int],
    stop: threading.Event,
    budget: Budget,
) -> Iterator[FetchResult]:
    completed, in_flight = _CompletedResults(stop), 0
    try:
        while True:
            limit = concurrency()
            while in_flight < limit and (item_id := next(ids, None)) is not None:
                share = budget.share()
                pool.submit(_fetch_one, fetch, item_id, stop, share).add_done_callback(partial(completed.put, share))
                in_flight += 1
            if not in_flight:
                return
            yield completed.take()
            in_flight -= 1
    finally:
        stop.set()
        completed.drop()


def _fetch_one(fetch: Fetch, item_id: str, stop: threading.Event, share: Share) -> FetchResult:
    try:
        return FetchResult(item_id, fetch(item_id, stop=stop, share=share), share.held)
    except IntercomError as error:
        # Without its traceback: many errors may be kept for a while, and each would keep its frames in memory.
        return FetchResult(item_id, error.with_traceback(None))
    except BaseException:
        share.release()
        raise


def iter_deleted_conversations(client: IntercomClient, since: int | None) -> Iterator[list[str]]:
    """Yield pages of ids of deleted conversations, newest first; nothing when the API version has no such list.

    Args:
        client: The client.
        since: UNIX second of deletion to read back to, None for all; the last page may have older ones.

    Raises:
        IntercomError: a page failed after all retries; the pages before it were yielded.
    """
    if not is_at_least(client.version, DELETED_LIST_SINCE):
        return
    number, previous_items = 1, None
    while True:
        try:
            answer = client.deleted_conversations(number)
        except (NotFoundError, UnsupportedVersionError):
            return
        items = answer["conversations"]
        if not items or items == previous_items:  # a repeated page would repeat forever
            return
        yield [item_id for item_id in map(record_id, items) if item_id]
        # Only the existence of a next page counts: it is a URL, and the token must not follow it to another host.
        if next_page(answer) is None or _is_older(items, since):
            return
        number, previous_items = number + 1, items


def _is_older(items: list[Any], since: int | None) -> bool:
    times = [usable_timestamp(item.get("deleted_at")) for item in items if isinstance(item, dict)]
    return since is not None and min((at for at in times if at is not None), default=since) < since
