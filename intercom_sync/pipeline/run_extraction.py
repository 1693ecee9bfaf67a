"""Run an extraction: acquire the lease, extract the streams, and record their statistics.

`extract` lands the pages; `domain.reconciliation` evaluates the statistics.
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
    """Extract and land the streams of a run, and record their statistics.

    Raises:
        IntercomError: a page fails after all retries, or the token is refused.
        WarehouseError: the database is unreachable, busy or refuses.
    """
    extraction_id = lease.acquire(run)
    with session.transaction():
        watermark = runs.watermark(session, run.started_at)
        workspace = workspace_state.stored_workspace_id(session)
    window = run.window.widened(overlap)
    extractor = Extractor(
        reader,
        connect,
        run,
        window,
        extraction_id,
        rules,
        progress,
        synced_before=watermark and watermark - overlap,
        workspace=workspace,
    )
    errors_before = reader.request_stats.errors
    try:
        results = extractor.extract([STREAMS[kind] for kind in kinds])
    except Exception:
        with suppress(WarehouseError), session.transaction():
            runs.add_counts(session, run.id, 0, 0, reader.request_stats.errors - errors_before)
        raise
    with session.transaction():
        records_seen = {result.kind: result.records_seen for result in results}
        runs.add_counts(
            session,
            run.id,
            records_seen.get("contact", 0),
            records_seen.get("conversation", 0),
            reader.request_stats.errors - errors_before,
        )
        for result in results:
            is_reconcilable = run.full or (watermark is not None and watermark >= window.start)
            stream_stats.record(session, _stream_stats(session, result, extractor, is_reconcilable))
    return results


def _stream_stats(session: Session, result: StreamResult, extractor: Extractor, is_reconcilable: bool) -> StreamStats:
    """Return a stream's statistics; `stream_stats.record` adds the counts of its records."""
    return StreamStats(
        extractor.extraction_id,
        result.kind,
        extractor.run.id,
        total=_total(result.scan_counts),
        matched=_matched(session, result, extractor) if is_reconcilable else None,
        deleted=result.deleted,
        parts_failed=result.parts_failed,
        ignored_ratings=result.ignored_ratings,
    )


def _total(counts: ScanCounts | None) -> int | None:
    """Return the lower of Intercom's two counts, because records are added and deleted during a scan."""
    totals = (counts.total_at_start, counts.total_at_end) if counts else ()
    return min((total for total in totals if total is not None), default=None)


def _matched(session: Session, result: StreamResult, extractor: Extractor) -> int | None:
    """Return how many of the records that Intercom counted we have: seen by a full scan, or stored for a window."""
    if result.scan_counts is None:
        return None
    if extractor.run.full:
        return result.scan_counts.seen
    stream: Stream = STREAMS[result.kind]
    start, end = extractor.window.seconds()
    return stream_stats.count_matching(
        session, result.kind, streams.lower_bound(stream, start), streams.upper_bound(stream, end)
    )
