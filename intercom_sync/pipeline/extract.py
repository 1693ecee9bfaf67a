"""Extract contacts and conversations from Intercom and land them page by page, both streams in parallel.

Each batch of pages lands in one transaction with its seen ids and checkpoints. A killed run keeps what it landed; its
next attempt resumes from the checkpoints, and then extracts what changed in between.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from intercom_sync.domain.identifiers import ExtractionId
from intercom_sync.domain.parse_records import ParsedBatch, keep_records, parse_records
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.window import Window
from intercom_sync.intercom.reader import Reader, ScanCounts
from intercom_sync.intercom.scan.workers import CheckpointedPage
from intercom_sync.pipeline.compute import revalidate_rejected
from intercom_sync.pipeline.conversation_parts import fetch_parts, fetch_rejected
from intercom_sync.pipeline.deletions import apply_deleted_list, verify_missing
from intercom_sync.pipeline.stream_result import Progress, StreamResult, batches, no_progress
from intercom_sync.pipeline.stream_specs import CONTACT_STREAM, CONVERSATION_STREAM, StreamSpec
from intercom_sync.pipeline.workspace_identity import refuse_foreign_contacts
from intercom_sync.warehouse.landing import delete_unseen
from intercom_sync.warehouse.landing.land_contacts import LandingContext
from intercom_sync.warehouse.landing.land_conversations import request_text_again
from intercom_sync.warehouse.postgres.session import Session, analyze
from intercom_sync.warehouse.privacy.drop_suppressed import drop_suppressed
from intercom_sync.warehouse.state import extractions, stream_stats
from intercom_sync.warehouse.state.runs import SyncRun

_PAGES_PER_BATCH = 10
ONE_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Extractor:
    """Extracts and lands the streams of a run.

    Attributes:
        reader: full and incremental scans over the API.
        connect: opens a session; each stream uses its own.
        run: the run.
        window: the window of an incremental scan, including the overlap.
        extraction_id: the run's extraction.
        rules: the rules of the workspace.
        progress: called after every batch.
        synced_before: the watermark less the overlap: earlier syncs should have extracted every change before it. None
            before the first full sync.
        workspace: the id of the workspace whose records are stored; None if unknown.
    """

    reader: Reader
    connect: Callable[[], Session]
    run: SyncRun
    window: Window
    extraction_id: ExtractionId
    rules: Rules
    progress: Progress = no_progress
    synced_before: datetime | None = None
    workspace: str | None = None

    def extract(self, streams: Sequence[StreamSpec]) -> list[StreamResult]:
        """Extract and land the streams in parallel; if one fails, the other still runs to its end.

        Raises:
            IntercomError: a page fails after all retries, or the token is refused.
            WarehouseError: the database is unreachable, busy or refuses.
        """
        work = {RecordKind.CONTACT: self._contacts, RecordKind.CONVERSATION: self._conversations}
        with ThreadPoolExecutor(len(streams), thread_name_prefix="collect") as threads:
            futures = [threads.submit(work[stream.kind]) for stream in streams]
        return [future.result() for future in futures]

    @property
    def _landing_context(self) -> LandingContext:
        return LandingContext(self.run.id, self.run.as_of, self.rules)

    @property
    def _overlap(self) -> timedelta:
        return self.run.window.start - self.window.start

    def _contacts(self) -> StreamResult:
        with self.connect() as session:
            revalidate_rejected(session, self._landing_context)
            return self._stream(session, CONTACT_STREAM)

    def _conversations(self) -> StreamResult:
        with self.connect() as session:
            with session.transaction():
                request_text_again(session, self.run.as_of)
            fetch_rejected(session, self.reader, self._landing_context)
            result = self._stream(session, CONVERSATION_STREAM)
            if self.run.full:
                result.deleted += apply_deleted_list(session, self.reader, self._overlap)
            fetch_parts(session, self.reader, result, self.rules, self.run.as_of, self.progress)
            return result

    def _stream(self, session: Session, stream: StreamSpec) -> StreamResult:
        result = StreamResult(stream.kind)
        checkpoints = extractions.checkpoints(session, self.extraction_id, stream.kind)
        if not extractions.is_done(checkpoints):
            pages = self._pages(session, stream, checkpoints)
            self._land_pages(session, stream, result, pages, save_checkpoints=True)
            self._finish_stream(session, stream, result)
        changes = self._changes_since_checkpoint(session)
        if changes:
            pages = self.reader.incremental_scan(stream.search, *changes.seconds())
            self._land_pages(session, stream, result, pages, save_checkpoints=False)
        return result

    def _land_pages(
        self,
        session: Session,
        stream: StreamSpec,
        result: StreamResult,
        source: Iterator[CheckpointedPage],
        *,
        save_checkpoints: bool,
    ) -> None:
        for pages in batches(source, _PAGES_PER_BATCH):
            records = [record for page in pages for record in page.records]
            if stream is CONTACT_STREAM:
                refuse_foreign_contacts(records, self.workspace)
            batch = self._parse(stream, records)
            with session.transaction():
                batch = self._without_suppressed(session, stream, records, batch)
                self._record_late_arrivals(session, stream.kind, batch)
                self._land(session, stream, batch)
                latest = {page.checkpoint["walk"]: page.checkpoint for page in pages} if save_checkpoints else {}
                for checkpoint in latest.values():
                    extractions.record_checkpoint(session, self.extraction_id, stream.kind, checkpoint)
            result.add(batch)
            self.progress(stream.kind.plural, result.records_seen, pages[-1].total)

    def _parse(self, stream: StreamSpec, records: Sequence[Any]) -> ParsedBatch[Any]:
        return parse_records(records, lambda record: stream.parse(record, self.rules))

    def _without_suppressed(
        self, session: Session, stream: StreamSpec, records: list[Any], batch: ParsedBatch[Any]
    ) -> ParsedBatch[Any]:
        """Return the batch without data of suppressed people; their ids still count as seen.

        Runs inside the transaction that lands the batch. Only redacted conversations are parsed again.
        """
        kept = drop_suppressed(session, stream.kind, records)
        if kept is records:
            return batch
        return keep_records(batch, records, kept, lambda record: stream.parse(record, self.rules))

    def _land(self, session: Session, stream: StreamSpec, batch: ParsedBatch[Any]) -> None:
        stream.load(session, batch, self._landing_context)
        extractions.record_seen_ids(session, self.extraction_id, stream.kind, batch.ids)

    def _record_late_arrivals(self, session: Session, kind: RecordKind, batch: ParsedBatch[Any]) -> None:
        """Record late arrivals: changes that earlier syncs should have extracted. Runs before the batch lands."""
        if self.run.full and self.synced_before:
            versions = {id: record.updated_at for id, (record, _) in batch.valid.items()}
            stream_stats.record_late_arrivals(
                session, self.extraction_id, self.run.id, kind=kind, versions=versions, watermark=self.synced_before
            )

    def _changes_since_checkpoint(self, session: Session) -> Window | None:
        """Return the window of changes since an earlier run started this extraction; None if this run started it."""
        if extractions.started_by(self.extraction_id) == self.run.id:
            return None
        with session.transaction():
            started = extractions.started_at(session, self.extraction_id) or self.run.window.start
        # Up to now, even if the run's instant is in the past: the scan may have missed what changed meanwhile.
        start, end = max(started, self.run.window.start), max(self.run.as_of, self.run.started_at) + ONE_SECOND
        end = end if self.run.full else min(end, self.run.window.end)
        return Window(start - self._overlap, end) if started < end else None

    def _pages(self, session: Session, stream: StreamSpec, checkpoints: Sequence[Any]) -> Iterator[CheckpointedPage]:
        if self.run.full:
            with session.transaction():
                quantiles = stream_stats.created_at_quantiles(session, stream.kind)
            return self.reader.full_scan(stream.search, checkpoints, quantiles)
        return self.reader.incremental_scan(stream.search, *self.window.seconds(), checkpoints)

    def _finish_stream(self, session: Session, stream: StreamSpec, result: StreamResult) -> None:
        """Mark a stream as done; after a complete full scan, delete landed records that it did not see."""
        kept: set[str] = set()
        with session.transaction():
            # Distinct stored ids are counted: a page that was fetched twice must not hide one that was not fetched.
            seen = extractions.count_ids(session, self.extraction_id, stream.kind)
            analyze(session, "sync_seen_ids", "rejected_records", *(table.name for table in stream.tables), rows=seen)
        result.scan_counts = replace(self.reader.scan_counts(stream.search), seen=seen)
        if self.run.full:
            result.is_complete = _is_complete(result.scan_counts)
        if result.is_complete and stream is CONTACT_STREAM:
            land_missed = partial(self._land_scan_misses, session, stream, result)
            kept = verify_missing(session, self.reader, self.extraction_id, land_missed)
        with session.transaction():
            if result.is_complete:
                result.deleted = delete_unseen.delete_unseen(session, self.extraction_id, stream.kind, kept)
            extractions.mark_stream_done(session, self.extraction_id, stream.kind)

    def _land_scan_misses(
        self, session: Session, stream: StreamSpec, result: StreamResult, found: Sequence[Any]
    ) -> None:
        """Land contacts that exist although the scan did not return them, and record them as scan misses."""
        batch = self._parse(stream, found)
        with session.transaction():
            batch = self._without_suppressed(session, stream, list(found), batch)
            self._land(session, stream, batch)
            stream_stats.record_scan_misses(session, self.extraction_id, self.run.id, batch.ids)
        result.add(batch)


def _is_complete(counts: ScanCounts) -> bool:
    """Return whether a full scan saw at least as many records as Intercom counted at its start or its end."""
    totals = [n for n in (counts.total_at_start, counts.total_at_end) if n is not None]
    return not totals or counts.seen >= min(totals)
