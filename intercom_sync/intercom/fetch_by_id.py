"""Single records by their ids, fetched side by side: conversations with their parts, contacts that were missed.

Which records are worth a fetch is the caller's decision.
"""

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
    """A record, or why there is none.

    Attributes:
        id: what was asked for.
        answer: the record, `NotFoundError` where there is none any more, or the error after its retries.
        size: about the bytes of memory that it takes.
    """

    id: str
    answer: dict[str, Any] | NotFoundError | IntercomError
    size: int = 0


MAX_CONSECUTIVE_FAILURES = 20
"""Records that may fail one after another before Intercom is asked for others, to see whether it answers at all.

Calls that fail are repeated and so end last: a few among many come in a row, and say nothing of the others."""
MAX_WORKERS = 400
"""Calls under way at once: enough for 10,000 a minute that take more than two seconds each."""
_RESERVE = 1.3
"""More calls under way than the allowance needs: answers do not all take the same time."""
_MOST_ASKED = 5
_SMALL = 2**20


class Fetch(Protocol):
    """One of the client's calls for a single record."""

    def __call__(
        self, name: str, /, *, stop: threading.Event | None = None, share: Share | None = None
    ) -> dict[str, Any]:
        """Fetch it."""
        ...


def fetch_many(
    fetch: Fetch,
    ids: Iterable[str],
    *,
    limiter: RateLimiter,
    workers: int,
    budget: Budget,
    known: Callable[[], Sequence[str]] = tuple,
) -> Generator[FetchResult, None, None]:
    """Yield each id with its record, `NotFoundError` if it no longer exists, or the error after its retries.

    The order is not defined.

    Takes from `ids` only as many as are under way at once, in the caller's thread: `workers` and, once one has come, as
    many more as the limiter's allowance has room for. Closing the iterator stops it.

    Args:
        fetch: The client's call.
        ids: What to fetch.
        limiter: That of the call.
        workers: Calls under way at once.
        budget: The memory of the answers that were not taken yet.
        known: Asked, in the caller's thread, for some records that Intercom should have, when many have failed.

    Raises:
        Unauthorized: the token may not read such records.
        IntercomError: `MAX_CONSECUTIVE_FAILURES` records failed, and so did one that had come before and those known.
    """
    stop = threading.Event()
    pool = ThreadPoolExecutor(max(workers, MAX_WORKERS), thread_name_prefix="intercom-details")
    in_a_row, good = 0, ""

    def width() -> int:
        # Before anything has come, or when nothing comes any more, only a few are asked for in vain.
        more = int(limiter.target_concurrency() * _RESERVE) if good and in_a_row < MAX_CONSECUTIVE_FAILURES // 2 else 0
        return max(workers, min(more, MAX_WORKERS))

    try:
        for detail in _side_by_side(fetch, iter(ids), pool, width, stop, budget):
            name, answer, _ = detail
            if isinstance(answer, UnauthorizedError | CancelledError):
                raise answer
            yield detail
            if not _is_failure(answer):
                in_a_row, good = 0, name
                continue
            in_a_row += 1
            if in_a_row >= MAX_CONSECUTIVE_FAILURES:
                others = [good] if good else known()
                if isinstance(answer, IntercomError) and not _is_any_answered(fetch, others, pool, stop):
                    raise answer
                in_a_row = 0
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _is_failure(answer: dict[str, Any] | IntercomError) -> bool:
    return isinstance(answer, IntercomError) and not isinstance(answer, NotFoundError)


def _is_any_answered(fetch: Fetch, names: Sequence[str], pool: ThreadPoolExecutor, stop: threading.Event) -> bool:
    """Whether Intercom answers for one of some records: then the others' failures are their own.

    These answers are not kept, and must not wait until those that are kept are taken: that is, for this to end.
    """
    apart = Budget(_SMALL)
    asked = [pool.submit(_is_answered, fetch, name, stop, apart) for name in names[:_MOST_ASKED]]
    return any(each.result() for each in asked)


def _is_answered(fetch: Fetch, name: str, stop: threading.Event, budget: Budget) -> bool:
    with budget.share() as share:
        return not _is_failure(_one(fetch, name, stop, share).answer)


class _Done:
    """The answers that were not taken yet, and what each holds of the budget."""

    def __init__(self, stop: threading.Event) -> None:
        self._queue: SimpleQueue[tuple[Future[FetchResult], Share]] = SimpleQueue()
        self._stop = stop

    def put(self, share: Share, future: Future[FetchResult]) -> None:
        """Add an answer."""
        self._queue.put((future, share))
        if self._stop.is_set():
            self.drop()

    def take(self) -> FetchResult:
        """Wait for the next answer."""
        future, share = self._queue.get()
        share.release()
        return future.result()

    def drop(self) -> None:
        """Leave no answer behind."""
        with suppress(Empty):
            while True:
                self._queue.get_nowait()[1].release()


def _side_by_side(
    fetch: Fetch,
    ids: Iterator[str],
    pool: ThreadPoolExecutor,
    width: Callable[[], int],
    stop: threading.Event,
    budget: Budget,
) -> Iterator[FetchResult]:
    done, under_way = _Done(stop), 0
    try:
        while True:
            most = width()
            while under_way < most and (name := next(ids, None)) is not None:
                share = budget.share()
                pool.submit(_one, fetch, name, stop, share).add_done_callback(partial(done.put, share))
                under_way += 1
            if not under_way:
                return
            yield done.take()
            under_way -= 1
    finally:
        stop.set()
        done.drop()


def _one(fetch: Fetch, name: str, stop: threading.Event, share: Share) -> FetchResult:
    try:
        return FetchResult(name, fetch(name, stop=stop, share=share), share.held)
    except IntercomError as error:
        # Many errors may be kept for a while, and each would keep the frames it came through.
        return FetchResult(name, error.with_traceback(None))
    except BaseException:
        share.release()
        raise


def iter_deleted_conversations(client: IntercomClient, since: int | None) -> Iterator[list[str]]:
    """The ids of the conversations deleted since a UNIX second (None: ever), a page at a time, newest first.

    The page that reaches beyond it is given whole. Nothing where the API version asked for has no such list.

    Raises:
        IntercomError: a page that stayed refused, after the pages read before it.
    """
    if not is_at_least(client.version, DELETED_LIST_SINCE):
        return
    number, before = 1, None
    while True:
        try:
            answer = client.deleted_conversations(number)
        except (NotFoundError, UnsupportedVersionError):
            return
        listed = answer["conversations"]
        if not listed or listed == before:  # a page that comes again would come for ever
            return
        yield [name for name in map(record_id, listed) if name]
        # Only whether there is a next page is asked: it is a URL, and the token must not follow it to another host.
        if next_page(answer) is None or _reaches(listed, since):
            return
        number, before = number + 1, listed


def _reaches(listed: list[Any], since: int | None) -> bool:
    times = [usable_timestamp(item.get("deleted_at")) for item in listed if isinstance(item, dict)]
    return since is not None and min((at for at in times if at is not None), default=since) < since
