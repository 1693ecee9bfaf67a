"""Delete landed records that Intercom no longer has: those unseen by a complete full scan, and deleted conversations.

`pipeline.deletions` decides whether a scan was complete and verifies unseen contacts before.
"""

from collections.abc import Iterable

import polars as pl

from intercom_sync.domain.identifiers import ExtractionId
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.warehouse.landing.land_contacts import landing_lock
from intercom_sync.warehouse.postgres.session import Session

_NOT_SEEN = "NOT EXISTS (SELECT FROM sync_seen_ids r WHERE r.extraction_id = $1 AND r.kind = $2 AND r.id = l.id)"
# Records that landed after the extraction started are newer than it. A `landed_at` in the future was written before the
# start, while the database's clock was ahead. For an extraction that started in the future, no row is known as older.
_EXTRACTION = "FROM sync_extractions WHERE extraction_id = $1"
_OLDER = (
    f"(l.landed_at < (SELECT started_at {_EXTRACTION}) OR l.landed_at > (SELECT clock_timestamp())) "
    f"AND (SELECT started_at <= clock_timestamp() {_EXTRACTION})"
)
_NOT_KEPT = "NOT EXISTS (SELECT FROM kept_records k WHERE k.id = l.id)"
_DELETE_DEPENDENT = {
    RecordKind.CONTACT: ", revenue AS (DELETE FROM revenue_metrics r USING gone g WHERE r.contact_id = g.id)",
    RecordKind.CONVERSATION: (
        ", messages AS (DELETE FROM intercom_messages m USING gone g WHERE m.conversation_id = g.id)"
    ),
}


def ids_not_seen(session: Session, extraction_id: ExtractionId, kind: RecordKind, most: int) -> list[str]:
    """Return at most `most` ids of landed records that a full scan did not see, last changed first."""
    found = session.frame(
        f"SELECT l.id FROM {kind.table.name} l WHERE {_OLDER} AND {_NOT_SEEN} "
        f"ORDER BY l.updated_at DESC, l.id LIMIT {most}",
        extraction_id,
        kind,
    )
    return list(found["id"])


def delete_unseen(session: Session, extraction_id: ExtractionId, kind: RecordKind, kept: Iterable[str] = ()) -> int:
    """Delete records that a complete full scan did not see: deleted, archived, merged, and vanished rejected ones.

    Ids in `kept` are not deleted. Returns the number of deleted landed records. Runs inside the caller's transaction.
    """
    landing_lock(session, kind)
    _stage(session, "kept_records", kept)
    deleted = _delete(session, kind, f"{_OLDER} AND {_NOT_SEEN} AND {_NOT_KEPT}", extraction_id, kind)
    session.execute(
        f"DELETE FROM rejected_records l WHERE l.kind = $2 AND {_OLDER} AND {_NOT_SEEN} AND {_NOT_KEPT}",
        extraction_id,
        kind,
    )
    return deleted


def delete_by_id(session: Session, ids: Iterable[str]) -> int:
    """Delete conversations, landed or rejected, with their messages.

    Returns the number of deleted landed conversations. Runs inside the caller's transaction.
    """
    landing_lock(session, RecordKind.CONVERSATION)
    _stage(session, "deleted_records", ids)
    is_deleted = "EXISTS (SELECT FROM deleted_records d WHERE d.id = l.id)"
    session.execute(f"DELETE FROM rejected_records l WHERE l.kind = 'conversation' AND {is_deleted}")
    return _delete(session, RecordKind.CONVERSATION, is_deleted)


def _delete(session: Session, kind: RecordKind, condition: str, *values: object) -> int:
    return int(
        session.value(
            f"WITH gone AS (DELETE FROM {kind.table.name} l WHERE {condition} RETURNING l.id){_DELETE_DEPENDENT[kind]} "
            "SELECT count(*) FROM gone",
            *values,
        )
    )


def _stage(session: Session, name: str, ids: Iterable[str]) -> None:
    session.stage(name, pl.DataFrame({"id": pl.Series(list(ids), dtype=pl.String)}))
