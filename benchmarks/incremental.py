"""Incremental syncs over twelve days: records kept and requests sent, compared with the naive query.

Contacts are created over time, some change again, and 17 syncs run, one every third six-hour window. The floor of a
sync is one page per 150 contacts changed since the previous sync, and one page for the conversations.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil

from benchmarks.database import fresh
from benchmarks.row import Row
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.window import Window
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.intercom.reader import Reader
from intercom_sync.intercom.search_pages import PageSize, parse_page
from intercom_sync.intercom.streams import CONTACTS
from intercom_sync.pipeline.run_plan import RunRequest, get_or_start_run
from intercom_sync.pipeline.run_sync import run_sync
from intercom_sync.sandbox.builders import contact
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync.warehouse.postgres.session import Session

ZONES = ("UTC", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Kiritimati")
SYNCS, CONTACT_COUNT = 17, 1_200
_START = 1_772_323_200
_WINDOW_SECONDS = 6 * 3600
_SYNC_INTERVAL_SECONDS = 3 * _WINDOW_SECONDS
_OVERLAP = timedelta(hours=1)


@dataclass
class Outcome:
    """The outcome of a sync method: contacts with their newest version, and counts per sync."""

    kept: int = 0
    requests: list[int] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    floors: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)


def rows(scale: float, repeat: int) -> list[Row]:
    """Measure once regardless of `repeat`, because nothing is timed."""
    count = max(170, int(CONTACT_COUNT * scale))
    found: list[Row] = []
    for zone in ZONES:
        ours, naive = both(zone, count)
        kept = f"contacts kept of {count:,} by {SYNCS} syncs, {zone}"
        found += [
            Row(kept, (ours.kept,), (count,), "contacts", 1.0),
            Row(f"{kept}; `updated_at > last_sync`", (naive.kept,), (count,), "contacts", None),
            Row(f"requests of those syncs, {zone}", (sum(ours.requests),), (sum(ours.floors),), "requests", 2.0),
            Row(f"contacts they read, {zone}", (sum(ours.records),), (sum(ours.changed),), "contacts", 1.5),
        ]
    return found


def both(zone: str, count: int = CONTACT_COUNT) -> tuple[Outcome, Outcome]:
    """Run our syncs and the naive ones over the same twelve days in a workspace with this time zone."""
    now = [_START]
    workspace = Workspace(timezone=zone, clock=lambda: now[0])
    ours, naive, held, last = Outcome(), Outcome(), {}, 1
    connect = fresh()
    with Sandbox(workspace) as sandbox, IntercomClient("t", base_url=sandbox.url, contacts_per_second=None) as client:
        for number, (second, changed) in enumerate(_changes(workspace, count)):
            now[0] = second
            before = client.request_stats.requests
            ours.records.append(_sync(client, connect, number, second))
            ours.requests.append(client.request_stats.requests - before)
            ours.changed.append(changed)
            ours.floors.append(max(1, ceil(changed / 150)) + 1)
            naive.records.append(_naive_sync(client, last, held))
            last = second
    newest = {each["id"]: each["updated_at"] for each in workspace.contacts()}
    with connect() as session:
        query = "SELECT id, extract(epoch FROM updated_at)::bigint AS updated_at FROM intercom_contacts"
        landed = dict(session.frame(query).iter_rows())
    ours.kept, naive.kept = (sum(found.get(key) == at for key, at in newest.items()) for found in (landed, held))
    return ours, naive


def _changes(workspace: Workspace, count: int) -> Iterator[tuple[int, int]]:
    """Apply the changes before each sync; yield the time of the sync and the number of contacts changed before it."""
    rng = random.Random(17)
    ends = [_START + (number + 1) * _SYNC_INTERVAL_SECONDS for number in range(SYNCS)]
    changes = sorted((rng.randrange(_START, ends[-1]), number % count) for number in range(count * 5 // 4))
    created_at: dict[int, int] = {}
    for end in ends:
        due = [(at, who) for at, who in changes if end - _SYNC_INTERVAL_SECONDS <= at < end]
        for at, who in due:
            workspace.put_contact(
                contact(
                    id=f"{who:024x}",
                    email=f"p{who}@example.com",
                    created_at=created_at.setdefault(who, at),
                    updated_at=at,
                )
            )
        yield end, len({who for _, who in due})


def _sync(client: IntercomClient, connect: Callable[[], Session], number: int, second: int) -> int:
    """Run an incremental sync and return the number of contacts that it extracted."""
    instant, end = (datetime.fromtimestamp(at, UTC) for at in (second, second + _WINDOW_SECONDS))
    with connect() as session:
        run = get_or_start_run(session, f"sync-{number}", RunRequest(catch_up=True), Window(instant, end), instant)
    run_sync(run, Reader(client, clock=lambda: second), connect, Rules(), overlap=_OVERLAP, clock=lambda: instant)
    with connect() as session:
        return int(session.value("SELECT contacts_read FROM sync_runs WHERE run_id = $1", run.id))


def _naive_sync(client: IntercomClient, last: int, held: dict[str, int]) -> int:
    """Run the query `updated_at > last_sync_timestamp` to its last page and return the number of contacts."""
    body = {"query": {"field": "updated_at", "operator": ">", "value": last}, "pagination": {}}
    found = 0
    while True:
        page = parse_page(CONTACTS, client.search(CONTACTS, body, PageSize()))
        held |= {each["id"]: each["updated_at"] for each in page.records}
        found += len(page.records)
        if page.cursor is None:
            return found
        body["pagination"] = {"starting_after": page.cursor}


def main() -> list[Row]:
    """Print the table of results."""
    measured = rows(1.0, 1)
    print("| what | ours | floor or baseline | ratio | at most |\n| --- | --- | --- | --- | --- |")
    for row in measured:
        print(row.line())
    return measured


if __name__ == "__main__":
    main()
