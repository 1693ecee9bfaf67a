"""`contact_merges`, and whom an id stands for: who wrote a message or rated a conversation may have been merged since.

An id that is landed stands for itself, whatever a merge says: it may have come back. One that is not stands for the
contact that took it in, or for that one's, where that is gone too.
"""

from collections.abc import Mapping

import polars as pl

from intercom_sync.domain.tables import CONTACT_MERGES
from intercom_sync.warehouse.session import Session

_HOPS = 3  # as many as Intercom itself follows
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
    f"WHERE h.hop < {_HOPS} AND NOT {_IS_LANDED.format(id='h.contact_id')}) "
    "SELECT h.source_id AS id, c.id AS contact_id, c.email_key FROM hops h JOIN intercom_contacts c "
    "ON c.id = h.contact_id"
)
PEOPLE = (
    "(SELECT id, id AS contact_id, email_key FROM intercom_contacts "
    "UNION ALL SELECT id, contact_id, email_key FROM merged_away)"
)
"""Every id that stands for a landed contact, with that contact and its customer, once `stage` was called."""


def note(session: Session, merges: Mapping[str, str]) -> None:
    """Note into which contact each id was merged; runs inside the caller's transaction, which lands contacts alone."""
    if merges:
        rows = pl.DataFrame(list(merges.items()), schema=CONTACT_MERGES.frame_schema(), orient="row")
        session.stage("noted_merge", rows)
        session.execute(_NOTE)


def stage(session: Session) -> None:
    """Work out whom the ids of merged contacts stand for now; runs inside the caller's transaction."""
    session.execute("DROP TABLE IF EXISTS pg_temp.merged_away")
    session.execute(_STAGE)
    session.execute("ANALYZE merged_away")
