"""Fetch the parts of conversations, one conversation at a time, and land what contacts wrote in them.

Which conversations are worth it was decided when they landed. When the rules change, rejected ones are fetched again.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from intercom_sync.domain.conversations import parse_conversation
from intercom_sync.domain.parse_records import parse_records
from intercom_sync.domain.rules import Rules
from intercom_sync.intercom.errors import IntercomError, NotFoundError
from intercom_sync.intercom.fetch_by_id import FetchResult
from intercom_sync.intercom.reader import Reader
from intercom_sync.pipeline.stream_result import Progress, StreamResult, batches
from intercom_sync.warehouse.landing.land_contacts import LandingContext
from intercom_sync.warehouse.landing.land_conversations import (
    clear_pending_parts,
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
    session: Session, reader: Reader, collected: StreamResult, rules: Rules, as_of: datetime, progress: Progress
) -> None:
    """Fetch the parts that wait, also those that earlier runs gave up; what stays refused waits for the next.

    Raises:
        IntercomError: the token may not read conversations, or none of them can be had.
        WarehouseError: the database is not to be had.
    """
    with session.transaction():
        wanted = pending_parts(session)
    for answers in batches(reader.conversation_details(wanted, lambda: _others(session, wanted)), _BATCH):
        found = [answer for _, answer, _ in answers if isinstance(answer, dict)]
        vanished = [one for one, answer, _ in answers if isinstance(answer, NotFoundError)]
        with session.transaction():
            found = drop_suppressed(session, "conversation", found)
            refused = land_parts(session, found, rules, as_of)
            clear_pending_parts(session, vanished)
        collected.parts_fetched += len(found) - len(refused)
        collected.parts_failed += len(refused)
        for rejection in refused:
            _LOG.warning("The parts of a conversation wait for the next run: %s", rejection)
        _count_given_up(collected, answers)
        progress("parts", collected.parts_fetched + collected.parts_failed, len(wanted))
    with session.transaction():
        analyze(session, "intercom_messages", rows=collected.parts_fetched)


def _others(session: Session, wanted: Sequence[str]) -> list[str]:
    """Return conversations to try when many have failed: some that came before, else others of the list."""
    with session.transaction():
        return with_parts(session) or [*wanted[-1:], *wanted[len(wanted) // 2 :][:1]]


def fetch_rejected(session: Session, reader: Reader, rules: Rules, stamp: LandingContext) -> None:
    """Fetch the rejected conversations that other rules judged, and judge them again; each once.

    Those that cannot be fetched wait for the next run.

    Raises:
        IntercomError: the token may not read conversations, or none of them can be had.
        WarehouseError: the database is not to be had.
    """
    with session.transaction():
        rejected = rejected_by_other_rules(session, stamp.rules_hash)
    for answers in batches(reader.conversation_details(rejected, lambda: _others(session, rejected)), _BATCH):
        found = [answer for _, answer, _ in answers if isinstance(answer, dict)]
        judged = [one for one, answer, _ in answers if isinstance(answer, dict | NotFoundError)]
        with session.transaction():
            sifted = parse_records(drop_suppressed(session, "conversation", found), parse_conversation)
            land_conversations(session, sifted, rules, stamp)
            mark_revalidated(session, judged, stamp.rules_hash)


def _count_given_up(collected: StreamResult, answers: Sequence[FetchResult]) -> None:
    for conversation, answer, _ in answers:
        if isinstance(answer, IntercomError) and not isinstance(answer, NotFoundError):
            collected.parts_failed += 1
            _LOG.warning("The parts of conversation %s wait for the next run: %s", conversation, answer)
