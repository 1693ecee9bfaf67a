"""Fetch conversation parts, one request per conversation, and land the messages of contacts in them.

Landing a conversation marks whether its parts are pending. After a change of the rules, rejected conversations are
fetched again.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from intercom_sync.domain.conversations import Conversation, needs_parts, parse_conversation
from intercom_sync.domain.fetched_parts import FetchedParts, parse_parts
from intercom_sync.domain.parse_records import ParsedBatch, parse_records
from intercom_sync.domain.parsing import InvalidRecordError
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.rules import Rules
from intercom_sync.intercom.errors import IntercomError, NotFoundError
from intercom_sync.intercom.fetch_by_id import FetchResult
from intercom_sync.intercom.reader import Reader
from intercom_sync.pipeline.stream_result import Progress, StreamResult, batches
from intercom_sync.warehouse.landing.land_contacts import LandingContext
from intercom_sync.warehouse.landing.land_conversations import (
    clear_pending_parts,
    fetched_versions,
    land_conversations,
    land_parts,
    mark_revalidated,
    pending_parts,
    rejected_by_other_rules,
    with_parts,
)
from intercom_sync.warehouse.postgres.session import Session, analyze
from intercom_sync.warehouse.privacy.drop_suppressed import drop_suppressed

_LOG = logging.getLogger("intercom_sync.pipeline")
_BATCH = 100


def fetch_parts(
    session: Session, reader: Reader, result: StreamResult, rules: Rules, as_of: datetime, progress: Progress
) -> None:
    """Fetch all pending parts, including those that failed in earlier runs; failures stay pending for the next run.

    Raises:
        IntercomError: the token may not read conversations, or every fetch fails.
        WarehouseError: the database is unreachable, busy or refuses.
    """
    with session.transaction():
        pending = pending_parts(session)
    for fetched in batches(reader.conversation_details(pending, lambda: _probes(session, pending)), _BATCH):
        found = [answer for _, answer, _ in fetched if isinstance(answer, dict)]
        vanished = [id for id, answer, _ in fetched if isinstance(answer, NotFoundError)]
        with session.transaction():
            found = drop_suppressed(session, RecordKind.CONVERSATION, found)
            parsed, invalid = _parse(found)
            land_parts(session, parsed, rules, as_of)
            clear_pending_parts(session, vanished)
        result.parts_fetched += len(parsed)
        result.parts_failed += len(invalid)
        for error in invalid:
            _LOG.warning("The parts of a conversation wait for the next run: %s", error)
        _count_failures(result, fetched)
        progress("parts", result.parts_fetched + result.parts_failed, len(pending))
    with session.transaction():
        analyze(session, "intercom_messages", rows=result.parts_fetched)


def land_with_pending_parts(session: Session, parsed: ParsedBatch[Conversation], landing: LandingContext) -> None:
    """Land conversations, and note whose parts must be fetched; runs inside the caller's transaction."""
    fetched = fetched_versions(session, parsed.valid)
    now = int(landing.as_of.timestamp())
    pending = set()
    for id, (conversation, _) in parsed.valid.items():
        version, has_parts_stored = fetched.get(id, (None, False))
        if needs_parts(conversation, version, now, has_parts_stored=has_parts_stored):
            pending.add(id)
    land_conversations(session, parsed, pending, landing)


def _parse(details: Iterable[Any]) -> tuple[list[FetchedParts], list[InvalidRecordError]]:
    """Return the parts of fetched conversations, and why others are invalid."""
    parsed, rejected = [], []
    for detail in details:
        try:
            parsed.append(parse_parts(detail))
        except InvalidRecordError as error:
            rejected.append(error)
    return parsed, rejected


def _probes(session: Session, pending: Sequence[str]) -> list[str]:
    """Return conversations to probe after many failures: some fetched successfully before, else others pending."""
    with session.transaction():
        return with_parts(session) or [*pending[-1:], *pending[len(pending) // 2 :][:1]]


def fetch_rejected(session: Session, reader: Reader, landing: LandingContext) -> None:
    """Fetch the conversations that other rules rejected, and validate each again by the current rules.

    Conversations that cannot be fetched are retried by the next run.

    Raises:
        IntercomError: the token may not read conversations, or every fetch fails.
        WarehouseError: the database is unreachable, busy or refuses.
    """
    rules_hash = landing.rules.contact_rules_hash()
    with session.transaction():
        rejected = rejected_by_other_rules(session, rules_hash)
    for fetched in batches(reader.conversation_details(rejected, lambda: _probes(session, rejected)), _BATCH):
        found = [answer for _, answer, _ in fetched if isinstance(answer, dict)]
        revalidated = [id for id, answer, _ in fetched if isinstance(answer, dict | NotFoundError)]
        with session.transaction():
            batch = parse_records(drop_suppressed(session, RecordKind.CONVERSATION, found), parse_conversation)
            land_with_pending_parts(session, batch, landing)
            mark_revalidated(session, revalidated, rules_hash)


def _count_failures(result: StreamResult, fetched: Sequence[FetchResult]) -> None:
    for id, answer, _ in fetched:
        if isinstance(answer, IntercomError) and not isinstance(answer, NotFoundError):
            result.parts_failed += 1
            _LOG.warning("The parts of conversation %s wait for the next run: %s", id, answer)
