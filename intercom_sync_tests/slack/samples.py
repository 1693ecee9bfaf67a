"""Alerts with invented values."""

from datetime import UTC, datetime
from typing import Any

from intercom_sync.domain.alerts import Alert

AT = datetime(2026, 3, 1, 6, 7, tzinfo=UTC)


def alert(
    number: int = 1, kind: str = "new_high_value", run: str = "run-1", refusal_count: int = 0, **details: Any
) -> Alert:
    """Build an alert on a customer."""
    known = {"name": "Ann Lee", "mrr": "600.00", "previous_mrr": "100.00", "plan_name": "Pro"}
    return Alert(number, kind, f"ann{number}@example.com", known | details, run, AT, refusal_count)


def trouble(number: int = 1, kind: str = "failed_run", sentence: str = "The run of sync failed: no reason.") -> Alert:
    """Build an alert that concerns no customer."""
    return Alert(number, kind, None, {"sentence": sentence}, f"run-{number}", AT)
