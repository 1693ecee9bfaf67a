"""Alerts of customers: decided from their rows before and after a write, put into the outbox with their evidence."""

from datetime import timedelta

import polars as pl

from intercom_sync.domain.alerts import CANCEL_MENTION, REPORTED, decide_alerts, with_evidence
from intercom_sync.domain.customers import KEY
from intercom_sync.domain.movement_alerts import add_movements
from intercom_sync.domain.rules import RECENT_DAYS, Rules
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.marts.mrr_ledger import last_movements
from intercom_sync.warehouse.marts.unified_customers import read_written
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state.runs import SyncRun


def alert_on_changes(session: Session, before: pl.DataFrame, run: SyncRun, rules: Rules) -> int:
    """Enqueue the alerts of some customers, by their rows as they are now; return how many.

    Runs inside the transaction that wrote the rows.

    Args:
        session: the warehouse.
        before: the customers as they were, of `rows_that_may_alert`.
        run: the run that wrote them.
        rules: the rules of the workspace.
    """
    if before.is_empty():
        return 0
    after = read_written(session, before[KEY]).rename({name: f"after_{name}" for name in REPORTED})
    alerts = decide_alerts(before.join(after, on=KEY), rules)
    alerts = add_movements(alerts, last_movements(session, run, alerts))
    enqueue_alerts(session, alerts, run, rules)
    return alerts.height


def enqueue_alerts(session: Session, alerts: pl.DataFrame, run: SyncRun, rules: Rules) -> None:
    """Put alerts (`kind`, `email`, `details`) into the outbox; runs inside the caller's transaction.

    The evidence of a cancel mention is the customer's newest message of the last 30 days that mentions cancelling.
    """
    mentioned = alerts.filter(pl.col("kind") == CANCEL_MENTION)["email"]
    if not mentioned.is_empty():
        mentions = outbox.newest_mentions(session, mentioned, run.as_of - timedelta(days=RECENT_DAYS), run.as_of)
        alerts = with_evidence(alerts, mentions, rules)
    outbox.enqueue(session, alerts, run)
