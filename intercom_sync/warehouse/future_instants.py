"""Stored instants that are later than the present: a clock was ahead when they were written, and they are corrected.

Otherwise a watermark of the future would skip changes, and the newest run, check and alert would be those of the future
until it comes. Instants that Intercom gave are not touched.
"""

from datetime import datetime, timedelta

from intercom_sync.domain.clocks import TOLERANCE
from intercom_sync.warehouse.runs import REFRESH
from intercom_sync.warehouse.session import Session

_A_MOMENT = timedelta(seconds=1)
_RUN_INSTANTS = ("as_of", "started_at", "finished_at")
_OTHERS = {
    "customer_alerts": ("created_at", "delivered_at"),
    "check_states": ("evaluated_at", "notified_at"),
    "rejected_records": ("time",),
}


def correct_future_instants(session: Session, present: datetime) -> int:
    """Correct what is later than the present; return how many rows were. Runs inside the caller's transaction.

    A run that began in the future covers nothing, since its true time is unknown: what it read is read again.
    """
    return _correct_runs(session, present) + sum(
        _correct(session, table, columns, present) for table, columns in _OTHERS.items()
    )


def _correct_runs(session: Session, present: datetime) -> int:
    """Put the last of them right before the present, and the others as long before it as they were."""
    latest: datetime | None = session.value(
        f"SELECT max(GREATEST({', '.join(_RUN_INSTANTS)})) FROM sync_runs WHERE {_is_future(_RUN_INSTANTS)}",
        present + TOLERANCE,
    )
    if latest is None:
        return 0
    # Whole seconds: the driver binds no interval.
    by = -int(-(latest - present + _A_MOMENT).total_seconds() // 1)
    moved = ", ".join(
        f"{c} = CASE WHEN {c} > $1 THEN {c} - interval '{by} seconds' ELSE {c} END" for c in _RUN_INSTANTS
    )
    return _count(
        session,
        f"UPDATE sync_runs SET {moved}, mode = CASE WHEN started_at > $1 THEN '{REFRESH}' ELSE mode END "
        f"WHERE {_is_future(_RUN_INSTANTS)}",
        present + TOLERANCE,
    )


def _correct(session: Session, table: str, columns: tuple[str, ...], present: datetime) -> int:
    capped = ", ".join(f"{c} = CASE WHEN {c} > $1 THEN $2 ELSE {c} END" for c in columns)
    return _count(
        session, f"UPDATE {table} SET {capped} WHERE {_is_future(columns)}", present + TOLERANCE, present - _A_MOMENT
    )


def _is_future(columns: tuple[str, ...]) -> str:
    return f"GREATEST({', '.join(columns)}) > $1"


def _count(session: Session, update: str, *values: object) -> int:
    return int(session.value(f"WITH corrected AS ({update} RETURNING 1) SELECT count(*) FROM corrected", *values))
