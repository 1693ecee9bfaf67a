"""`check_states`: what each check said last, and whether that is news."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from intercom_sync.domain.incidents import failed_check
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.postgres.session import Session

REMINDER_INTERVAL = timedelta(days=1)
"""A check that keeps failing is told of again after this."""


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a check.

    Attributes:
        check: asset and name, as in `unified_customers/emails_are_unique`.
        passed: what it came to.
        severity: WARN or ERROR.
        found: what the check says, without any customer's data.
        run: the Dagster run.
        at: when.
    """

    check: str
    passed: bool
    severity: str
    description: str
    run_id: str
    at: datetime


def record_evaluation(session: Session, evaluation: Evaluation) -> bool:
    """Keep what a check found, and put it into the outbox when it is news; say whether it was.

    News is a check that fails and did not before, or was told of more than a day ago. One that is not newer than the
    one kept changes nothing, so the same ones may be read again. Runs inside the caller's transaction.
    """
    session.execute(
        "INSERT INTO check_states (check_name, passed, evaluated_at) VALUES ($1, TRUE, '-infinity') "
        "ON CONFLICT DO NOTHING",
        evaluation.check,
    )
    kept = session.frame(
        "SELECT evaluated_at < $2 AS newer, coalesce(notified_at <= $3, TRUE) AS news FROM check_states "
        "WHERE check_name = $1 FOR UPDATE",
        evaluation.check,
        evaluation.at,
        evaluation.at - REMINDER_INTERVAL,
    ).row(0, named=True)
    if not kept["newer"]:
        return False
    news = not evaluation.passed and kept["news"]
    told = "NULL" if evaluation.passed else "$3" if news else "notified_at"
    session.execute(
        f"UPDATE check_states SET passed = $2, evaluated_at = $3, notified_at = {told} WHERE check_name = $1",
        evaluation.check,
        evaluation.passed,
        evaluation.at,
    )
    if news:
        outbox.enqueue_once(
            session,
            failed_check(
                evaluation.check, evaluation.severity, evaluation.description, evaluation.run_id, evaluation.at
            ),
        )
    return bool(news)
