"""Enqueue incidents found in the warehouse: runs with partial failures, and windows that no sync has extracted.

`run_events` reads failed runs and failed checks from Dagster.
"""

from datetime import datetime, timedelta

from intercom_sync.domain.incidents import FAILED_RUN, missed_windows, partial_failure
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import runs

_RECENT = timedelta(days=7)
_MAX_RUN_TIME = timedelta(hours=6)


def record(session: Session, now: datetime) -> int:
    """Enqueue new incidents; return how many. Idempotent. Runs inside the caller's transaction."""
    return _record_partial_failures(session, now) + _record_gap(session, now)


def _record_partial_failures(session: Session, now: datetime) -> int:
    found = runs.succeeded_with_errors(session, now - _RECENT)
    return sum(outbox.enqueue_once(session, partial_failure(*each)) for each in found)


def _record_gap(session: Session, now: datetime) -> int:
    """Enqueue a gap once, unless a run is working on it, or failed and was reported."""
    since = now - _MAX_RUN_TIME
    gap = missed_windows(runs.watermark(session, now), now)
    if gap is None or runs.in_progress(session, since, now) or outbox.was_enqueued(session, FAILED_RUN, since, now):
        return 0
    return int(outbox.enqueue_once(session, gap))
