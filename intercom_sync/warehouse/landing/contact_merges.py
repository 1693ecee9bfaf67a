"""`contact_merges`: resolve the ids of merged contacts, such as the author of a message, to the remaining contact.

A landed id resolves to itself, even if a merge names it, because the contact may have returned. Any other id resolves
to the contact it was merged into, over several merges if needed.
"""

from collections.abc import Mapping

import polars as pl

from intercom_sync.domain.schema.tables import CONTACT_MERGES
from intercom_sync.warehouse.postgres.session import Session

_MAX_HOPS = 3  # as many as Intercom follows
_UPSERT = (
    "INSERT INTO contact_merges AS old (source_id, contact_id) "
    "SELECT source_id, contact_id FROM noted_merge WHERE source_id <> contact_id ORDER BY source_id "
    "ON CONFLICT (source_id) DO UPDATE SET contact_id = EXCLUDED.contact_id "
    "WHERE old.contact_id <> EXCLUDED.contact_id"
)
_IS_LANDED = "EXISTS (SELECT FROM intercom_contacts c WHERE c.id = {id})"
_CREATE_MAP = (
    "CREATE TEMPORARY TABLE merged_away AS WITH RECURSIVE hops AS ("
    "SELECT source_id, contact_id, 1 AS hop FROM contact_merges "
    f"WHERE NOT {_IS_LANDED.format(id='source_id')} UNION ALL "
    "SELECT h.source_id, m.contact_id, h.hop + 1 FROM hops h JOIN contact_merges m ON m.source_id = h.contact_id "
    f"WHERE h.hop < {_MAX_HOPS} AND NOT {_IS_LANDED.format(id='h.contact_id')}) "
    f"SELECT source_id AS id, contact_id FROM hops WHERE {_IS_LANDED.format(id='contact_id')}"
)
# In a conversation with one contact, that contact wrote all messages, including those of a lead merged into it since.
WRITTEN_BY = (
    "JOIN intercom_conversations v ON v.id = m.conversation_id CROSS JOIN LATERAL (SELECT "
    "CASE WHEN cardinality(v.contact_ids) = 1 THEN v.contact_ids[1] ELSE m.author_id END AS author) w "
    "LEFT JOIN merged_away a ON a.id = w.author JOIN intercom_contacts c ON c.id = COALESCE(a.contact_id, w.author)"
)
"""Joins a message `m` with its conversation `v` and its author, the contact `c`. Call `create_merge_map` first."""


def record(session: Session, merges: Mapping[str, str]) -> None:
    """Upsert merges: merged id to remaining contact id. Runs in the caller's transaction, under the landing lock."""
    if merges:
        rows = pl.DataFrame(list(merges.items()), schema=CONTACT_MERGES.frame_schema(), orient="row")
        session.stage("noted_merge", rows)
        session.execute(_UPSERT)


def create_merge_map(session: Session) -> None:
    """Create the temporary table `merged_away`, which maps merged ids (`id`) to remaining contacts (`contact_id`).

    Use it in a left join: few ids were ever merged, and the plan of the join with the contacts stays the same.
    Runs inside the caller's transaction.
    """
    session.execute("DROP TABLE IF EXISTS pg_temp.merged_away")
    session.execute(_CREATE_MAP)
    session.execute("CREATE INDEX ON merged_away (id)")
    session.execute("ANALYZE merged_away")
