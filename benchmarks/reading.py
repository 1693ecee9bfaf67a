"""Extraction at the rate limit: full scans and full syncs at several latencies, compared with the rate limit.

One baseline is the naive method: one cursor, and three conversation searches per contact. It is measured on a sample
and scaled by the number of requests, because it would take hours.
"""

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from benchmarks.database import fresh
from benchmarks.row import Row
from benchmarks.served import served
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.window import Window
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.intercom.reader import Reader
from intercom_sync.intercom.search_pages import PageSize, parse_page
from intercom_sync.intercom.streams import CONTACTS, CONVERSATIONS, search
from intercom_sync.pipeline.run_extraction import run_extraction
from intercom_sync.pipeline.run_plan import RunRequest, plan_run
from intercom_sync.warehouse.state import runs
from intercom_sync.warehouse.state.extractions import ExtractionLease

_RATE = 10
_GENERAL_RATE = 10_000 / 60
_LATENCIES = (0.1, 0.5, 2.0)
_DAY = 86_400


def rows(scale: float, repeat: int) -> list[Row]:
    """Measure the suite."""
    contacts = max(1_500, int(30_000 * scale))
    found: list[Row] = []
    for latency in _LATENCIES:
        with served(contacts=contacts, latency=latency) as url:
            figures = tuple(_full_read(url) for _ in range(repeat))
        pages = ceil(contacts / 150)
        what = f"full read of {contacts:,} contacts, {_RATE} requests/s, {latency} s latency"
        found.append(Row(what, tuple(took for took, _ in figures), (pages / _RATE,), "s", 1.15))
        found.append(Row("requests of that read", tuple(count for _, count in figures), (pages,), "requests", None))
    return [*found, *_full_sync(contacts, repeat), *_naive_baseline(contacts)]


def _full_read(url: str) -> tuple[float, float]:
    with IntercomClient("t", base_url=url) as client:
        began = time.perf_counter()
        for _ in Reader(client).full_scan(CONTACTS):
            pass
        return time.perf_counter() - began, float(client.request_stats.requests)


def _full_sync(contacts: int, repeat: int) -> list[Row]:
    """Measure a full sync, and then a window without changes."""
    conversations, details = contacts // 2, contacts // 6
    with served(contacts=contacts, conversations=conversations, details=details, latency=0.3) as url:
        figures = [_one_full_sync(url, details) for _ in range(repeat)]
        quiet = _quiet_window(url)
    pages = ceil(contacts / 150), ceil(conversations / 150)
    floor = max(pages[0] / _RATE, (pages[1] + details) / _GENERAL_RATE)
    what = f"full sync, {contacts:,} contacts, {conversations:,} conversations, {details:,} details, 0.3 s latency"
    return [
        Row(what, tuple(took for took, _ in figures), (floor,), "s", 1.2),
        Row(
            "requests of that full sync",
            tuple(count for _, count in figures),
            (float(sum(pages) + details),),
            "requests",
            1.05,
        ),
        Row("requests of a window without changes, both streams", (quiet,), (2.0,), "requests", 2),
    ]


def _one_full_sync(url: str, details: int) -> tuple[float, float]:
    connect = fresh()
    with IntercomClient("t", base_url=url) as client:
        with connect() as session, ExtractionLease(connect) as lease:
            window = Window(datetime(2026, 1, 1, tzinfo=UTC), _now())
            run = runs.start(session, plan_run("bench", RunRequest(full=True), window, None, _now()))
            began = time.perf_counter()
            _, conversations = run_extraction(
                Reader(client), session, connect, run, lease, rules=Rules(), overlap=timedelta()
            )
            took = time.perf_counter() - began
        if conversations.parts_fetched != details:
            raise RuntimeError(f"{conversations.parts_fetched} details were fetched where {details} were needed")
        return took, float(client.request_stats.requests)


def _quiet_window(url: str) -> float:
    """Return the number of requests of a window after all changes."""
    start = int(time.time()) + 30 * _DAY
    with IntercomClient("t", base_url=url) as client:
        reader = Reader(client, clock=lambda: start + 60)
        for stream in (CONTACTS, CONVERSATIONS):
            for _ in reader.incremental_scan(stream, start, start + 60):
                pass
        return float(client.request_stats.requests)


def _naive_baseline(contacts: int) -> list[Row]:
    """Measure one cursor and three searches per contact sequentially, on three pages and 50 contacts, and scale up."""
    pages, sampled = 3, 50
    with served(contacts=1_000, conversations=500, latency=0.3) as url, IntercomClient("t", base_url=url) as client:
        size, began = PageSize(), time.perf_counter()
        found = list(itertools.islice(_one_cursor(client, size), pages))
        one_page = (time.perf_counter() - began) / pages
        began = time.perf_counter()
        for contact in found[0][:sampled]:
            for query in _three_searches(contact["id"]):
                client.search(CONVERSATIONS, query, size)
        one_contact = (time.perf_counter() - began) / sampled
    what = (
        f"baseline, one cursor and three searches per contact, {contacts:,} contacts "
        f"(from {pages} pages and {3 * sampled} searches)"
    )
    took = ceil(contacts / 150) * one_page + contacts * one_contact
    return [Row(what, (took,), (ceil(contacts / 150) / _RATE,), "s", None)]


def _one_cursor(client: IntercomClient, size: PageSize) -> Iterator[list[Any]]:
    cursor = None
    while True:
        found = parse_page(
            CONTACTS, client.search(CONTACTS, search("created_at", descending=False, cursor=cursor), size)
        )
        yield found.records
        cursor = found.cursor


def _three_searches(contact: str) -> Iterator[dict[str, Any]]:
    """Yield the searches for all conversations of a contact, those of the last 30 days, and the open ones."""
    by_contact = {"field": "contact_ids", "operator": "=", "value": contact}
    since = {"field": "created_at", "operator": ">", "value": int(time.time()) - 30 * _DAY}
    is_open = {"field": "open", "operator": "=", "value": True}
    for query in (by_contact, _both(by_contact, since), _both(by_contact, is_open)):
        yield {"query": query, "pagination": {"per_page": 150}}


def _both(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {"operator": "AND", "value": list(conditions)}


def _now() -> datetime:
    return datetime.now(UTC)
