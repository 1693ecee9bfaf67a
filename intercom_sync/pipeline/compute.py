"""Compute `revenue_metrics` and `support_metrics` from landed records."""

from intercom_sync.domain.rules import Rules
from intercom_sync.warehouse.marts.revenue_metrics import refresh_revenue
from intercom_sync.warehouse.marts.support_metrics import refresh_support
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state.runs import SyncRun


def compute_revenue(session: Session, run: SyncRun, rules: Rules) -> int:
    """Compute the revenue metrics of contacts that changed; return the number of contacts.

    Raises:
        WarehouseError: the database refuses; the run can be tried again.
    """
    return refresh_revenue(session, rules, run.id, run.as_of)


def compute_support(session: Session, run: SyncRun, rules: Rules) -> int:
    """Compute the support metrics of all customers at the run's instant; return the number of customers with any.

    Raises:
        WarehouseError: the database refuses; the run can be tried again.
    """
    return refresh_support(session, rules, run.as_of, run.earliest_now)
