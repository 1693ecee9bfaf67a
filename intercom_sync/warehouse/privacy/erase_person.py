"""Erase people: their contacts, messages, computed rows, and the conversations in which no other contact takes part.

Conversations shared with other contacts stay, with the erased contact's id replaced, so the others' metrics stay the
same. `erase_person` erases a person by email; `drop_suppressed` calls `erase_records` for one who comes back.
"""

from collections.abc import Iterable

import polars as pl

from intercom_sync.domain.emails import trim_email
from intercom_sync.domain.erasure import ERASED_CONTACT_ID
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.landing.land_contacts import landing_lock
from intercom_sync.warehouse.marts.row_rejections import DIGEST
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.privacy import suppression_list
from intercom_sync.warehouse.privacy.retention import CLEAR_REJECTED_VALUES

ERASED_CONTACTS = "SELECT id FROM erased_contact"
ERASED_CONVERSATIONS = "SELECT id FROM erased_conversation"
_ONLY_THEIRS = (
    "SELECT id, extract(epoch FROM updated_at)::bigint AS updated_at FROM intercom_conversations "
    f"WHERE contact_ids && ARRAY({ERASED_CONTACTS}) "
    f"AND contact_ids <@ (ARRAY({ERASED_CONTACTS}) || '{ERASED_CONTACT_ID}'::text)"
)
# A fetched version may have no other participant, while a newer stored version has one; that one is kept.
_NOT_NEWER = (
    "SELECT v.id FROM intercom_conversations v JOIN erased_conversation e ON e.id = v.id "
    "WHERE v.updated_at <= to_timestamp(e.updated_at)"
)
_REDACT_SHARED = (
    "UPDATE intercom_conversations v SET "
    f"contact_ids = ARRAY(SELECT CASE WHEN p.id IN ({ERASED_CONTACTS}) THEN '{ERASED_CONTACT_ID}' ELSE p.id END "
    "FROM unnest(v.contact_ids) WITH ORDINALITY p(id, place) ORDER BY p.place), rating_contact_id = "
    f"CASE WHEN v.rating_contact_id IN ({ERASED_CONTACTS}) THEN '{ERASED_CONTACT_ID}' ELSE v.rating_contact_id END "
    f"WHERE v.contact_ids && ARRAY({ERASED_CONTACTS}) OR v.rating_contact_id IN ({ERASED_CONTACTS})"
)


def erase_records(session: Session, ids: Iterable[str]) -> dict[str, int]:
    """Erase contacts; return the number of deleted rows by table. Their ids stay staged as `erased_contact`.

    Runs inside the caller's transaction, under the landing lock of contacts.
    """
    landing_lock(session, RecordKind.CONVERSATION)
    session.stage("erased_contact", pl.DataFrame({"id": list(ids)}, schema={"id": pl.String}))
    messages = erase(session, "intercom_messages", f"author_id IN ({ERASED_CONTACTS})")
    removed = erase_conversations(session, session.frame(_ONLY_THEIRS))
    session.execute(_REDACT_SHARED)
    return {
        "intercom_contacts": erase(session, "intercom_contacts", f"id IN ({ERASED_CONTACTS})"),
        "rejected_records": removed.pop("rejected_records")
        + erase(session, "rejected_records", f"kind IN ('contact', 'customer') AND id IN ({ERASED_CONTACTS})"),
        "intercom_messages": removed.pop("intercom_messages") + messages,
        **removed,
    }


def erase_conversations(session: Session, versions: pl.DataFrame) -> dict[str, int]:
    """Erase conversations, given as `id` and `updated_at` (UNIX seconds), and add them to the suppression list.

    Returns the number of deleted rows by table. The conversations stay staged as `erased_conversation`. Runs inside the
    caller's transaction, under the landing lock of conversations.
    """
    session.stage("erased_conversation", versions.select("id", "updated_at"))
    suppression_list.add_records(session, RecordKind.CONVERSATION, versions)
    conditions = {
        "rejected_records": f"kind = 'conversation' AND id IN ({ERASED_CONVERSATIONS})",
        "intercom_messages": f"conversation_id IN ({_NOT_NEWER})",
        "intercom_conversations": f"id IN ({_NOT_NEWER})",
    }
    return {table: erase(session, table, condition) for table, condition in conditions.items()}


def erase(session: Session, table: str, condition: str) -> int:
    """Delete the rows of a table that meet a condition; return how many."""
    delete = f"WITH erased AS (DELETE FROM {table} WHERE {condition} RETURNING 1) SELECT count(*) FROM erased"
    return int(session.value(delete))


