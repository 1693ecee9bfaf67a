"""Run an extraction: acquire the lease, extract the streams, and record their statistics.

`extract` lands the pages; `domain.reconciliation` evaluates the statistics.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from intercom_sync.domain.reconciliation import StreamStats
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.rules import Rules
from intercom_sync.intercom.reader import Reader, ScanCounts
from intercom_sync.intercom.streams import lower_bound, upper_bound
from intercom_sync.pipeline.extract import Extractor
from intercom_sync.pipeline.stream_result import Progress, StreamResult, no_progress
from intercom_sync.pipeline.stream_specs import STREAMS, StreamSpec
from intercom_sync.warehouse.errors import WarehouseError
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import runs, stream_stats, workspace_state
from intercom_sync.warehouse.state.extractions import ExtractionLease
from intercom_sync.warehouse.state.runs import SyncRun


def run_extraction(
    reader: Reader,
    session: Session,
    connect: Callable[[], Session],
    run: SyncRun,
    lease: ExtractionLease,
    *,
    rules: Rules,
    overlap: timedelta,
    streams: Sequence[StreamSpec] = STREAMS,
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
        reader=reader,
        connect=connect,
        run=run,
        window=window,
        extraction_id=extraction_id,
        rules=rules,
        progress=progress,
        synced_before=watermark and watermark - overlap,
        workspace=workspace,
    )
    errors_before = reader.request_stats.errors
    try:
        results = extractor.extract(streams)
    except Exception:
        with suppress(WarehouseError), session.transaction():
            runs.add_counts(session, run.id, errors=reader.request_stats.errors - errors_before)
        raise
    with session.transaction():
        records_seen = {result.kind: result.records_seen for result in results}
        runs.add_counts(
            session,
            run.id,
            contacts=records_seen.get(RecordKind.CONTACT, 0),
            conversations=records_seen.get(RecordKind.CONVERSATION, 0),
            errors=reader.request_stats.errors - errors_before,
        )
        is_reconcilable = run.full or (watermark is not None and watermark >= window.start)
        for stream, result in zip(streams, results, strict=True):
            stream_stats.record(session, _stream_stats(session, stream, result, extractor, is_reconcilable))
    return results


def _stream_stats(
    session: Session, stream: StreamSpec, result: StreamResult, extractor: Extractor, is_reconcilable: bool
) -> StreamStats:
    """Return a stream's statistics; `stream_stats.record` adds the counts of its records."""
    return StreamStats(
        extraction_id=extractor.extraction_id,
        kind=stream.kind,
        run_id=extractor.run.id,
        total=_total(result.scan_counts),
        matched=_matched(session, stream, result, extractor) if is_reconcilable else None,
        deleted=result.deleted,
        parts_failed=result.parts_failed,
        ignored_ratings=result.ignored_ratings,
    )


def _total(counts: ScanCounts | None) -> int | None:
    """Return the lower of Intercom's two counts, because records are added and deleted during a scan."""
    totals = (counts.total_at_start, counts.total_at_end) if counts else ()
    return min((total for total in totals if total is not None), default=None)


def _matched(session: Session, stream: StreamSpec, result: StreamResult, extractor: Extractor) -> int | None:
    """Return how many of the records that Intercom counted we have: seen by a full scan, or stored for a window."""
    if result.scan_counts is None:
        return None
    if extractor.run.full:
        return result.scan_counts.seen
    start, end = extractor.window.seconds()
    return stream_stats.count_matching(
        session, stream.kind, lower_bound(stream.search, start), upper_bound(stream.search, end)
    )
