"""`contact_merges`, and whom an id stands for: who wrote a message or rated a conversation may have been merged since.

An id that is landed stands for itself, whatever a merge says: it may have come back. One that is not stands for the
contact that took it in, or for that one's, where that is gone too.
"""

from collections.abc import Mapping

import polars as pl

from intercom_sync.domain.schema.tables import CONTACT_MERGES
from intercom_sync.warehouse.postgres.session import Session

_MAX_HOPS = 3  # as many as Intercom itself follows
_NOTE = (
    "INSERT INTO contact_merges AS old (source_id, contact_id) "
    "SELECT source_id, contact_id FROM noted_merge WHERE source_id <> contact_id ORDER BY source_id "
    "ON CONFLICT (source_id) DO UPDATE SET contact_id = EXCLUDED.contact_id "
    "WHERE old.contact_id <> EXCLUDED.contact_id"
)
_IS_LANDED = "EXISTS (SELECT FROM intercom_contacts c WHERE c.id = {id})"
_STAGE = (
    "CREATE TEMPORARY TABLE merged_away AS WITH RECURSIVE hops AS ("
    "SELECT source_id, contact_id, 1 AS hop FROM contact_merges "
    f"WHERE NOT {_IS_LANDED.format(id='source_id')} UNION ALL "
    "SELECT h.source_id, m.contact_id, h.hop + 1 FROM hops h JOIN contact_merges m ON m.source_id = h.contact_id "
    f"WHERE h.hop < {_MAX_HOPS} AND NOT {_IS_LANDED.format(id='h.contact_id')}) "
    f"SELECT source_id AS id, contact_id FROM hops WHERE {_IS_LANDED.format(id='contact_id')}"
)
# In a conversation of one contact the words are theirs, also those written as a lead who was merged into them since.
WRITTEN_BY = (
    "JOIN intercom_conversations v ON v.id = m.conversation_id CROSS JOIN LATERAL (SELECT "
    "CASE WHEN cardinality(v.contact_ids) = 1 THEN v.contact_ids[1] ELSE m.author_id END AS author) w "
    "LEFT JOIN merged_away a ON a.id = w.author JOIN intercom_contacts c ON c.id = COALESCE(a.contact_id, w.author)"
)
"""Joins a message `m` with its conversation `v` and the contact `c` who wrote it, once `stage` was called."""


def record(session: Session, merges: Mapping[str, str]) -> None:
    """Note into which contact each id was merged; runs inside the caller's transaction, which lands contacts alone."""
    if merges:
        rows = pl.DataFrame(list(merges.items()), schema=CONTACT_MERGES.frame_schema(), orient="row")
        session.stage("noted_merge", rows)
        session.execute(_NOTE)


def create_merge_map(session: Session) -> None:
    """Put the ids that stand for another contact now into the temporary table `merged_away` (`id`, `contact_id`).

    To be joined from the left: few ids were ever merged, and the join with the contacts stays what it is without them.
    Runs inside the caller's transaction.
    """
    session.execute("DROP TABLE IF EXISTS pg_temp.merged_away")
    session.execute(_STAGE)
    session.execute("CREATE INDEX ON merged_away (id)")
    session.execute("ANALYZE merged_away")
