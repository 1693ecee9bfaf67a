"""Fetch the parts of conversations, one conversation at a time, and land what contacts wrote in them.

Which conversations are worth it was decided when they landed. When the rules change, rejected ones are fetched again.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from intercom_sync.domain.conversations import read_conversation
from intercom_sync.domain.parse_records import sift
from intercom_sync.domain.rules import Rules
from intercom_sync.intercom.errors import Gone, IntercomError
from intercom_sync.intercom.fetch_by_id import Detail
from intercom_sync.intercom.reader import Reader
from intercom_sync.pipeline.stream_result import Collected, Progress, batches
from intercom_sync.warehouse.landing.land_contacts import Stamp
from intercom_sync.warehouse.landing.land_conversations import (
    give_up_parts,
    land_conversations,
    land_parts,
    note_judged,
    rejected_by_other_rules,
    wanting_parts,
    with_parts,
)
from intercom_sync.warehouse.postgres.session import Session, analyze
from intercom_sync.warehouse.privacy.drop_suppressed import keep_out

_LOG = logging.getLogger("intercom_sync.pipeline")
_BATCH = 100


def fetch_parts(
    session: Session, reader: Reader, collected: Collected, rules: Rules, as_of: datetime, progress: Progress
) -> None:
    """Fetch the parts that wait, also those that earlier runs gave up; what stays refused waits for the next.

    Raises:
        IntercomError: the token may not read conversations, or none of them can be had.
        WarehouseError: the database is not to be had.
    """
    with session.transaction():
        wanted = wanting_parts(session)
    for answers in batches(reader.conversation_details(wanted, lambda: _others(session, wanted)), _BATCH):
        found = [answer for _, answer, _ in answers if isinstance(answer, dict)]
        vanished = [one for one, answer, _ in answers if isinstance(answer, Gone)]
        with session.transaction():
            found = keep_out(session, "conversation", found)
            refused = land_parts(session, found, rules, as_of)
            give_up_parts(session, vanished)
        collected.details += len(found) - len(refused)
        collected.given_up += len(refused)
        for rejection in refused:
            _LOG.warning("The parts of a conversation wait for the next run: %s", rejection)
        _count_given_up(collected, answers)
        progress("parts", collected.details + collected.given_up, len(wanted))
    with session.transaction():
        analyze(session, "intercom_messages", rows=collected.details)


def _others(session: Session, wanted: Sequence[str]) -> list[str]:
    """Return conversations to try when many have failed: some that came before, else others of the list."""
    with session.transaction():
        return with_parts(session) or [*wanted[-1:], *wanted[len(wanted) // 2 :][:1]]


def fetch_rejected(session: Session, reader: Reader, rules: Rules, stamp: Stamp) -> None:
    """Fetch the rejected conversations that other rules judged, and judge them again; each once.

    Those that cannot be fetched wait for the next run.

    Raises:
        IntercomError: the token may not read conversations, or none of them can be had.
        WarehouseError: the database is not to be had.
    """
    with session.transaction():
        rejected = rejected_by_other_rules(session, stamp.rules)
    for answers in batches(reader.conversation_details(rejected, lambda: _others(session, rejected)), _BATCH):
        found = [answer for _, answer, _ in answers if isinstance(answer, dict)]
        judged = [one for one, answer, _ in answers if isinstance(answer, dict | Gone)]
        with session.transaction():
            sifted = sift(keep_out(session, "conversation", found), read_conversation)
            land_conversations(session, sifted, rules, stamp)
            note_judged(session, judged, stamp.rules)


def _count_given_up(collected: Collected, answers: Sequence[Detail]) -> None:
    for conversation, answer, _ in answers:
        if isinstance(answer, IntercomError) and not isinstance(answer, Gone):
            collected.given_up += 1
            _LOG.warning("The parts of conversation %s wait for the next run: %s", conversation, answer)
