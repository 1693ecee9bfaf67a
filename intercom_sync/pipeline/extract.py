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

from intercom_sync.domain.contacts import read_contact
from intercom_sync.domain.conversations import read_conversation
from intercom_sync.domain.parse_records import Sifted, sift
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.window import Window
from intercom_sync.intercom.reader import Completeness, Reader
from intercom_sync.intercom.scan.workers import Page
from intercom_sync.intercom.streams import CONTACTS, CONVERSATIONS, Stream
from intercom_sync.pipeline.conversation_parts import fetch_parts, fetch_rejected
from intercom_sync.pipeline.deletions import TakeIn, ask_for_missing, let_go_of_deleted
from intercom_sync.pipeline.stream_result import Collected, Progress, batches, silent
from intercom_sync.pipeline.workspace_identity import refuse_foreign_contacts
from intercom_sync.warehouse.landing import delete_unseen
from intercom_sync.warehouse.landing.land_contacts import Stamp, land_contacts
from intercom_sync.warehouse.landing.land_conversations import land_conversations, request_text_again
from intercom_sync.warehouse.marts.revenue_metrics import judge_again
from intercom_sync.warehouse.postgres.session import Session, analyze
from intercom_sync.warehouse.privacy.drop_suppressed import keep_out
from intercom_sync.warehouse.state import extractions, stream_stats
from intercom_sync.warehouse.state.runs import SyncRun

_PAGES_PER_BATCH = 10
_A_MOMENT = timedelta(seconds=1)
_KINDS = {CONTACTS: "contact", CONVERSATIONS: "conversation"}
_FILLED = {
    CONTACTS: ("intercom_contacts", "contact_merges"),
    CONVERSATIONS: ("intercom_conversations", "intercom_messages"),
}


