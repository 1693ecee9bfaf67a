"""Threads that carry out a plan side by side and hand its pages to one consumer, few at a time.

What is read next is decided in `plan`; how one call is made, in `client`.
"""

import logging
import queue
import threading
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from intercom_sync.intercom import search_pages
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.intercom.errors import CancelledError, ClientError
from intercom_sync.intercom.http.byte_budget import Share
from intercom_sync.intercom.http.rate_limiter import Permit, RateLimiter
from intercom_sync.intercom.scan.cursor import Checkpoint, ShardCursor
from intercom_sync.intercom.scan.planner import ScanPlanner

_LOG = logging.getLogger("intercom_sync.intercom")
_POLL_SECONDS = 0.15
"""Seconds without any answer after which waiting workers cut by guess."""
_MAX_QUEUED_PAGES = 8


@dataclass(frozen=True)
class CheckpointedPage:
    """Some records of a read, cut to what was asked for, and how far the read has come with them.

    Land the records before the mark, and pages in the order they come: a mark may count on the pages before it.
    Records whose time is not a usable one are passed through uncut.
    """

    records: list[Any]
    checkpoint: Checkpoint
    total: int | None
    """How many records the search matched, as far as known: for a progress bar, not for a decision."""
    size: int = 0
    """About the bytes of memory that the records take."""


class ScanWorkers:
    """Workers for one plan."""

    def __init__(self, client: IntercomClient, plan: ScanPlanner, *, workers: int) -> None:
        self._client = client
        self._plan = plan
        self._limiter: RateLimiter = client.limiters[plan.scope.stream]
        self._size = search_pages.PageSize()
        self._workers = workers
        self._news = threading.Condition()
        self._delivery = threading.Lock()
        self._queue: queue.Queue[tuple[CheckpointedPage | BaseException | None, Share]] = queue.Queue(_MAX_QUEUED_PAGES)
        self._stop = threading.Event()
        self._closed = threading.Event()

    def pages(self) -> Generator[CheckpointedPage, None, None]:
        """The pages as they come; closing the iterator stops the workers.

        Raises:
            IntercomError: what a worker met, after the pages read before it.
        """
        if self._plan.is_over:
            return
        for number in range(self._workers):
            threading.Thread(target=self._work, name=f"intercom-{number}", daemon=True).start()
        try:
            while (item := self._take()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self._closed.set()
            self._halt()
            self._drop()

    def _take(self) -> CheckpointedPage | BaseException | None:
        item, share = self._queue.get()
        share.release()
        return item

    def _drop(self) -> None:
        """Leave no page behind: an error that the reader may keep refers to all this."""
        with suppress(queue.Empty):
            while True:
                self._queue.get_nowait()[1].release()

    def _work(self) -> None:
        try:
            while self._has_work():
                turn = self._limiter.acquire(self._stop)
                with self._news:
                    walk = self._plan.next_task()
                if walk is None:
                    self._limiter.release(turn)
                    continue
                self._read(walk, turn)
        except CancelledError:
            return
        except BaseException as error:
            self._finish(error)

    def _has_work(self) -> bool:
        """Wait for something to do; False when there will be nothing more."""
        with self._news:
            while not self._stop.is_set() and not self._plan.can_take():
                if not self._news.wait(_POLL_SECONDS):
                    self._plan.first_page_slow = True
            return not self._stop.is_set()

    def _read(self, walk: ShardCursor, turn: Permit) -> None:
        share = self._client.budget.share()
        try:
            self._read_holding(share, walk, turn)
        except BaseException:
            share.release()
            raise

    def _read_holding(self, share: Share, walk: ShardCursor, turn: Permit) -> None:
        """Read a walk's next page and hand it on, in the same order in which the plan heard of it."""
        try:
            answer = self._client.search(
                walk.stream, walk.body(), self._size, permit=turn, stop=self._stop, share=share
            )
        except ClientError as error:
            self._start_over(walk, error)
            return
        with self._delivery:
            with self._news:
                kept = self._plan.accept(walk, search_pages.parse_page(walk.stream, answer, self._size.current))
                page = (
                    None
                    if kept is None
                    else CheckpointedPage(kept, walk.checkpoint(), self._plan.line.total, share.held)
                )
                self._news.notify_all()
            if page is None:
                share.release()
            else:
                self._put(page, share)
        self._release(walk)

    def _start_over(self, walk: ShardCursor, error: ClientError) -> None:
        """A cursor may be refused in the middle of a read: go on from the last position without it."""
        with self._news:
            if error.status != 400 or not walk.refused():
                raise error
        _LOG.info("Intercom: a search's cursor was refused (%s); going on from the last position", error.code)
        self._release(walk)

    def _release(self, walk: ShardCursor) -> None:
        with self._news:
            self._plan.finish(walk)
            over = self._plan.is_over
            self._news.notify_all()
        if over:
            self._finish(None)

    def _finish(self, last: BaseException | None) -> None:
        self._halt()
        with self._delivery:
            self._put(last, self._client.budget.share())

    def _halt(self) -> None:
        self._stop.set()
        with self._news:
            self._news.notify_all()

    def _put(self, item: CheckpointedPage | BaseException | None, share: Share) -> None:
        while not self._closed.is_set():
            try:
                self._queue.put((item, share), timeout=0.2)
            except queue.Full:
                continue
            break
        else:
            share.release()
        if self._closed.is_set():
            self._drop()
