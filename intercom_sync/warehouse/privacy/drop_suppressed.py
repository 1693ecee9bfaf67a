"""Keep the forgotten out: what belongs to them is taken from the records of a page before these land.

Asked under the lock of the landing. `forget` holds the same lock, so a page that was read before somebody was forgotten
and lands afterwards brings nothing of them.
"""

from typing import Any

import polars as pl

from intercom_sync.domain.erasure import claimed_email, participant_ids, redact_contacts
from intercom_sync.domain.parsing import record_id, record_updated_at
from intercom_sync.warehouse.landing.land_contacts import landing_lock
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.privacy import suppression_list
from intercom_sync.warehouse.privacy.erase_person import erase_conversations, erase_records

_VERSIONS = {"id": pl.String, "updated_at": pl.Int64}


def drop_suppressed(session: Session, kind: str, records: list[Any]) -> list[Any]:
    """Return the records without what belongs to the forgotten: the very same list when nothing does.

    Runs inside the transaction that lands them.

    Args:
        session: the warehouse.
        kind: contact or conversation.
        records: as Intercom gave them; conversations with or without their parts.
    """
    landing_lock(session, kind)
    if not suppression_list.has_entries(session):
        return records
    return _contacts(session, records) if kind == "contact" else _conversations(session, records)


def _contacts(session: Session, contacts: list[Any]) -> list[Any]:
    """Drop contacts whose email or id is forgotten. An email that is back under a new id puts that on the list.

    What such a contact was before is erased with it: its conversations may have landed first, and it may have had
    another email.
    """
    claims = [(record_id(one), claimed_email(one), record_updated_at(one)) for one in contacts]
    found = suppression_list.match(session, claims)
    if found.is_empty():
        return contacts
    suppression_list.add_records(session, "contact", found)
    if news := found.filter("new")["id"].unique().to_list():
        erase_records(session, news)
    gone = set(found["place"])
    return [one for place, one in enumerate(contacts) if place not in gone]


def _conversations(session: Session, conversations: list[Any]) -> list[Any]:
    named = [participant_ids(one) for one in conversations]
    gone = suppression_list.suppressed_ids(session, set().union(*named))
    if not gone:
        return conversations
    left = [redact_contacts(one, gone) if who & gone else one for one, who in zip(conversations, named, strict=True)]
    theirs = [
        (record_id(one), record_updated_at(one))
        for one, rest in zip(conversations, left, strict=True)
        if rest is None and one is not None
    ]
    if theirs:
        erase_conversations(session, pl.DataFrame(theirs, schema=_VERSIONS, orient="row"))
    return [one for one, who in zip(left, named, strict=True) if one is not None or not who]
