"""Statistics of tables: taken anew where a run has filled them, before they are joined.

By stale ones the planner takes a full table for an empty one, and looks through all of it once for each row of another.
Autovacuum comes when it comes.
"""

from intercom_sync.warehouse.session import Session

MANY = 1_000
"""Rows from which it matters how two tables are joined."""


def analyze(session: Session, *tables: str, rows: int) -> None:
    """Take the statistics of tables that a run has put so many rows into; inside the caller's transaction.

    A table that another program has locked, or that belongs to another role, keeps those it has.
    """
    if rows >= MANY:
        session.execute(f"ANALYZE (SKIP_LOCKED) {', '.join(tables)}")
