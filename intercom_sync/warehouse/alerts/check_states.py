"""`check_states`: the last state of each check, and when its failure was last reported."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.incidents import failed_check
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.postgres.session import Session

REMINDER_INTERVAL = timedelta(days=1)
"""The time after which a check that keeps failing is reported again."""


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a check.

    Attributes:
        check: asset and name, as in `unified_customers/emails_are_unique`.
        passed: whether it passed.
        severity: WARN or ERROR.
        description: the finding, without any customer's data.
        run_id: the Dagster run.
        at: the time of the evaluation.
    """

    check: str
    passed: bool
    severity: str
    description: str
    run_id: RunId
    at: datetime


def record_evaluation(session: Session, evaluation: Evaluation) -> bool:
    """Store a check's evaluation and enqueue an alert for a new failure; return whether an alert was enqueued.

    A failure is new if the check passed before, or was last reported more than a day ago. Idempotent: an evaluation
    that is not newer than the stored one changes nothing. Runs inside the caller's transaction.
    """
    session.execute(
        "INSERT INTO check_states (check_name, passed, evaluated_at) VALUES ($1, TRUE, '-infinity') "
        "ON CONFLICT DO NOTHING",
        evaluation.check,
    )
    stored = session.frame(
        "SELECT evaluated_at < $2 AS newer, coalesce(notified_at <= $3, TRUE) AS due FROM check_states "
        "WHERE check_name = $1 FOR UPDATE",
        evaluation.check,
        evaluation.at,
        evaluation.at - REMINDER_INTERVAL,
    ).row(0, named=True)
    if not stored["newer"]:
        return False
    is_new = not evaluation.passed and stored["due"]
    notified_at = "NULL" if evaluation.passed else "$3" if is_new else "notified_at"
    session.execute(
        f"UPDATE check_states SET passed = $2, evaluated_at = $3, notified_at = {notified_at} WHERE check_name = $1",
        evaluation.check,
        evaluation.passed,
        evaluation.at,
    )
    if is_new:
        outbox.enqueue_once(
            session,
            failed_check(
                evaluation.check, evaluation.severity, evaluation.description, evaluation.run_id, evaluation.at
            ),
        )
    return bool(is_new)
