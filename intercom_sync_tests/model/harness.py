"""Run syncs of a world with `run_sync`, real HTTP and a real Postgres, by the world's clock."""

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
from intercom_sync.pipeline.publish import PublishResult
from intercom_sync.pipeline.run_plan import RunRequest
from intercom_sync.pipeline.run_sync import STEPS, run_sync
from intercom_sync.pipeline.start_run import start_run
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.warehouse.marts import key_ranges
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import extractions
from intercom_sync.warehouse.state.runs import SyncRun
from intercom_sync_tests.model.world import World

OVERLAP = timedelta(hours=1)
WINDOW = 6 * 3600
RULES = Rules()


class SmallPages(IntercomClient):
    """A client with small pages, so that a small world has many pages."""

    per_page = 150

    def search(self, stream: Any, body: Any, size: PageSize, **options: Any) -> dict[str, Any]:
        return super().search(stream, body, PageSize(self.per_page), **options)


@dataclass(frozen=True)
class Off:
    """The offsets of the clocks in seconds, and whether Intercom's responses have a Date header."""

    machine: int = 0
    database: int = 0
    dated: bool = True


RIGHT = Off()


@dataclass
class Attempt:
    """The result of one attempt at a run.

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


class _StoppedError(Exception):
    """The attempt reached its limit of steps."""


class Harness:
    """Runs the syncs of one world."""

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
        """Run a sync until it ends, the API fails or it reaches the limit of steps."""
        self._runs += same is None
        # Each run has its own client, which does not know Intercom's time yet.
        self.client.close()
        self.client = self._new_client()
        before = len(self.sandbox.requests)
        with self.connect() as session:
            run = self.start(session, self.client, same or f"run-{self._runs:04d}", asked, off)
        attempt = Attempt(run, {})

        def before_step(step: str) -> None:
            if step == STEPS[1]:
                attempt.met, attempt.fetched = self._met(run), self._fetched(before)
                attempt.asked = self._asked(before)
            if STEPS.index(step) >= max(stages, 1):
                raise _StoppedError

        try:
            attempt.finished = run_sync(
                run,
                Reader(self.client, workers=3, clock=lambda: self.world.now),
                self.connect,
                RULES,
                overlap=OVERLAP,
                clock=lambda: instant(self.world.now + off.machine + 1),
                before_step=before_step,
            )
        except _StoppedError:
            pass
        except IntercomError:
            if stages:
                raise
            attempt.met, attempt.fetched = self._met(run), self._fetched(before)
        return attempt

    def start(
        self, session: Session, client: IntercomClient, name: str, asked: RunRequest, off: Off = RIGHT
    ) -> SyncRun:
        """Start a run."""
        now = self.world.now
        self.sandbox.dated(off.dated)
        return start_run(
            session, client, name, asked, partition(now),
            clock=lambda: instant(now + off.machine), database_clock=lambda _: instant(now + off.database),
        )  # fmt: skip

    def _asked(self, before: int) -> dict[str, int]:
        since = [one for one in self.sandbox.requests[before:] if one.method == "GET"]
        return {one.path.rpartition("/")[2]: one.status for one in since if one.path.startswith("/contacts/")}

    def _fetched(self, before: int) -> set[str]:
        came = [one for one in self.sandbox.requests[before:] if one.method == "GET" and one.status == 200]
        named = {one.path.removeprefix("/conversations/") for one in came if one.path.startswith("/conversations/")}
        return named - {"deleted"}

    def _met(self, run: SyncRun) -> dict[str, set[str]]:
        with self.connect() as session, session.transaction():
            reading = extractions.extraction_of_run(session, run.id)
            found = session.frame("SELECT kind, id FROM sync_seen_ids WHERE extraction_id = $1", reading).rows()
        return {kind: {name for which, name in found if which == kind} for kind in ("contact", "conversation")}


def instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def partition(second: int) -> Window:
    start = second - second % WINDOW
    return Window(instant(start), instant(start + WINDOW))