@dataclass(frozen=True)
class Collector:
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
    reading: str
    rules: Rules
    progress: Progress = silent
    settled: datetime | None = None
    workspace: str | None = None

    def collect(self, streams: Sequence[Stream]) -> list[Collected]:
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
    def _stamp(self) -> Stamp:
        return Stamp(self.run.run, self.run.as_of, self.rules.contact_fingerprint())

    @property
    def _overlap(self) -> timedelta:
        return self.run.window.start - self.window.start

    def _contacts(self) -> Collected:
        with self.connect() as session:
            judge_again(session, self.rules, self._stamp)
            return self._stream(
                session,
                CONTACTS,
                partial(read_contact, rules=self.rules),
                lambda sifted: land_contacts(session, sifted, self._stamp),
            )

    def _conversations(self) -> Collected:
        with self.connect() as session:
            with session.transaction():
                request_text_again(session, self.run.as_of)
            fetch_rejected(session, self.reader, self.rules, self._stamp)
            collected = self._stream(
                session,
                CONVERSATIONS,
                read_conversation,
                lambda sifted: land_conversations(session, sifted, self.rules, self._stamp),
            )
            if self.run.full:
                collected.gone += let_go_of_deleted(session, self.reader, self._overlap)
            fetch_parts(session, self.reader, collected, self.rules, self.run.as_of, self.progress)
            return collected

    def _stream(
        self, session: Session, stream: Stream, read: Callable[[Any], Any], land: Callable[[Sifted[Any]], None]
    ) -> Collected:
        collected = Collected(_KINDS[stream])
        marks = extractions.marks(session, self.reading, collected.kind)
        if not extractions.is_done(marks):
            self._take_in(session, collected, self._pages(session, stream, marks), read, land, marked=True)
            self._close(
                session, stream, collected, lambda found: self._overlooked(session, collected, found, read, land)
            )
        missed = self._missed(session)
        if missed:
            pages = self.reader.window(stream, *missed.seconds())
            self._take_in(session, collected, pages, read, land, marked=False)
        return collected

    def _take_in(
        self,
        session: Session,
        collected: Collected,
        source: Iterator[Page],
        read: Callable[[Any], Any],
        land: Callable[[Sifted[Any]], None],
        *,
        marked: bool,
    ) -> None:
        for pages in batches(source, _PAGES_PER_BATCH):
            records = [record for page in pages for record in page.records]
            if collected.kind == "contact":
                refuse_foreign_contacts(records, self.workspace)
            sifted = sift(records, read)
            with session.transaction():
                sifted = _kept_out(session, collected.kind, records, sifted, read)
                self._note_missed(session, collected.kind, sifted)
                land(sifted)
                extractions.note_ids(session, self.reading, collected.kind, sifted.ids)
                for mark in {page.mark["walk"]: page.mark for page in pages}.values() if marked else ():
                    extractions.note_mark(session, self.reading, collected.kind, mark)
            collected.add(sifted)
            self.progress(f"{collected.kind}s", collected.read, pages[-1].total)

    def _note_missed(self, session: Session, kind: str, sifted: Sifted[Any]) -> None:
        """Note what a full sync finds that earlier ones should have brought; asked before it lands."""
        if self.run.full and self.settled:
            versions = {id: record.updated_at for id, (record, _) in sifted.usable.items()}
            stream_stats.note_missed(
                session, self.reading, self.run.run, kind=kind, versions=versions, settled=self.settled
            )

    def _missed(self, session: Session) -> Window | None:
        """Return what may have changed since an earlier run began this reading: its pages are as old as that."""
        if extractions.beginner(self.reading) == self.run.run:
            return None
        with session.transaction():
            began = extractions.began(session, self.reading) or self.run.window.start
        # Until now, also where the run is for an instant of the past: what changed meanwhile may have been overlooked.
        start, end = max(began, self.run.window.start), max(self.run.as_of, self.run.started_at) + _A_MOMENT
        end = end if self.run.full else min(end, self.run.window.end)
        return Window(start - self._overlap, end) if began < end else None

    def _pages(self, session: Session, stream: Stream, marks: Sequence[Any]) -> Iterator[Page]:
        if self.run.full:
            with session.transaction():
                known = stream_stats.shares(session, _KINDS[stream])
            return self.reader.everything(stream, marks, known)
        return self.reader.window(stream, *self.window.seconds(), marks)

    def _close(self, session: Session, stream: Stream, collected: Collected, take_in: TakeIn) -> None:
        """Note that a stream has been read to its end; a complete full read lets go of what is no longer there."""
        kept: set[str] = set()
        with session.transaction():
            # Counted where they landed: pages that were read twice must not make up for one that was not read.
            seen = extractions.count_ids(session, self.reading, collected.kind)
            analyze(session, "sync_seen_ids", "rejected_records", *_FILLED[stream], rows=seen)
        collected.completeness = replace(self.reader.completeness(stream), seen=seen)
        if self.run.full:
            collected.complete = _is_complete(collected.completeness)
        if collected.complete and stream is CONTACTS:
            kept = ask_for_missing(session, self.reader, self.reading, take_in)
        with session.transaction():
            if collected.complete:
                collected.gone = delete_unseen.forget_gone(session, self.reading, collected.kind, kept)
            extractions.note_done(session, self.reading, collected.kind)

    def _overlooked(
        self,
        session: Session,
        collected: Collected,
        found: Sequence[Any],
        read: Callable[[Any], Any],
        land: Callable[[Sifted[Any]], None],
    ) -> None:
        """Take in contacts that are there though the scan did not bring them."""
        sifted = sift(found, read)
        with session.transaction():
            sifted = _kept_out(session, collected.kind, list(found), sifted, read)
            land(sifted)
            extractions.note_ids(session, self.reading, collected.kind, sifted.ids)
            stream_stats.note_overlooked(session, self.reading, self.run.run, sifted.ids)
        collected.add(sifted)


def _kept_out(
    session: Session, kind: str, records: list[Any], sifted: Sifted[Any], read: Callable[[Any], Any]
) -> Sifted[Any]:
    """Return the sifted records without what belongs to the forgotten, who were met all the same.

    Runs inside the transaction that lands them, and sifts again only where somebody is among them.
    """
    kept = keep_out(session, kind, records)
    return sifted if kept is records else replace(sift(kept, read), ids=sifted.ids)


def _is_complete(completeness: Completeness) -> bool:
    """Whether a full read has no fewer records than Intercom counted when it began or when it ended."""
    totals = [n for n in (completeness.total_at_start, completeness.total_at_end) if n is not None]
    return not totals or completeness.seen >= min(totals)
