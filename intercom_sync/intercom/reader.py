"""The interface of the package: full scans, incremental scans, and fetches by id."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from intercom_sync.intercom import streams
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.intercom.fetch_by_id import Fetch, FetchResult, fetch_many, iter_deleted_conversations
from intercom_sync.intercom.http.rate_limiter import Clock
from intercom_sync.intercom.http.retry import RequestStats
from intercom_sync.intercom.scan.cursor import Checkpoint
from intercom_sync.intercom.scan.planner import ScanPlanner
from intercom_sync.intercom.scan.shards import ScanScope
from intercom_sync.intercom.scan.workers import CheckpointedPage, ScanWorkers
from intercom_sync.intercom.streams import Stream


@dataclass(frozen=True)
class ScanCounts:
    """Compare the records of a scan with Intercom's own counts at its start and end, which may be None.

    Records of a full scan are deduplicated. A complete full scan has every record that existed when it started; the
    counts only reconcile it.
    """

    seen: int
    total_at_start: int | None
    total_at_end: int | None


class Reader:
    """Read a workspace's streams and records through one client. Thread-safe; scans and fetches may run in parallel.

    Args:
        client: The client of the workspace.
        workers: Concurrent calls of each scan.
        clock: UNIX seconds.
    """

    def __init__(self, client: IntercomClient, *, workers: int = 24, clock: Clock = time.time) -> None:
        self._client = client
        self._workers = workers
        self._clock = clock
        self._plans: dict[Stream, ScanPlanner] = {}

    @property
    def request_stats(self) -> RequestStats:
        """Return the client's requests, retries and errors (calls that failed after all retries) so far."""
        return self._client.request_stats

    def scan_counts(self, stream: Stream) -> ScanCounts:
        """Return the counts of the last scan of a stream, running or finished."""
        plan = self._plans[stream]
        return ScanCounts(plan.seen, plan.first_total, plan.shard_list.total)

    def incremental_scan(
        self, stream: Stream, start: int, end: int, resume: Sequence[Checkpoint] = ()
    ) -> Generator[CheckpointedPage, None, None]:
        """Yield the records whose `updated_at` is in [start, end), newest first, up to the first older page.

        A long window is split into shards like a full scan.

        Args:
            stream: The stream to scan.
            start: Start of the window, UNIX seconds.
            end: End of the window, exclusive.
            resume: Checkpoints of an unfinished scan of the same window.

        Raises:
            IntercomError: a page failed after all retries; the pages before it were yielded.
        """
        now = int(self._clock())
        before = streams.upper_bound(stream, end)
        scope = ScanScope(
            stream,
            "updated_at",
            now=now,
            exact=stream.dates_are_exact(self._client.version),
            floor=start,
            ceiling=end,
            after=streams.lower_bound(stream, start),
            before=before if before <= now else None,
            downward=True,
        )
        return self._scan(scope, resume)

    def full_scan(
        self, stream: Stream, resume: Sequence[Checkpoint] = (), quantiles: Sequence[int] | None = None
    ) -> Generator[CheckpointedPage, None, None]:
        """Yield every record, in shards of `created_at` that are scanned in parallel.

        Args:
            stream: The stream to scan.
            resume: Checkpoints of an unfinished full scan.
            quantiles: Quantiles of `created_at` in the last scan, as hints for split points; None when unknown.

        Raises:
            IntercomError: a page failed after all retries; the pages before it were yielded.
        """
        exact = stream.dates_are_exact(self._client.version)
        return self._scan(ScanScope(stream, "created_at", now=int(self._clock()), exact=exact), resume, quantiles)

    def conversation_details(
        self, ids: Iterable[str], known_ids: Callable[[], Sequence[str]] = tuple
    ) -> Generator[FetchResult, None, None]:
        """Fetch conversations with their parts; see `fetch_by_id.fetch_many`."""
        return self._fetch(self._client.conversation, ids, known_ids)

    def contact_details(
        self, ids: Iterable[str], known_ids: Callable[[], Sequence[str]] = tuple
    ) -> Generator[FetchResult, None, None]:
        """Fetch contacts; see `fetch_by_id.fetch_many`."""
        return self._fetch(self._client.contact, ids, known_ids)

    def deleted_conversations(self, since: int | None) -> Iterator[list[str]]:
        """Yield pages of ids of deleted conversations, newest first; see `fetch_by_id.iter_deleted_conversations`."""
        return iter_deleted_conversations(self._client, since)

    def _fetch(
        self, fetch: Fetch, ids: Iterable[str], known_ids: Callable[[], Sequence[str]]
    ) -> Generator[FetchResult, None, None]:
        limiter = self._client.limiters[Stream.CONVERSATIONS]
        return fetch_many(
            fetch, ids, limiter=limiter, workers=self._workers, budget=self._client.budget, known_ids=known_ids
        )

    def _scan(
        self, scope: ScanScope, resume: Sequence[Checkpoint], quantiles: Sequence[int] | None = None
    ) -> Generator[CheckpointedPage, None, None]:
        plan = self._plans[scope.stream] = ScanPlanner(scope, resume, quantiles)
        return ScanWorkers(self._client, plan, workers=self._workers).pages()
