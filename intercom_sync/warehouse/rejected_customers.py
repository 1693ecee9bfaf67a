"""Keep the rows that `unified_customers` refused among the rejected records, as long as it refuses them.

Every sync writes every customer that differs, so what a sync finds here is all there is.
"""

from dataclasses import dataclass

import polars as pl

from intercom_sync.warehouse.runs import SyncRun
from intercom_sync.warehouse.session import Session

DIGEST = "'sha256:' || left(encode(sha256(convert_to(email_key, 'UTF8')), 'hex'), 16)"
"""By which a row without a contact is known."""

_ID = f"COALESCE(contact_id, {DIGEST})"
_GOOD = f"DELETE FROM rejected_records WHERE kind = 'customer' AND id NOT IN (SELECT {_ID} FROM unwritten_customers)"
_KEEP = (
    "INSERT INTO rejected_records AS old (kind, id, reason, field, value, run, time, rules_hash) "
    f"SELECT 'customer', {_ID}, reason, field, value::json, $1, $2, 'unified_customers' FROM unwritten_customers "
    "ORDER BY 2 ON CONFLICT (kind, id) DO UPDATE SET landed_at = clock_timestamp(), reason = EXCLUDED.reason, "
    "field = EXCLUDED.field, value = EXCLUDED.value, run = EXCLUDED.run, time = EXCLUDED.time "
    "WHERE (old.reason, old.field, old.value::text) IS DISTINCT FROM "
    "(EXCLUDED.reason, EXCLUDED.field, EXCLUDED.value::text)"
)


@dataclass(frozen=True)
class Unwritten:
    """A customer's row that the table refused.

    Attributes:
        id: its contact's, or a digest.
        reason: what refuses it.
        field: the columns.
        read: whether the run read a contact of it.
    """

    id: str
    reason: str
    field: str
    read: bool


def keep_refused(session: Session, refused: pl.DataFrame, run: SyncRun) -> list[Unwritten]:
    """Keep refused rows, drop those that are good now, and return the refused; inside the caller's transaction.

    They stay staged as `unwritten_customers`.
    """
    session.stage("unwritten_customers", refused)
    session.execute(_GOOD)
    session.execute(_KEEP, run.run, run.as_of)
    found = session.frame(f"SELECT {_ID} AS id, reason, field, read FROM unwritten_customers ORDER BY 1")
    return [Unwritten(**row) for row in found.iter_rows(named=True)]
