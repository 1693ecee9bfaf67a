"""What the warehouse itself knows of trouble: errors that a sync survived, and windows that no sync has read.

Failed runs and checks are known to Dagster; `ended_runs` reads them.
"""

from datetime import datetime, timedelta

from intercom_sync.domain.clocks import TOLERANCE
from intercom_sync.domain.incidents import FAILED_RUN, SURVIVED_ERRORS, missed_windows, survived_errors
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import runs

_RECENT = timedelta(days=7)
_UNDER_WAY = timedelta(hours=6)


def note_trouble(session: Session, now: datetime) -> int:
    """Put what is news into the outbox; return how much was; runs inside the caller's transaction."""
    return _note_survived(session, now) + _note_gap(session, now)


def _note_survived(session: Session, now: datetime) -> int:
    found = session.frame(
        "SELECT run_id, errors, finished_at FROM sync_runs WHERE status = 'succeeded' AND errors > 0 "
        "AND finished_at > $1 AND NOT EXISTS (SELECT FROM customer_alerts "
        f"WHERE dedupe_key = '{SURVIVED_ERRORS}/' || run_id) ORDER BY finished_at",
        now - _RECENT,
    )
    return sum(outbox.note(session, survived_errors(*row)) for row in found.iter_rows())


def _note_gap(session: Session, now: datetime) -> int:
    """Tell of a gap once; while a sync is at work on it, or has failed and was told of, it is no other news."""
    gap = missed_windows(runs.covered_until(session, now), now)
    if gap is None or _at_work(session, now) or _told(session, now):
        return 0
    return int(outbox.note(session, gap))


def _at_work(session: Session, now: datetime) -> bool:
    return bool(
        session.value(
            "SELECT EXISTS (SELECT FROM sync_runs WHERE status = 'started' AND started_at BETWEEN $1 AND $2)",
            now - _UNDER_WAY,
            now + TOLERANCE,
        )
    )


def _told(session: Session, now: datetime) -> bool:
    return bool(
        session.value(
            f"SELECT EXISTS (SELECT FROM customer_alerts WHERE kind = '{FAILED_RUN}' AND created_at BETWEEN $1 AND $2)",
            now - _UNDER_WAY,
            now + TOLERANCE,
        )
    )
