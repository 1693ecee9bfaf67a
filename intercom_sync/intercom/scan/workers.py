"""Worker threads of a sharded scan. Pages reach one consumer through a bounded queue."""

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
"""Time without a response after which idle workers split shards at guessed times."""
_MAX_QUEUED_PAGES = 8


@dataclass(frozen=True)
class CheckpointedPage:
    """Hold the in-scope records of one page and the checkpoint after them.

    Land the pages in order, and the records of a page before its checkpoint, because a checkpoint relies on all pages
    before it. Records without a valid time are included.
    """

    records: list[Any]
    checkpoint: Checkpoint
    total: int | None
    """Number of records that the search matched, when known; for progress only."""
    size: int = 0
    """Approximate bytes of memory."""


class ScanWorkers:
    """Run the workers of one scan."""

    def __init__(self, client: IntercomClient, plan: ScanPlanner, *, workers: int) -> None:
        self._client = client
        self._plan = plan
        self._limiter: RateLimiter = client.limiters[plan.scope.stream]
        self._size = search_pages.PageSize()
        self._workers = workers
        self._changed = threading.Condition()
        self._delivery = threading.Lock()
        self._queue: queue.Queue[tuple[CheckpointedPage | BaseException | None, Share]] = queue.Queue(_MAX_QUEUED_PAGES)
        self._stop = threading.Event()
        self._closed = threading.Event()

    def pages(self) -> Generator[CheckpointedPage, None, None]:
        """Yield the pages as they arrive; closing the iterator stops the workers.

        Raises:
            IntercomError: a call of a worker failed; the pages before it were yielded.
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
        """Release the queued pages: an error that the caller keeps may reference this object."""
        with suppress(queue.Empty):
            while True:
                self._queue.get_nowait()[1].release()

    def _work(self) -> None:
        try:
            while self._has_work():
                permit = self._limiter.acquire(self._stop)
                with self._changed:
                    cursor = self._plan.next_task()
                if cursor is None:
                    self._limiter.release(permit)
                    continue
                self._read(cursor, permit)
        except CancelledError:
            return
        except BaseException as error:
            self._finish(error)

    def _has_work(self) -> bool:
        """Wait for a page to read; return False when the scan has ended."""
        with self._changed:
            while not self._stop.is_set() and not self._plan.can_take():
                if not self._changed.wait(_POLL_SECONDS):
                    self._plan.first_page_slow = True
            return not self._stop.is_set()

    def _read(self, cursor: ShardCursor, permit: Permit) -> None:
        share = self._client.budget.share()
        try:
            self._read_page(share, cursor, permit)
        except BaseException:
            share.release()
            raise

    def _read_page(self, share: Share, cursor: ShardCursor, permit: Permit) -> None:
        """Fetch a cursor's next page and deliver it, in the same order in which the planner accepted it."""
        try:
            response = self._client.search(
                cursor.stream, cursor.body(), self._size, permit=permit, stop=self._stop, share=share
            )
        except ClientError as error:
            self._start_over(cursor, error)
            return
        with self._delivery:
            with self._changed:
                records = self._plan.accept(
                    cursor, search_pages.parse_page(cursor.stream, response, self._size.current)
                )
                page = (
                    None
                    if records is None
                    else CheckpointedPage(records, cursor.checkpoint(), self._plan.shard_list.total, share.held)
                )
                self._changed.notify_all()
            if page is None:
                share.release()
            else:
                self._put(page, share)
        self._release(cursor)

    def _start_over(self, cursor: ShardCursor, error: ClientError) -> None:
        """Restart a cursor that Intercom rejected during a scan from its last position."""
        with self._changed:
            if error.status != 400 or not cursor.restart_after_rejection():
                raise error
        _LOG.info("Intercom: a search cursor was rejected (%s); the scan continues from the last position", error.code)
        self._release(cursor)

    def _release(self, cursor: ShardCursor) -> None:
        with self._changed:
            self._plan.finish(cursor)
            is_over = self._plan.is_over
            self._changed.notify_all()
        if is_over:
            self._finish(None)

    def _finish(self, last: BaseException | None) -> None:
        self._halt()
        with self._delivery:
            self._put(last, self._client.budget.share())

    def _halt(self) -> None:
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

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
