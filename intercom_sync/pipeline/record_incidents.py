"""What the warehouse itself knows of trouble: errors that a sync survived, and windows that no sync has read.

Failed runs and checks are known to Dagster; `run_events` reads them.
"""

from datetime import datetime, timedelta

from intercom_sync.domain.clocks import TOLERANCE
from intercom_sync.domain.incidents import FAILED_RUN, PARTIAL_FAILURE, missed_windows, partial_failure
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import runs

_RECENT = timedelta(days=7)
_MAX_RUN_TIME = timedelta(hours=6)


def record(session: Session, now: datetime) -> int:
    """Put what is news into the outbox; return how much was; runs inside the caller's transaction."""
    return _record_partial_failures(session, now) + _record_gap(session, now)


def _record_partial_failures(session: Session, now: datetime) -> int:
    found = session.frame(
        "SELECT run_id, errors, finished_at FROM sync_runs WHERE status = 'succeeded' AND errors > 0 "
        "AND finished_at > $1 AND NOT EXISTS (SELECT FROM customer_alerts "
        f"WHERE dedupe_key = '{PARTIAL_FAILURE}/' || run_id) ORDER BY finished_at",
        now - _RECENT,
    )
    return sum(outbox.enqueue_once(session, partial_failure(*row)) for row in found.iter_rows())


def _record_gap(session: Session, now: datetime) -> int:
    """Tell of a gap once; while a sync is at work on it, or has failed and was told of, it is no other news."""
    gap = missed_windows(runs.watermark(session, now), now)
    if gap is None or _run_in_progress(session, now) or _already_recorded(session, now):
        return 0
    return int(outbox.enqueue_once(session, gap))


def _run_in_progress(session: Session, now: datetime) -> bool:
    return bool(
        session.value(
            "SELECT EXISTS (SELECT FROM sync_runs WHERE status = 'started' AND started_at BETWEEN $1 AND $2)",
            now - _MAX_RUN_TIME,
            now + TOLERANCE,
        )
    )


def _already_recorded(session: Session, now: datetime) -> bool:
    return bool(
        session.value(
            f"SELECT EXISTS (SELECT FROM customer_alerts WHERE kind = '{FAILED_RUN}' AND created_at BETWEEN $1 AND $2)",
            now - _MAX_RUN_TIME,
            now + TOLERANCE,
        )
    )
