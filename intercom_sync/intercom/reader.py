"""How a workspace is read: a window of changes, everything, or single conversations. The package's front door.

Each read is a `plan` carried out by a `workers`; what becomes of the records is the caller's business.
"""

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
    """What the last read of a stream delivered against what Intercom counted when it began and when it ended.

    Each record is counted once in a full read. A full read that was not broken off has everything that was there when
    it began; the counts are a second opinion, and None where Intercom gave none.
    """

    seen: int
    total_at_start: int | None
    total_at_end: int | None


class Reader:
    """The reading strategy over one client. Safe for threads: streams and details may be read at the same time.

    Args:
        client: The workspace.
        workers: Calls under way at once, for each read.
        clock: UNIX seconds.
    """

    def __init__(self, client: IntercomClient, *, workers: int = 24, clock: Clock = time.time) -> None:
        self._client = client
        self._workers = workers
        self._clock = clock
        self._plans: dict[Stream, ScanPlanner] = {}

    @property
    def request_stats(self) -> RequestStats:
        """Calls made through the client so far: requests, retries, and errors (calls given up)."""
        return self._client.request_stats

    def scan_counts(self, stream: Stream) -> ScanCounts:
        """The last read of a stream, begun or finished, against Intercom's own counts."""
        plan = self._plans[stream]
        return ScanCounts(plan.seen, plan.first_total, plan.line.total)

    def incremental_scan(
        self, stream: Stream, start: int, end: int, resume: Sequence[Checkpoint] = ()
    ) -> Generator[CheckpointedPage, None, None]:
        """The records whose `updated_at` lies in [start, end), newest first, ending at the first page that is older.

        A long window is cut into shards like a full read.

        Args:
            stream: What to read.
            start: The first second of the window, epoch.
            end: The second after its last.
            resume: The marks of an earlier, unfinished read of the same window.

        Raises:
            IntercomError: a page that stayed refused, after the pages read before it.
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
        return self._read(scope, resume)

    def full_scan(
        self, stream: Stream, resume: Sequence[Checkpoint] = (), quantiles: Sequence[int] | None = None
    ) -> Generator[CheckpointedPage, None, None]:
        """Every record there is, cut into shards of `created_at` that are read side by side.

        Args:
            stream: What to read.
            resume: The marks of an earlier, unfinished full read.
            quantiles: Creation times that cut the records of the last scan into equal shares; hints for split points.
                None when nothing is known.

        Raises:
            IntercomError: a page that stayed refused, after the pages read before it.
        """
        exact = stream.dates_are_exact(self._client.version)
        return self._read(ScanScope(stream, "created_at", now=int(self._clock()), exact=exact), resume, quantiles)

    def conversation_details(
        self, ids: Iterable[str], known: Callable[[], Sequence[str]] = tuple
    ) -> Generator[FetchResult, None, None]:
        """Each conversation with its parts, as they come; see `details.details`."""
        return self._details(self._client.conversation, ids, known)

    def contact_details(
        self, ids: Iterable[str], known: Callable[[], Sequence[str]] = tuple
    ) -> Generator[FetchResult, None, None]:
        """Each contact, or why there is none, as they come; see `details.details`."""
        return self._details(self._client.contact, ids, known)

    def deleted_conversations(self, since: int | None) -> Iterator[list[str]]:
        """The ids of deleted conversations, newest first; see `deleted.deleted`."""
        return iter_deleted_conversations(self._client, since)

    def _details(
        self, fetch: Fetch, ids: Iterable[str], known: Callable[[], Sequence[str]]
    ) -> Generator[FetchResult, None, None]:
        limiter = self._client.limiters[Stream.CONVERSATIONS]
        return fetch_many(fetch, ids, limiter=limiter, workers=self._workers, budget=self._client.budget, known=known)

    def _read(
        self, scope: ScanScope, resume: Sequence[Checkpoint], known: Sequence[int] | None = None
    ) -> Generator[CheckpointedPage, None, None]:
        plan = self._plans[scope.stream] = ScanPlanner(scope, resume, known)
        return ScanWorkers(self._client, plan, workers=self._workers).pages()
