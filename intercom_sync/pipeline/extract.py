"""Read contacts and conversations from Intercom and land them, page by page, both streams side by side.

Each batch of pages lands in one transaction with its ids and its marks: a killed run keeps what it landed, and its next
try reads on from there, and then what changed in between.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from intercom_sync.domain.contacts import parse_contact
from intercom_sync.domain.conversations import parse_conversation
from intercom_sync.domain.parse_records import ParsedBatch, parse_records
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.window import Window
from intercom_sync.intercom.reader import Reader, ScanCounts
from intercom_sync.intercom.scan.workers import CheckpointedPage
from intercom_sync.intercom.streams import CONTACTS, CONVERSATIONS, Stream
from intercom_sync.pipeline.conversation_parts import fetch_parts, fetch_rejected
from intercom_sync.pipeline.deletions import LandContacts, apply_deleted_list, verify_missing
from intercom_sync.pipeline.stream_result import Progress, StreamResult, batches, no_progress
from intercom_sync.pipeline.workspace_identity import refuse_foreign_contacts
from intercom_sync.warehouse.landing import delete_unseen
from intercom_sync.warehouse.landing.land_contacts import LandingContext, land_contacts
from intercom_sync.warehouse.landing.land_conversations import land_conversations, request_text_again
from intercom_sync.warehouse.marts.revenue_metrics import revalidate_rejected
from intercom_sync.warehouse.postgres.session import Session, analyze
from intercom_sync.warehouse.privacy.drop_suppressed import drop_suppressed
from intercom_sync.warehouse.state import extractions, stream_stats
from intercom_sync.warehouse.state.runs import SyncRun

_PAGES_PER_BATCH = 10
ONE_SECOND = timedelta(seconds=1)
_KINDS = {CONTACTS: "contact", CONVERSATIONS: "conversation"}
_FILLED = {
    CONTACTS: ("intercom_contacts", "contact_merges"),
    CONVERSATIONS: ("intercom_conversations", "intercom_messages"),
}


@dataclass(frozen=True)
class Extractor:
    """Everything that reading and landing needs.

    Attributes:
        reader: the reading strategy over the API.
        connect: opens a session; each stream has one of its own.
        run: the run.
        window: what it reads when it does not read everything, with the overlap.
        reading: the reading it is at.
        rules: the rules of the workspace.
        progress: is told of every batch.
        settled: before it earlier syncs should have brought every change; None before the first full one.
        workspace: the id of the workspace that the tables hold; None where it is not known.
    """

    reader: Reader
    connect: Callable[[], Session]
    run: SyncRun
    window: Window
    extraction_id: str
    rules: Rules
    progress: Progress = no_progress
    synced_before: datetime | None = None
    workspace: str | None = None

    def extract(self, streams: Sequence[Stream]) -> list[StreamResult]:
        """Read and land the streams side by side; when one fails the other still lands what it reads.

        Raises:
            IntercomError: a page stays refused, or the token is.
            WarehouseError: the database is not to be had.
        """
        work = {CONTACTS: self._contacts, CONVERSATIONS: self._conversations}
        with ThreadPoolExecutor(len(streams), thread_name_prefix="collect") as threads:
            results = [threads.submit(work[stream]) for stream in streams]
        return [result.result() for result in results]

    @property
    def _landing_context(self) -> LandingContext:
        return LandingContext(self.run.id, self.run.as_of, self.rules.contact_rules_hash())

    @property
    def _overlap(self) -> timedelta:
        return self.run.window.start - self.window.start

    def _contacts(self) -> StreamResult:
        with self.connect() as session:
            revalidate_rejected(session, self.rules, self._landing_context)
            return self._stream(
                session,
                CONTACTS,
                partial(parse_contact, rules=self.rules),
                lambda sifted: land_contacts(session, sifted, self._landing_context),
            )

    def _conversations(self) -> StreamResult:
        with self.connect() as session:
            with session.transaction():
                request_text_again(session, self.run.as_of)
            fetch_rejected(session, self.reader, self.rules, self._landing_context)
            collected = self._stream(
                session,
                CONVERSATIONS,
                parse_conversation,
                lambda sifted: land_conversations(session, sifted, self.rules, self._landing_context),
            )
            if self.run.full:
                collected.deleted += apply_deleted_list(session, self.reader, self._overlap)
            fetch_parts(session, self.reader, collected, self.rules, self.run.as_of, self.progress)
            return collected

    def _stream(
        self, session: Session, stream: Stream, read: Callable[[Any], Any], land: Callable[[ParsedBatch[Any]], None]
    ) -> StreamResult:
        collected = StreamResult(_KINDS[stream])
        marks = extractions.checkpoints(session, self.extraction_id, collected.kind)
        if not extractions.is_done(marks):
            self._land_pages(session, collected, self._pages(session, stream, marks), read, land, marked=True)
            self._finish_stream(
                session, stream, collected, lambda found: self._land_scan_misses(session, collected, found, read, land)
            )
        missed = self._changes_since_checkpoint(session)
        if missed:
            pages = self.reader.incremental_scan(stream, *missed.seconds())
            self._land_pages(session, collected, pages, read, land, marked=False)
        return collected

    def _land_pages(
        self,
        session: Session,
        collected: StreamResult,
        source: Iterator[CheckpointedPage],
        read: Callable[[Any], Any],
        land: Callable[[ParsedBatch[Any]], None],
        *,
        marked: bool,
    ) -> None:
        for pages in batches(source, _PAGES_PER_BATCH):
            records = [record for page in pages for record in page.records]
            if collected.kind == "contact":
                refuse_foreign_contacts(records, self.workspace)
            sifted = parse_records(records, read)
            with session.transaction():
                sifted = _without_suppressed(session, collected.kind, records, sifted, read)
                self._record_late_arrivals(session, collected.kind, sifted)
                land(sifted)
                extractions.record_seen_ids(session, self.extraction_id, collected.kind, sifted.ids)
                for mark in {page.checkpoint["walk"]: page.checkpoint for page in pages}.values() if marked else ():
                    extractions.record_checkpoint(session, self.extraction_id, collected.kind, mark)
            collected.add(sifted)
            self.progress(f"{collected.kind}s", collected.records_seen, pages[-1].total)

    def _record_late_arrivals(self, session: Session, kind: str, sifted: ParsedBatch[Any]) -> None:
        """Note what a full sync finds that earlier ones should have brought; asked before it lands."""
        if self.run.full and self.synced_before:
            versions = {id: record.updated_at for id, (record, _) in sifted.valid.items()}
            stream_stats.record_late_arrivals(
                session, self.extraction_id, self.run.id, kind=kind, versions=versions, watermark=self.synced_before
            )

    def _changes_since_checkpoint(self, session: Session) -> Window | None:
        """Return what may have changed since an earlier run began this reading: its pages are as old as that."""
        if extractions.started_by(self.extraction_id) == self.run.id:
            return None
        with session.transaction():
            began = extractions.started_at(session, self.extraction_id) or self.run.window.start
        # Until now, also where the run is for an instant of the past: what changed meanwhile may have been overlooked.
        start, end = max(began, self.run.window.start), max(self.run.as_of, self.run.started_at) + ONE_SECOND
        end = end if self.run.full else min(end, self.run.window.end)
        return Window(start - self._overlap, end) if began < end else None

    def _pages(self, session: Session, stream: Stream, marks: Sequence[Any]) -> Iterator[CheckpointedPage]:
        if self.run.full:
            with session.transaction():
                known = stream_stats.created_at_quantiles(session, _KINDS[stream])
            return self.reader.full_scan(stream, marks, known)
        return self.reader.incremental_scan(stream, *self.window.seconds(), marks)

    def _finish_stream(self, session: Session, stream: Stream, collected: StreamResult, take_in: LandContacts) -> None:
        """Note that a stream has been read to its end; a complete full read lets go of what is no longer there."""
        kept: set[str] = set()
        with session.transaction():
            # Counted where they landed: pages that were read twice must not make up for one that was not read.
            seen = extractions.count_ids(session, self.extraction_id, collected.kind)
            analyze(session, "sync_seen_ids", "rejected_records", *_FILLED[stream], rows=seen)
        collected.scan_counts = replace(self.reader.scan_counts(stream), seen=seen)
        if self.run.full:
            collected.is_complete = _is_complete(collected.scan_counts)
        if collected.is_complete and stream is CONTACTS:
            kept = verify_missing(session, self.reader, self.extraction_id, take_in)
        with session.transaction():
            if collected.is_complete:
                collected.deleted = delete_unseen.delete_unseen(session, self.extraction_id, collected.kind, kept)
            extractions.mark_stream_done(session, self.extraction_id, collected.kind)

    def _land_scan_misses(
        self,
        session: Session,
        collected: StreamResult,
        found: Sequence[Any],
        read: Callable[[Any], Any],
        land: Callable[[ParsedBatch[Any]], None],
    ) -> None:
        """Take in contacts that are there though the scan did not bring them."""
        sifted = parse_records(found, read)
        with session.transaction():
            sifted = _without_suppressed(session, collected.kind, list(found), sifted, read)
            land(sifted)
            extractions.record_seen_ids(session, self.extraction_id, collected.kind, sifted.ids)
            stream_stats.record_scan_misses(session, self.extraction_id, self.run.id, sifted.ids)
        collected.add(sifted)


def _without_suppressed(
    session: Session, kind: str, records: list[Any], sifted: ParsedBatch[Any], read: Callable[[Any], Any]
) -> ParsedBatch[Any]:
    """Return the sifted records without what belongs to the forgotten, who were met all the same.

    Runs inside the transaction that lands them, and sifts again only where somebody is among them.
    """
    kept = drop_suppressed(session, kind, records)
    return sifted if kept is records else replace(parse_records(kept, read), ids=sifted.ids)


def _is_complete(completeness: ScanCounts) -> bool:
    """Whether a full read has no fewer records than Intercom counted when it began or when it ended."""
    totals = [n for n in (completeness.total_at_start, completeness.total_at_end) if n is not None]
    return not totals or completeness.seen >= min(totals)
