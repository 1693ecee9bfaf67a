"""Read what a run asks for, and note what it brought against Intercom's own counts.

How pages land stands in `collect`; what the figures mean, in `domain.verdicts`.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from intercom_sync.domain.reconciliation import Brought
from intercom_sync.intercom import streams
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.intercom.reader import Completeness, Reader
from intercom_sync.intercom.streams import CONTACTS, CONVERSATIONS, Stream
from intercom_sync.pipeline.extract import Collector
from intercom_sync.pipeline.stream_result import Collected, Progress
from intercom_sync.settings import Settings
from intercom_sync.warehouse.errors import WarehouseError
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import extractions, runs, stream_stats, workspace_state
from intercom_sync.warehouse.state.runs import SyncRun

STREAMS = {"contact": CONTACTS, "conversation": CONVERSATIONS}


def read(
    client: IntercomClient,
    session: Session,
    connect: Callable[[], Session],
    run: SyncRun,
    *,
    kinds: Sequence[str],
    settings: Settings,
    progress: Progress,
) -> list[Collected]:
    """Read and land the streams of a run, and note its figures.

    Raises:
        IntercomError: a page stays refused, or the token is.
        WarehouseError: the database is not to be had.
    """
    reading = extractions.take(connect, run)
    with session.transaction():
        covered = runs.covered_until(session, run.started_at)
        workspace = workspace_state.stored_workspace_id(session)
    settled = covered and covered - settings.overlap
    window = run.window.widened(settings.overlap)
    collector = Collector(
        Reader(client, clock=_clock(client)),
        connect,
        run,
        window,
        reading,
        settings.rules,
        progress,
        settled,
        workspace,
    )
    errors_before = client.counts.errors
    try:
        collected = collector.collect([STREAMS[kind] for kind in kinds])
    except Exception:
        with suppress(WarehouseError), session.transaction():
            runs.count(session, run.run, 0, 0, client.counts.errors - errors_before)
        raise
    with session.transaction():
        read = {one.kind: one.read for one in collected}
        runs.count(
            session, run.run, read.get("contact", 0), read.get("conversation", 0), client.counts.errors - errors_before
        )
        for one in collected:
            is_known = run.full or (covered is not None and covered >= window.start)
            stream_stats.note(session, _brought(session, one, collector, is_known))
    return collected


def _clock(client: IntercomClient) -> Callable[[], float]:
    """Return Intercom's clock, or the machine's before any answer with a usable `Date`."""

    def now() -> float:
        now = client.server_time()
        return now.timestamp() if now else time.time()

    return now


def _brought(session: Session, one: Collected, collector: Collector, is_known: bool) -> Brought:
    """Return a stream's figures; the counts of its records are filled in where they are noted."""
    return Brought(
        collector.reading,
        one.kind,
        collector.run.run,
        total=_total(one.completeness),
        matched=_known(session, one, collector) if is_known else None,
        deleted=one.gone,
        parts_failed=one.given_up,
        ignored_ratings=one.ignored_ratings,
    )


def _total(completeness: Completeness | None) -> int | None:
    """Return the lower of the two counts: records come and go while others are read."""
    totals = (completeness.total_at_start, completeness.total_at_end) if completeness else ()
    return min((total for total in totals if total is not None), default=None)


def _known(session: Session, one: Collected, collector: Collector) -> int | None:
    """Return how many of the records that Intercom counted are known: read by a full reading, else landed ever."""
    if one.completeness is None:
        return None
    if collector.run.full:
        return one.completeness.seen
    stream: Stream = STREAMS[one.kind]
    start, end = collector.window.seconds()
    return stream_stats.known(session, one.kind, streams.lower_bound(stream, start), streams.upper_bound(stream, end))