_LANDED = (
    "SELECT id, $1::text AS email, extract(epoch FROM updated_at)::bigint AS updated_at FROM intercom_contacts "
    "WHERE email_key = lower($1)"
)
_REJECTED = (
    "SELECT id, payload->>'email' AS email, extract(epoch FROM updated_at)::bigint AS updated_at "
    "FROM rejected_records WHERE kind = 'contact' AND payload->>'email' IS NOT NULL"
)
# The email itself, and earlier emails of its contacts, unless another contact has them now.
_EMAILS = (
    "SELECT lower($1) AS email_key UNION SELECT t.email_key FROM (SELECT lower(email) AS email_key, "
    "CAST(intercom_contact_id AS text) AS id FROM unified_customers WHERE email IS NOT NULL UNION ALL "
    "SELECT email_key, intercom_contact_id FROM customer_last_written) t JOIN erasing e ON e.id = t.id "
    "WHERE NOT EXISTS (SELECT FROM intercom_contacts c WHERE c.email_key = t.email_key "
    "AND c.id NOT IN (SELECT id FROM erasing))"
)
_REJECTED_CUSTOMERS = f"kind = 'customer' AND id IN (SELECT {DIGEST} FROM erased_email)"
# Contacts that were merged into them may have messages in shared conversations. A landed id is a contact of its own.
_MERGED = (
    "WITH RECURSIVE merged AS (SELECT id FROM erasing UNION SELECT m.source_id FROM contact_merges m "
    "JOIN merged t ON t.id = m.contact_id WHERE NOT EXISTS (SELECT FROM intercom_contacts c WHERE c.id = m.source_id)) "
    "SELECT id, NULL::bigint AS updated_at FROM merged WHERE id NOT IN (SELECT id FROM erasing)"
)
_KEYS = "SELECT email_key FROM erased_email"
_OF_CUSTOMERS = {
    "unified_customers": f"lower(email) IN ({_KEYS})",
    "customer_last_written": f"email_key IN ({_KEYS})",
    "support_metrics": f"email_key IN ({_KEYS})",
    "customer_history": f"email_key IN ({_KEYS})",
    "customer_alerts": f"lower(email) IN ({_KEYS})",
}
_OF_CONTACTS = {
    "revenue_metrics": f"contact_id IN ({ERASED_CONTACTS})",
    "contact_merges": f"source_id IN ({ERASED_CONTACTS}) OR contact_id IN ({ERASED_CONTACTS})",
    "sync_seen_ids": f"(kind = 'contact' AND id IN ({ERASED_CONTACTS})) "
    f"OR (kind = 'conversation' AND id IN ({ERASED_CONVERSATIONS}))",
}
_REMOVE_LISTED_IDS = (
    "UPDATE sync_stream_stats SET {column} = ARRAY(SELECT m.id FROM unnest({column}) WITH ORDINALITY m(id, place) "
    "WHERE m.id NOT IN ({ids}) ORDER BY m.place) WHERE kind = '{kind}' AND {column} && ARRAY({ids})"
)
# Totals and months stay what they were.
_ANONYMIZE = (
    "UPDATE mrr_movements SET email = NULL, intercom_contact_id = NULL, stripe_customer_id = NULL "
    f"WHERE email IN ({_KEYS}) OR intercom_contact_id IN ({ERASED_CONTACTS})"
)
_REDUCE_CUSTOMER_COUNTS = (
    "UPDATE sync_runs SET customers = customers - $1::bigint::integer WHERE run_id IN (SELECT run_id FROM sync_runs "
    "WHERE status = 'succeeded' AND customers IS NOT NULL ORDER BY finished_at DESC LIMIT 2)"
)


def erase_person(session: Session, email: str) -> dict[str, int]:
    """Erase the person with an email, in any case, and add them to the suppression list.

    Returns:
        The number of deleted rows by table.

    Raises:
        WarehouseError: the database refuses, or a sync holds a lock for too long; nothing was changed.
    """
    with session.transaction():
        _lock_landing(session)
        suppression_list.add_email(session, email)
        contacts = _contacts(session, email)
        session.stage("erasing", contacts.select("id"))
        session.stage("erased_email", session.frame(_EMAILS, email))
        contacts = pl.concat([contacts, session.frame(_MERGED)])
        customers = session.value(
            f"SELECT count(*) FROM unified_customers WHERE intercom_deleted_at IS NULL AND lower(email) IN ({_KEYS})"
        )
        removed = {table: erase(session, table, condition) for table, condition in _OF_CUSTOMERS.items()}
        # Without this, a check would report the erased customers as removed by another program.
        session.execute(_REDUCE_CUSTOMER_COUNTS, int(customers))
        # A record without an id is stored under a digest of its content, which no other record will have.
        named = contacts.filter(~pl.col("id").str.starts_with("sha256:"))
        suppression_list.add_records(session, RecordKind.CONTACT, named)
        removed |= erase_records(session, contacts["id"])
        removed["rejected_records"] += erase(session, "rejected_records", _REJECTED_CUSTOMERS)
        session.execute(_ANONYMIZE)
        session.execute(CLEAR_REJECTED_VALUES)  # they do not say who wrote the text in them
        for column in ("late_arrival_ids", "scan_miss_ids"):
            for kind, ids in ((RecordKind.CONTACT, ERASED_CONTACTS), (RecordKind.CONVERSATION, ERASED_CONVERSATIONS)):
                session.execute(_REMOVE_LISTED_IDS.format(column=column, kind=kind, ids=ids))
        return removed | {table: erase(session, table, condition) for table, condition in _OF_CONTACTS.items()}


def _lock_landing(session: Session) -> None:
    """Take the locks of delivery, landing and publishing, in the order that avoids deadlocks."""
    outbox.await_delivery(session)
    session.execute("LOCK TABLE support_metrics IN SHARE ROW EXCLUSIVE MODE")
    landing_lock(session, RecordKind.CONTACT)
    landing_lock(session, RecordKind.CONVERSATION)
    session.execute("LOCK TABLE unified_customers IN SHARE ROW EXCLUSIVE MODE")


def _contacts(session: Session, email: str) -> pl.DataFrame:
    """Return `id` and `updated_at` of the contacts with the email, landed or rejected."""
    rejected = ((id, trim_email(given), version) for id, given, version in session.frame(_REJECTED).iter_rows())
    found = suppression_list.match(session, [*session.frame(_LANDED, email).iter_rows(), *rejected])
    return found.group_by("id").agg(pl.col("updated_at").max())
