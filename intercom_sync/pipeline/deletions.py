"""Before a full sync lets go: ask for the contacts that its scan did not bring, and read which conversations are gone.

Absence from a scan is weak evidence; an answer about one record, and the list of deleted conversations, are strong. How
records are dropped stands in `warehouse.landing.delete_unseen`.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from intercom_sync.intercom.errors import IntercomError, NotFoundError, UnauthorizedError
from intercom_sync.intercom.fetch_by_id import FetchResult
from intercom_sync.intercom.reader import Reader
from intercom_sync.pipeline.stream_result import batches
from intercom_sync.warehouse.landing import contact_merges, delete_unseen
from intercom_sync.warehouse.landing.land_contacts import landing_lock
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import extractions, runs

MAX_VERIFIED = 1_000
"""Missing contacts that one sync asks for. More go only when somebody clears a workspace out: then the complete scan is
believed, which asking would not change, and the sync does not spend an hour of calls on records that are gone."""

_LOG = logging.getLogger("intercom_sync.pipeline")
_BATCH = 100

LandContacts = Callable[[Sequence[Any]], None]
"""Lands contacts that the scan did not bring, and notes that they were found."""


def verify_missing(session: Session, reader: Reader, extraction_id: str, land_contacts: LandContacts) -> set[str]:
    """Ask for each landed contact that a complete scan did not bring, and return those to be kept all the same.

    404 and 410 say that it is gone, and what it was merged into. One that is there is taken in. One that cannot be had
    is kept: the next full sync decides.

    Raises:
        Unauthorized: the token may not read contacts.
    """
    with session.transaction():
        missing = delete_unseen.ids_not_seen(session, extraction_id, "contact", MAX_VERIFIED)
    kept = set(missing)
    try:
        for answers in batches(reader.contact_details(missing, lambda: _found(session, extraction_id)), _BATCH):
            kept -= _deleted_ids(session, answers)
            land_contacts([answer for _, answer, _ in answers if isinstance(answer, dict)])
            _log_failures(answers)
    except UnauthorizedError:
        raise
    except IntercomError as error:
        _LOG.warning("Intercom was not asked for every contact that the scan did not bring: %s", error)
    return kept


def apply_deleted_list(session: Session, reader: Reader, overlap: timedelta) -> int:
    """Drop the landed conversations that Intercom lists as deleted; return how many went.

    It is read back to the last full sync that succeeded, or to the first run of all, less the overlap. The list wins
    over a search that still showed them. When it cannot be read that far, the sync goes on.
    """
    with session.transaction():
        settled = runs.deletion_watermark(session)
    since, gone = int((settled - overlap).timestamp()) if settled else None, 0
    try:
        for ids in reader.deleted_conversations(since):
            with session.transaction():
                gone += delete_unseen.delete_by_id(session, ids)
    except IntercomError as error:
        _LOG.warning("The list of deleted conversations was not read to its end: %s", error)
    return gone


def _found(session: Session, reading: str) -> list[str]:
    with session.transaction():
        return extractions.some_ids(session, reading, "contact")


def _deleted_ids(session: Session, answers: Sequence[FetchResult]) -> set[str]:
    gone = {name: answer.merged_into for name, answer, _ in answers if isinstance(answer, NotFoundError)}
    with session.transaction():
        landing_lock(session, "contact")
        contact_merges.record(session, {name: target for name, target in gone.items() if target})
    return set(gone)


def _log_failures(answers: Sequence[FetchResult]) -> None:
    for name, answer, _ in answers:
        if isinstance(answer, IntercomError) and not isinstance(answer, NotFoundError):
            _LOG.warning(
                "Contact %s is missing from the scan and could not be asked for, so it stays: %s", name, answer
            )
