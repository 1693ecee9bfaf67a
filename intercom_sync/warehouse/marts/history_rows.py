"""`customer_history`: one row per customer and change of a tracked column, with its validity (type 2 dimension).

The rows are written in the transaction that publishes the customers, from the values before and after. A change by
another system between two syncs enters the history when a sync next writes a tracked column of that customer.
"""

import polars as pl

from intercom_sync.domain.customers import KEY
from intercom_sync.domain.schema.movement_tables import TRACKED
from intercom_sync.warehouse.postgres.frames import column_list
from intercom_sync.warehouse.postgres.session import Session, analyze
from intercom_sync.warehouse.state.runs import SyncRun

_UNCHANGED = (
    "DELETE FROM history_changes s USING customer_history h WHERE h.email_key = s.email_key AND h.valid_to IS NULL "
    f"AND ({column_list(TRACKED, 's.')}) IS NOT DISTINCT FROM ({column_list(TRACKED, 'h.')})"
)
_CLOSE = (
    "UPDATE customer_history h SET valid_to = $1 FROM history_changes s "
    "WHERE h.email_key = s.email_key AND h.valid_to IS NULL"
)
_OPEN = (
    f"INSERT INTO customer_history (email_key, {column_list(TRACKED)}, valid_from) "
    f"SELECT email_key, {column_list(TRACKED)}, $1 FROM history_changes ORDER BY email_key"
)


def history_is_empty(session: Session) -> bool:
    """Return whether the history has no rows, because it is new or was truncated; it then begins with all customers."""
    return bool(session.value("SELECT NOT EXISTS (SELECT FROM customer_history)"))


def stage_history(session: Session, rows: pl.DataFrame, *, everything: bool) -> None:
    """Stage the linked and deleted customers whose tracked columns changed.

    Args:
        session: the session of the transaction.
        rows: rows of `domain.customers.CustomerRows`.
        everything: whether to stage unchanged customers too, because the history is empty.
    """
    changed = pl.any_horizontal(pl.col(c).ne_missing(pl.col(f"current_{c}")) for c in TRACKED)
    begins = ~pl.col("existed") | (pl.col("linked") & ~pl.col("known"))
    to_record = rows.filter(~pl.col("external") & (pl.lit(everything) | begins | changed))
    session.append_staged("history_changes", to_record.select(KEY, *TRACKED))


def write_history(session: Session, run: SyncRun) -> None:
    """Close and open history rows for the staged customers that were written to `unified_customers`.

    Runs inside the caller's transaction.

    Args:
        session: the session of the transaction.
        run: the run that wrote the customers.
    """
    session.execute("DELETE FROM history_changes c USING unwritten_customers u WHERE u.email_key = c.email_key")
    count = int(session.value("SELECT count(*) FROM history_changes"))
    if count:
        analyze(session, "history_changes", rows=count)
        session.execute(_UNCHANGED)
        session.execute(_CLOSE, run.as_of)
        session.execute(_OPEN, run.as_of)
