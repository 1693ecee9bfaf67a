"""Compute `revenue_metrics` and `support_metrics` from landed records."""

from functools import partial

from intercom_sync.domain.contacts import parse_contact
from intercom_sync.domain.parse_records import load_payload, parse_records
from intercom_sync.domain.rules import Rules
from intercom_sync.warehouse.landing.land_contacts import LandingContext, land_contacts
from intercom_sync.warehouse.marts.revenue_metrics import (
    CHUNK_ROWS,
    delete_orphaned_revenue,
    read_stale_contacts,
    rejected_payloads,
    store_recomputed,
)
from intercom_sync.warehouse.marts.support_metrics import refresh_support
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state.runs import SyncRun


def compute_revenue(session: Session, run: SyncRun, rules: Rules) -> int:
    """Compute the revenue metrics of contacts that are not up to date; return the number of contacts.

    Landing writes the revenue with the contact. The stored JSON is parsed again, and all columns follow, only where the
    rules have changed since or an earlier version landed the contact. A contact that the rules now reject keeps its
    revenue.

    Raises:
        WarehouseError: the database refuses; the run can be tried again.
    """
    landing = LandingContext(run.id, run.as_of, rules)
    recomputed, last = 0, ""
    while True:
        with session.transaction():
            stale = read_stale_contacts(session, rules.contact_rules_hash(), last)
            parsed = parse_records(map(load_payload, stale["payload"]), partial(parse_contact, rules=rules))
            store_recomputed(session, stale, parsed, landing)
        recomputed += len(parsed.valid)
        if stale.height < CHUNK_ROWS:
            break
        last = stale["id"][-1]
    with session.transaction():
        delete_orphaned_revenue(session)
    return recomputed


def revalidate_rejected(session: Session, landing: LandingContext) -> None:
    """Parse the contacts again that other rules rejected; those that are valid now land as any other."""
    with session.transaction():
        if payloads := rejected_payloads(session, landing.rules.contact_rules_hash()):
            parse = partial(parse_contact, rules=landing.rules)
            land_contacts(session, parse_records(map(load_payload, payloads), parse), landing)


def compute_support(session: Session, run: SyncRun, rules: Rules) -> int:
    """Compute the support metrics of all customers at the run's instant; return the number of customers with any.

    Raises:
        WarehouseError: the database refuses; the run can be tried again.
    """
    return refresh_support(session, rules, run.as_of, run.earliest_now)
