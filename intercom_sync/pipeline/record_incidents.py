"""Enqueue incidents found in the warehouse: runs with partial failures, and windows that no sync has extracted.

`run_events` reads failed runs and failed checks from Dagster.
"""

from datetime import datetime, timedelta

from intercom_sync.domain.incidents import FAILED_RUN, Evaluation, failed_check, missed_windows, partial_failure
from intercom_sync.warehouse.alerts import check_states, outbox
from intercom_sync.warehouse.alerts.check_states import CheckState
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import runs

_RECENT = timedelta(days=7)
_MAX_RUN_TIME = timedelta(hours=6)


def record(session: Session, now: datetime) -> int:
    """Enqueue new incidents; return how many. Idempotent. Runs inside the caller's transaction."""
    return _record_partial_failures(session, now) + _record_gap(session, now)


def record_evaluation(session: Session, evaluation: Evaluation) -> bool:
    """Store the evaluation of a check, and enqueue an incident if the failure is news; return whether it was enqueued.

    An evaluation that is not newer than the stored one changes nothing, so that evaluations may be read again. Runs
    inside the caller's transaction.
    """
    stored = check_states.lock(session, evaluation.check)
    if stored.evaluated_at and evaluation.at <= stored.evaluated_at:
        return False
    is_news = evaluation.is_news(stored.notified_at)
    notified_at = None if evaluation.passed else evaluation.at if is_news else stored.notified_at
    check_states.store(session, evaluation.check, evaluation.passed, CheckState(evaluation.at, notified_at))
    if is_news:
        failed = failed_check(
            evaluation.check, evaluation.severity, evaluation.description, evaluation.run_id, evaluation.at
        )
        outbox.enqueue_once(session, failed)
    return is_news


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
