"""What Intercom no longer holds leaves the landed state: what a complete full reading did not find, what was deleted.

Whether a reading was complete, and what is asked before anything goes, is decided in `sync`.
"""

from collections.abc import Iterable

import polars as pl

from intercom_sync.warehouse.landing.land_contacts import landing_lock
from intercom_sync.warehouse.postgres.session import Session

_NOT_SEEN = "NOT EXISTS (SELECT FROM sync_seen_ids r WHERE r.extraction_id = $1 AND r.kind = $2 AND r.id = l.id)"
# What landed after the reading began is newer than it. What landed in the future did so while the database's clock was
# ahead, before it began; a reading that began in the future cannot say what is older.
_BEGUN = "FROM sync_extractions WHERE extraction_id = $1"
_OLDER = (
    f"(l.landed_at < (SELECT started_at {_BEGUN}) OR l.landed_at > (SELECT clock_timestamp())) "
    f"AND (SELECT started_at <= clock_timestamp() {_BEGUN})"
)
_NOT_KEPT = "NOT EXISTS (SELECT FROM kept_records k WHERE k.id = l.id)"
_WORDS = {
    "contact": "",
    "conversation": ", words AS (DELETE FROM intercom_messages m USING gone g WHERE m.conversation_id = g.id)",
}


def ids_not_seen(session: Session, reading: str, kind: str, most: int) -> list[str]:
    """Return the landed records that a full reading did not find, those changed last first, at most so many."""
    found = session.frame(
        f"SELECT l.id FROM intercom_{kind}s l WHERE {_OLDER} AND {_NOT_SEEN} "
        f"ORDER BY l.updated_at DESC, l.id LIMIT {most}",
        reading,
        kind,
    )
    return list(found["id"])


def delete_unseen(session: Session, reading: str, kind: str, kept: Iterable[str] = ()) -> int:
    """Drop what a complete full reading did not find: deleted, archived and merged records, and refused ones gone.

    What is to be kept stays all the same. Returns how many landed records went; runs inside the caller's transaction.
    """
    landing_lock(session, kind)
    _stage(session, "kept_records", kept)
    gone = _drop(session, kind, f"{_OLDER} AND {_NOT_SEEN} AND {_NOT_KEPT}", reading, kind)
    session.execute(
        f"DELETE FROM rejected_records l WHERE l.kind = $2 AND {_OLDER} AND {_NOT_SEEN} AND {_NOT_KEPT}", reading, kind
    )
    return gone


def delete_by_id(session: Session, ids: Iterable[str]) -> int:
    """Drop conversations that were deleted, landed or refused, with what was said in them.

    Returns how many landed ones went; runs inside the caller's transaction.
    """
    landing_lock(session, "conversation")
    _stage(session, "deleted_records", ids)
    deleted = "EXISTS (SELECT FROM deleted_records d WHERE d.id = l.id)"
    session.execute(f"DELETE FROM rejected_records l WHERE l.kind = 'conversation' AND {deleted}")
    return _drop(session, "conversation", deleted)


def _drop(session: Session, kind: str, condition: str, *values: object) -> int:
    return int(
        session.value(
            f"WITH gone AS (DELETE FROM intercom_{kind}s l WHERE {condition} RETURNING l.id){_WORDS[kind]} "
            "SELECT count(*) FROM gone",
            *values,
        )
    )


def _stage(session: Session, name: str, ids: Iterable[str]) -> None:
    session.stage(name, pl.DataFrame({"id": pl.Series(list(ids), dtype=pl.String)}))
