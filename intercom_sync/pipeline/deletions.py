"""Confirm deletions after a full scan: fetch each unseen contact by id, then apply Intercom's list of deletions.

Absence from a scan is weak evidence of a deletion. A fetch by id and the list of deleted conversations are strong
evidence. `warehouse.landing.delete_unseen` deletes the records.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from intercom_sync.domain.identifiers import ExtractionId
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.intercom.errors import IntercomError, NotFoundError, UnauthorizedError
from intercom_sync.intercom.fetch_by_id import FetchResult
from intercom_sync.intercom.reader import Reader
from intercom_sync.pipeline.stream_result import batches
from intercom_sync.warehouse.landing import contact_merges, delete_unseen
from intercom_sync.warehouse.landing.land_contacts import landing_lock
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import extractions, runs

MAX_VERIFIED = 1_000
"""The maximum number of unseen contacts that one sync fetches by id.

More are only missing after a mass deletion in the workspace. The sync then trusts the complete scan for the rest, which
saves up to an hour of requests for deleted records.
"""

_LOG = logging.getLogger("intercom_sync.pipeline")
_BATCH = 100

LandContacts = Callable[[Sequence[Any]], None]
"""Lands contacts that the scan missed, and records the scan misses."""


def verify_missing(
    session: Session, reader: Reader, extraction_id: ExtractionId, land_contacts: LandContacts
) -> set[str]:
    """Fetch each landed contact that a complete scan did not see, and return the ids to keep.

    A contact is deleted on 404 or 410; the response may name the contact it was merged into. An existing contact is
    landed and kept. A contact whose fetch fails is kept until the next full sync.

    Raises:
        UnauthorizedError: the token may not read contacts.
    """
    with session.transaction():
        missing = delete_unseen.ids_not_seen(session, extraction_id, RecordKind.CONTACT, MAX_VERIFIED)
    kept = set(missing)
    try:
        for fetched in batches(reader.contact_details(missing, lambda: _seen_ids(session, extraction_id)), _BATCH):
            kept -= _deleted_ids(session, fetched)
            land_contacts([answer for _, answer, _ in fetched if isinstance(answer, dict)])
            _log_failures(fetched)
    except UnauthorizedError:
        raise
    except IntercomError as error:
        _LOG.warning("Not every contact that the scan did not return was fetched by id: %s", error)
    return kept


def apply_deleted_list(session: Session, reader: Reader, overlap: timedelta) -> int:
    """Delete the landed conversations that Intercom lists as deleted; return how many.

    The list is read back to the deletion watermark less the overlap. It takes precedence over a search that still
    returned a conversation. If the list cannot be read to its end, the sync continues.
    """
    with session.transaction():
        watermark = runs.deletion_watermark(session)
    since, deleted = int((watermark - overlap).timestamp()) if watermark else None, 0
    try:
        for ids in reader.deleted_conversations(since):
            with session.transaction():
                deleted += delete_unseen.delete_by_id(session, ids)
    except IntercomError as error:
        _LOG.warning("The list of deleted conversations was not read to its end: %s", error)
    return deleted


def _seen_ids(session: Session, extraction_id: ExtractionId) -> list[str]:
    with session.transaction():
        return extractions.some_ids(session, extraction_id, RecordKind.CONTACT)


def _deleted_ids(session: Session, fetched: Sequence[FetchResult]) -> set[str]:
    merged_into = {id: answer.merged_into for id, answer, _ in fetched if isinstance(answer, NotFoundError)}
    with session.transaction():
        landing_lock(session, RecordKind.CONTACT)
        contact_merges.record(session, {id: target for id, target in merged_into.items() if target})
    return set(merged_into)


def _log_failures(fetched: Sequence[FetchResult]) -> None:
    for id, answer, _ in fetched:
        if isinstance(answer, IntercomError) and not isinstance(answer, NotFoundError):
            _LOG.warning("Contact %s is missing from the scan and could not be fetched, so it is kept: %s", id, answer)
