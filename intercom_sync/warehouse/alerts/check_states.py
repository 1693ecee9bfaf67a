"""`check_states`: the last state of each check, and when its failure was last reported."""

from dataclasses import dataclass
from datetime import datetime

from intercom_sync.warehouse.postgres.session import Session


@dataclass(frozen=True)
class CheckState:
    """The stored state of a check.

    Attributes:
        evaluated_at: when it was last evaluated; None before the first time.
        notified_at: when it was last reported failing; None where it has passed since.
    """

    evaluated_at: datetime | None
    notified_at: datetime | None


def lock(session: Session, check: str) -> CheckState:
    """Lock the state of a check until the caller's transaction ends, and return it."""
    session.execute(
        "INSERT INTO check_states (check_name, passed, evaluated_at) VALUES ($1, TRUE, '-infinity') "
        "ON CONFLICT DO NOTHING",
        check,
    )
    row = session.frame(
        "SELECT NULLIF(evaluated_at, '-infinity') AS evaluated_at, notified_at FROM check_states "
        "WHERE check_name = $1 FOR UPDATE",
        check,
    ).row(0, named=True)
    return CheckState(**row)


def store(session: Session, check: str, passed: bool, state: CheckState) -> None:
    """Store the result of a check and its new state; runs inside the transaction that holds its lock."""
    notified = "NULL" if state.notified_at is None else "$4"
    values = [] if state.notified_at is None else [state.notified_at]
    session.execute(
        f"UPDATE check_states SET passed = $2, evaluated_at = $3, notified_at = {notified} WHERE check_name = $1",
        check,
        passed,
        state.evaluated_at,
        *values,
    )
