"""One sync over real HTTP and a real Postgres, stage by stage as the assets do it, under a world's clock."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from intercom_sync.domain.rules import Rules
from intercom_sync.domain.window import Window
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.intercom.errors import IntercomError
from intercom_sync.intercom.reader import Reader
from intercom_sync.intercom.search_pages import PageSize
from intercom_sync.intercom.streams import CONTACTS, CONVERSATIONS
from intercom_sync.pipeline.extract import Extractor
from intercom_sync.pipeline.publish import PublishResult, publish_customers
from intercom_sync.pipeline.run_plan import RunRequest
from intercom_sync.pipeline.start_run import start_run
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.warehouse.marts import key_ranges
from intercom_sync.warehouse.marts.revenue_metrics import refresh_revenue
from intercom_sync.warehouse.marts.support_metrics import refresh_support
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import runs
from intercom_sync.warehouse.state.extractions import ExtractionLease
from intercom_sync.warehouse.state.runs import SyncRun
from intercom_sync_tests.model.world import World

OVERLAP = timedelta(hours=1)
WINDOW = 6 * 3600
RULES = Rules()


class SmallPages(IntercomClient):
    """A client whose pages hold few records, so that a small world has many of them."""

    per_page = 150

    def search(self, stream: Any, body: Any, size: PageSize, **options: Any) -> dict[str, Any]:
        return super().search(stream, body, PageSize(self.per_page), **options)


@dataclass(frozen=True)
class Off:
    """How many seconds the clocks are from the time, and whether Intercom's answers say what time it is."""

    machine: int = 0
    database: int = 0
    dated: bool = True


RIGHT = Off()


@dataclass
class Attempt:
    """What one attempt at a run did.

    Attributes:
        run: as it was planned.
        met: ids met by its reading so far, by kind.
        asked: contacts asked for alone, with the status that answered.
        fetched: conversations whose parts came.
        finished: None where it broke off.
    """

    run: SyncRun
    met: dict[str, set[str]]
    asked: dict[str, int] = field(default_factory=dict)
    fetched: set[str] = field(default_factory=set)
    finished: PublishResult | None = None


class Harness:
    """Runs syncs of one world."""

    def __init__(
        self, world: World, sandbox: Sandbox, connect: Callable[[], Session], version: str, per_page: int, bucket: int
    ):
        self.world, self.sandbox, self.connect = world, sandbox, connect
        self._version, self._per_page = version, per_page
        self.client = self._new_client()
        self._per_bucket, key_ranges.CUSTOMERS_PER_RANGE = key_ranges.CUSTOMERS_PER_RANGE, bucket
        self._runs = 0

    def _new_client(self) -> SmallPages:
        client = SmallPages(
            "tok_invented", base_url=self.sandbox.url, version=self._version, contacts_per_second=None,
            sleep=lambda seconds: time.sleep(min(seconds, 0.001)), wall=lambda: self.world.now,
        )  # fmt: skip
        client.per_page = self._per_page
        return client

    def close(self) -> None:
        self.client.close()
        key_ranges.CUSTOMERS_PER_RANGE = self._per_bucket

    def attempt(self, asked: RunRequest, *, stages: int = 4, same: str | None = None, off: Off = RIGHT) -> Attempt:
        """Sync, as far as the API and the given number of stages let it: read, revenue, support, customers."""
        self._runs += same is None
        # As every run has one of its own, which has not heard yet what time it is.
        self.client.close()
        self.client = self._new_client()
        before = len(self.sandbox.requests)
        with self.connect() as session, ExtractionLease(self.connect) as lease:
            run = self.start(session, self.client, same or f"run-{self._runs:04d}", asked, off)
            reading = lease.acquire(run)
            attempt = Attempt(run, {})
            try:
                self._collect(session, run, reading)
            except IntercomError:
                attempt.met, attempt.fetched = self._met(session, reading), self._fetched(before)
                if stages == 0:
                    return attempt
                raise
            attempt.met = self._met(session, reading)
            attempt.asked, attempt.fetched = self._asked(before), self._fetched(before)
            if stages > 1:
                refresh_revenue(session, RULES, run.id, run.as_of)
            if stages > 2:
                refresh_support(session, RULES, run.as_of, run.earliest_now)
            if stages > 3:
                attempt.finished = publish_customers(
                    session, run, RULES, lambda: instant(self.world.now + off.machine + 1)
                )
        return attempt

    def start(
        self, session: Session, client: IntercomClient, name: str, asked: RunRequest, off: Off = RIGHT
    ) -> SyncRun:
        """Begin a run."""
        now = self.world.now
        self.sandbox.dated(off.dated)
        return start_run(
            session, client, name, asked, partition(now),
            clock=lambda: instant(now + off.machine), database_clock=lambda _: instant(now + off.database),
        )  # fmt: skip

    def _collect(self, session: Session, run: SyncRun, reading: Any) -> None:
        reader = Reader(self.client, workers=3, clock=lambda: self.world.now)
        window = run.window.widened(OVERLAP)
        collected = Extractor(reader, self.connect, run, window, reading, RULES).extract([CONTACTS, CONVERSATIONS])
        with session.transaction():
            runs.add_counts(session, run.id, collected[0].records_seen, collected[1].records_seen, 0)

    def _asked(self, before: int) -> dict[str, int]:
        since = [one for one in self.sandbox.requests[before:] if one.method == "GET"]
        return {one.path.rpartition("/")[2]: one.status for one in since if one.path.startswith("/contacts/")}

    def _fetched(self, before: int) -> set[str]:
        came = [one for one in self.sandbox.requests[before:] if one.method == "GET" and one.status == 200]
        named = {one.path.removeprefix("/conversations/") for one in came if one.path.startswith("/conversations/")}
        return named - {"deleted"}

    @staticmethod
    def _met(session: Session, reading: Any) -> dict[str, set[str]]:
        with session.transaction():
            found = session.frame("SELECT kind, id FROM sync_seen_ids WHERE extraction_id = $1", reading).rows()
        return {kind: {name for which, name in found if which == kind} for kind in ("contact", "conversation")}


def instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def partition(second: int) -> Window:
    start = second - second % WINDOW
    return Window(instant(start), instant(start + WINDOW))
