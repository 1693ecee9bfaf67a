"""Drop the data of people on the suppression list from fetched records before they land.

This runs under the landing lock, which `forget` also takes. A page that was fetched before a person was erased and
lands afterwards therefore contains none of their data.
"""

from typing import Any

import polars as pl

from intercom_sync.domain.erasure import claimed_email, participant_ids, redact_contacts
from intercom_sync.domain.parsing import record_id, record_updated_at
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.warehouse.landing.land_contacts import landing_lock
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.privacy import suppression_list
from intercom_sync.warehouse.privacy.erase_person import erase_conversations, erase_records

_VERSIONS = {"id": pl.String, "updated_at": pl.Int64}


def drop_suppressed(session: Session, kind: RecordKind, records: list[Any]) -> list[Any]:
    """Return the records without data of suppressed people; the same list object when there is none.

    Runs inside the transaction that lands them.

    Args:
        session: the warehouse.
        kind: contact or conversation.
        records: as fetched from Intercom; conversations with or without their parts.
    """
    landing_lock(session, kind)
    if not suppression_list.has_entries(session):
        return records
    return _contacts(session, records) if kind is RecordKind.CONTACT else _conversations(session, records)


def _contacts(session: Session, contacts: list[Any]) -> list[Any]:
    """Drop contacts whose email or id is suppressed. The new id of a suppressed email is added to the list.

    Stored data of such a contact is erased too: its conversations may have landed first, or it had another email.
    """
    claims = [(record_id(one), claimed_email(one), record_updated_at(one)) for one in contacts]
    found = suppression_list.match(session, claims)
    if found.is_empty():
        return contacts
    suppression_list.add_records(session, RecordKind.CONTACT, found)
    if new_ids := found.filter("new")["id"].unique().to_list():
        erase_records(session, new_ids)
    suppressed = set(found["place"])
    return [contact for place, contact in enumerate(contacts) if place not in suppressed]


def _conversations(session: Session, conversations: list[Any]) -> list[Any]:
    participants = [participant_ids(one) for one in conversations]
    suppressed = suppression_list.suppressed_ids(session, set().union(*participants))
    if not suppressed:
        return conversations
    redacted = [
        redact_contacts(one, suppressed) if ids & suppressed else one
        for one, ids in zip(conversations, participants, strict=True)
    ]
    removed = [
        (record_id(one), record_updated_at(one))
        for one, rest in zip(conversations, redacted, strict=True)
        if rest is None and one is not None
    ]
    if removed:
        erase_conversations(session, pl.DataFrame(removed, schema=_VERSIONS, orient="row"))
    return [one for one, ids in zip(redacted, participants, strict=True) if one is not None or not ids]
