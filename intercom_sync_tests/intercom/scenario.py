"""Shared helpers: a workspace on a sandbox, a client that does not wait, and clocks."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from intercom_sync.intercom.client import IntercomClient
from intercom_sync.intercom.reader import CheckpointedPage, Reader
from intercom_sync.intercom.streams import Stream
from intercom_sync.sandbox.builders import contact, conversation
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace

NOW = 1_770_000_000
DAY = 86_400
TOKEN = "tok_invented_for_tests"


class HandClock:
    """A thread-safe clock that advances only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def __call__(self) -> float:
        with self._lock:
            return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.now += seconds


def company_of(created: Iterable[int], *, timezone: str = "UTC") -> Workspace:
    """Create a workspace with one contact per creation time; ids contain the number."""
    company = Workspace(timezone=timezone)
    for number, at in enumerate(created):
        company.put_contact(contact(id=f"{number:024x}", created_at=at, updated_at=at))
    return company


def talks_of(updated: Iterable[int]) -> Workspace:
    """Create a workspace with one conversation per update time."""
    company = Workspace()
    for number, at in enumerate(updated):
        company.put_conversation(conversation(id=str(1000 + number), created_at=at, updated_at=at))
    return company


def brief(seconds: float) -> None:
    """Yield to other threads instead of sleeping."""
    time.sleep(min(seconds, 0.001))


def client_of(url: str, *, version: str = "2.16", **options: Any) -> IntercomClient:
    """Create a client without a rate limit that does not wait."""
    options.setdefault("sleep", brief)
    return IntercomClient(TOKEN, base_url=url, version=version, contacts_per_second=None, **options)


@contextmanager
def reading(
    company: Workspace,
    *,
    version: str = "2.16",
    workers: int = 6,
    now: Callable[[], float] = lambda: NOW,
    latency: float = 0.0,
) -> Iterator[tuple[Sandbox, Reader]]:
    """Open a sandbox with a workspace, and a reader on it."""
    with Sandbox(company, latency=latency) as sandbox, client_of(sandbox.url, version=version) as client:
        yield sandbox, Reader(client, workers=workers, clock=now)


def ids(pages: Iterable[CheckpointedPage]) -> list[str]:
    """Return the delivered ids in order."""
    return [record["id"] for page in pages for record in page.records]


def searches(sandbox: Sandbox, stream: Stream = Stream.CONTACTS) -> list[Any]:
    """Return the bodies of the received searches."""
    return [request.json for request in sandbox.requests if request.path == stream.path]


def wait_until_quiet() -> None:
    """Wait until no scan worker is running; the last requests of an interrupted scan may be in flight."""
    while any(thread.name.startswith("intercom-") for thread in threading.enumerate()):
        time.sleep(0.005)
