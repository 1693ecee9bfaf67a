"""Read what a run asks for, and note what it brought against Intercom's own counts.

How pages land stands in `collect`; what the figures mean, in `domain.reconciliation`.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from intercom_sync.domain.reconciliation import StreamStats
from intercom_sync.domain.rules import Rules
from intercom_sync.intercom import streams
from intercom_sync.intercom.reader import Reader, ScanCounts
from intercom_sync.intercom.streams import CONTACTS, CONVERSATIONS, Stream
from intercom_sync.pipeline.extract import Extractor
from intercom_sync.pipeline.stream_result import Progress, StreamResult, no_progress
from intercom_sync.warehouse.errors import WarehouseError
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import runs, stream_stats, workspace_state
from intercom_sync.warehouse.state.extractions import ExtractionLease
from intercom_sync.warehouse.state.runs import SyncRun

STREAMS = {"contact": CONTACTS, "conversation": CONVERSATIONS}


def run_extraction(
    reader: Reader,
    session: Session,
    connect: Callable[[], Session],
    run: SyncRun,
    lease: ExtractionLease,
    *,
    rules: Rules,
    overlap: timedelta,
    kinds: Sequence[str] = tuple(STREAMS),
    progress: Progress = no_progress,
) -> list[StreamResult]:
    """Read and land the streams of a run, and note its figures.

    Raises:
        IntercomError: a page stays refused, or the token is.
        WarehouseError: the database is not to be had.
    """
    reading = lease.acquire(run)
    with session.transaction():
        covered = runs.watermark(session, run.started_at)
        workspace = workspace_state.stored_workspace_id(session)
    settled = covered and covered - overlap
    window = run.window.widened(overlap)
    collector = Extractor(
        reader,
        connect,
        run,
        window,
        reading,
        rules,
        progress,
        settled,
        workspace,
    )
    errors_before = reader.request_stats.errors
    try:
        collected = collector.extract([STREAMS[kind] for kind in kinds])
    except Exception:
        with suppress(WarehouseError), session.transaction():
            runs.add_counts(session, run.id, 0, 0, reader.request_stats.errors - errors_before)
        raise
    with session.transaction():
        read = {one.kind: one.records_seen for one in collected}
        runs.add_counts(
            session,
            run.id,
            read.get("contact", 0),
            read.get("conversation", 0),
            reader.request_stats.errors - errors_before,
        )
        for one in collected:
            is_known = run.full or (covered is not None and covered >= window.start)
            stream_stats.record(session, _stream_stats(session, one, collector, is_known))
    return collected


def _stream_stats(session: Session, one: StreamResult, collector: Extractor, is_known: bool) -> StreamStats:
    """Return a stream's figures; the counts of its records are filled in where they are noted."""
    return StreamStats(
        collector.extraction_id,
        one.kind,
        collector.run.id,
        total=_total(one.scan_counts),
        matched=_matched(session, one, collector) if is_known else None,
        deleted=one.deleted,
        parts_failed=one.parts_failed,
        ignored_ratings=one.ignored_ratings,
    )


def _total(completeness: ScanCounts | None) -> int | None:
    """Return the lower of the two counts: records come and go while others are read."""
    totals = (completeness.total_at_start, completeness.total_at_end) if completeness else ()
    return min((total for total in totals if total is not None), default=None)


def _matched(session: Session, one: StreamResult, collector: Extractor) -> int | None:
    """Return how many of the records that Intercom counted are known: read by a full reading, else landed ever."""
    if one.scan_counts is None:
        return None
    if collector.run.full:
        return one.scan_counts.seen
    stream: Stream = STREAMS[one.kind]
    start, end = collector.window.seconds()
    return stream_stats.count_matching(
        session, one.kind, streams.lower_bound(stream, start), streams.upper_bound(stream, end)
    )
