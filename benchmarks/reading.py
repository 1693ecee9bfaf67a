"""Reading at the rate limit: a full read and a full sync at several latencies, against what the rate dictates.

One baseline is the directive taken to the letter: one cursor, and three conversation searches for each contact.
"""

import time
from datetime import UTC, datetime
from math import ceil

from benchmarks.database import fresh
from benchmarks.row import Row
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.window import Window
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.intercom.reader import Reader
from intercom_sync.intercom.streams import CONTACTS, CONVERSATIONS
from intercom_sync.sandbox.company import Company
from intercom_sync.sandbox.generate import generate
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sync.collect import Collector
from intercom_sync.sync.plan import Asked, plan_run
from intercom_sync.warehouse import readings, runs

_RATE = 10
_LATENCIES = (0.1, 0.5, 2.0)


def rows(scale: float, repeat: int) -> list[Row]:
    """Measure."""
    contacts = max(1_500, int(30_000 * scale))
    company = generate(contacts=contacts, conversations=contacts // 2)
    found: list[Row] = []
    for latency in _LATENCIES:
        figures = [_full_read(company, latency) for _ in range(repeat)]
        floor = ceil(contacts / 150) / _RATE
        what = f"full read of {contacts:,} contacts, {_RATE} requests/s, {latency} s latency"
        found.append(Row(what, tuple(figures), (floor,), "s", 1.15))
    return found + _full_sync(company, contacts, repeat) + _quiet_window(company) + _to_the_letter(company, contacts)


def _full_read(company: Company, latency: float) -> float:
    with Sandbox(company, rate=1_000, latency=latency) as sandbox, IntercomClient("t", base_url=sandbox.url) as client:
        began = time.perf_counter()
        for _ in Reader(client).everything(CONTACTS):
            pass
        return time.perf_counter() - began


def _full_sync(company: Company, contacts: int, repeat: int) -> list[Row]:
    took, requests, needed, details = [], [], 0, 0
    for _ in range(repeat):
        connect = fresh()
        with Sandbox(company, rate=166.7, latency=0.3) as sandbox, IntercomClient("t", base_url=sandbox.url) as client:
            with connect() as session:
                run = plan_run(
                    "bench", Asked(full=True), Window(datetime(2026, 1, 1, tzinfo=UTC), _now()), None, _now()
                )
                run = runs.begin(session, run)
            reading = readings.take(connect, run)
            began = time.perf_counter()
            collector = Collector(Reader(client), connect, run, run.window, reading, Rules())
            _, conversations = collector.collect([CONTACTS, CONVERSATIONS])
            took.append(time.perf_counter() - began)
            requests.append(float(client.counts.requests))
            readings.let_go(run.run)
            details = conversations.details
    pages = ceil(contacts / 150), ceil(contacts / 2 / 150)
    needed = sum(pages) + details
    budgets = max(pages[0] / _RATE, (pages[1] + details) / 166.7)
    what = f"full sync, {contacts:,} contacts, {contacts // 2:,} conversations, {details:,} details, 0.3 s latency"
    return [
        Row(what, tuple(took), (budgets,), "s", 1.2),
        Row("requests of that full sync", tuple(requests), (float(needed),), "requests", 1.05),
    ]


def _quiet_window(company: Company) -> list[Row]:
    newest = max(c["updated_at"] for c in company.contacts() if isinstance(c.get("updated_at"), int))
    with Sandbox(company) as sandbox, IntercomClient("t", base_url=sandbox.url) as client:
        reader = Reader(client)
        start = min(newest, int(time.time())) + 1
        for stream in (CONTACTS, CONVERSATIONS):
            for _ in reader.window(stream, start, start + 60):
                pass
        return [
            Row("requests of a window without changes, both streams", (float(client.counts.requests),), (2,), "", 2)
        ]


def _to_the_letter(company: Company, contacts: int) -> list[Row]:
    """What one cursor and three conversation searches a contact would take at the same rate, from one page of it."""
    with Sandbox(company, rate=1_000, latency=0.3) as sandbox, IntercomClient("t", base_url=sandbox.url) as client:
        began = time.perf_counter()
        client.me()
        one_call = time.perf_counter() - began
    calls = ceil(contacts / 150) + 3 * contacts
    ours = calls * max(one_call, 1 / _RATE)
    floor = ceil(contacts / 150) / _RATE
    return [
        Row("baseline: the directive to the letter, one call after another (calculated)", (ours,), (floor,), "s", None)
    ]


def _now() -> datetime:
    return datetime.now(UTC)
