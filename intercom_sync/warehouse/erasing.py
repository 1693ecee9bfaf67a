"""Erase contacts: themselves, what they wrote, and the conversations in which nobody else takes part.

What others share with them stays, and stays right for the others. Whom to erase is decided in `forget` and
`keeping_out`; what has been computed or noted of them since is erased in `forget`.
"""

from collections.abc import Iterable

import polars as pl

from intercom_sync.domain.forgotten import SOMEBODY
from intercom_sync.warehouse import forgotten
from intercom_sync.warehouse.land import alone
from intercom_sync.warehouse.session import Session

ERASED_CONTACTS = "SELECT id FROM erased_contact"
ERASED_CONVERSATIONS = "SELECT id FROM erased_conversation"
_THEIRS_ALONE = (
    "SELECT id, extract(epoch FROM updated_at)::bigint AS updated_at FROM intercom_conversations "
    f"WHERE contact_ids && ARRAY({ERASED_CONTACTS}) "
    f"AND contact_ids <@ (ARRAY({ERASED_CONTACTS}) || '{SOMEBODY}'::text)"
)
# A conversation that a page shows as theirs alone may stand in a newer version, with somebody else in it.
_STANDING = (
    "SELECT v.id FROM intercom_conversations v JOIN erased_conversation e ON e.id = v.id "
    "WHERE v.updated_at <= to_timestamp(e.updated_at)"
)
_SHARED = (
    "UPDATE intercom_conversations v SET "
    f"contact_ids = ARRAY(SELECT CASE WHEN p.id IN ({ERASED_CONTACTS}) THEN '{SOMEBODY}' ELSE p.id END "
    "FROM unnest(v.contact_ids) WITH ORDINALITY p(id, place) ORDER BY p.place), rating_contact_id = "
    f"CASE WHEN v.rating_contact_id IN ({ERASED_CONTACTS}) THEN '{SOMEBODY}' ELSE v.rating_contact_id END "
    f"WHERE v.contact_ids && ARRAY({ERASED_CONTACTS}) OR v.rating_contact_id IN ({ERASED_CONTACTS})"
)


def erase_contacts(session: Session, ids: Iterable[str]) -> dict[str, int]:
    """Erase contacts; return how many rows went, by table. They stay staged as `erased_contact`.

    Runs inside the caller's transaction, which lands no contacts beside others.
    """
    alone(session, "conversation")
    session.stage("erased_contact", pl.DataFrame({"id": list(ids)}, schema={"id": pl.String}))
    written = erase(session, "intercom_messages", f"author_id IN ({ERASED_CONTACTS})")
    removed = erase_conversations(session, session.frame(_THEIRS_ALONE))
    session.execute(_SHARED)
    return {
        "intercom_contacts": erase(session, "intercom_contacts", f"id IN ({ERASED_CONTACTS})"),
        "rejected_records": removed.pop("rejected_records")
        + erase(session, "rejected_records", f"kind IN ('contact', 'customer') AND id IN ({ERASED_CONTACTS})"),
        "intercom_messages": removed.pop("intercom_messages") + written,
        **removed,
    }


def erase_conversations(session: Session, versions: pl.DataFrame) -> dict[str, int]:
    """Erase conversations, by `id` and `updated_at` (UNIX seconds), and keep them out; return rows by table.

    Runs inside the caller's transaction, which lands no conversations beside others. They stay staged as
    `erased_conversation`.
    """
    session.stage("erased_conversation", versions.select("id", "updated_at"))
    forgotten.note(session, "conversation", versions)
    which = {
        "rejected_records": f"kind = 'conversation' AND id IN ({ERASED_CONVERSATIONS})",
        "intercom_messages": f"conversation_id IN ({_STANDING})",
        "intercom_conversations": f"id IN ({_STANDING})",
    }
    return {table: erase(session, table, of) for table, of in which.items()}


def erase(session: Session, table: str, which: str) -> int:
    """Delete rows of a table; return how many."""
    deleted = f"WITH erased AS (DELETE FROM {table} WHERE {which} RETURNING 1) SELECT count(*) FROM erased"
    return int(session.value(deleted))
