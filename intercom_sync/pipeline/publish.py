"""The end of a run: customers, alerts, figures and the closing of its reading, all in one transaction."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from intercom_sync.domain.clocks import TOLERANCE, Clocks
from intercom_sync.domain.rules import WEB_APPS, Rules
from intercom_sync.domain.sync_summary import ContactCounts, Figures
from intercom_sync.warehouse.marts.revenue_metrics import catch_up_revenue
from intercom_sync.warehouse.marts.row_rejections import Unwritten
from intercom_sync.warehouse.marts.support_metrics import catch_up_support
from intercom_sync.warehouse.marts.unified_customers import Upserted, hold, upsert_customers
from intercom_sync.warehouse.postgres.session import Session, analyze, database_time
from intercom_sync.warehouse.queries import summaries
from intercom_sync.warehouse.state import extractions, runs, workspace_state
from intercom_sync.warehouse.state.runs import SyncRun

_LOG = logging.getLogger("intercom_sync.pipeline")
_MOST_LOGGED = 100


@dataclass(frozen=True)
class Finished:
    """What a run brought, and when it was done."""

    figures: Figures
    counts: ContactCounts
    upserted: Upserted
    finished_at: datetime


def finish_run(session: Session, run: SyncRun, rules: Rules, clock: Callable[[], datetime]) -> Finished:
    """Write the customers of a run and close it; all of it or nothing.

    When other runs were at work beside it, the metrics of what they landed meanwhile are made up for first: a contact
    that has landed and has no figures yet would look like one that has lost them.

    Raises:
        WarehouseError: the database refuses; the run can be tried again.
    """
    with session.transaction():
        hold(session)
        reading = extractions.of_run(session, run.run)
        had_company = runs.had_company(session, run)
        if had_company:
            run = runs.overtaken(session, run, _latest(session, run, clock()))
            catch_up_revenue(session, rules)
            catch_up_support(session, run.as_of, beside=False)
        upserted = upsert_customers(session, run, reading, _with_app(session, rules), beside=not had_company)
        counts = extractions.contact_counts(session, reading, sum(one.read for one in upserted.unwritten))
        taken = _time_taken(session, run, clock())
        figures = Figures(
            contacts_synced=upserted.new + upserted.updated,
            new_contacts=upserted.new,
            updated_contacts=upserted.updated,
            skipped_contacts=counts.skipped,
            errors=runs.errors(session, run.run),
            sync_duration_seconds=taken.total_seconds(),
            avg_quality_score=upserted.average_quality,
            alerts_generated=upserted.alerts,
        )
        if not extractions.is_whole(session, reading):
            runs.covers_nothing(session, run.run)
        finished_at = (run.started_at + taken).astimezone(UTC)
        runs.close(session, run.run, figures, finished_at)
        summaries.note(session, run.run, upserted.customers, rules.currency)
        extractions.finish(session, reading, run.run)
    with session.transaction():
        analyze(session, "unified_customers", "customer_last_written", rows=upserted.new)
    extractions.let_go(run.run)
    _log_unwritten(upserted.unwritten)
    return Finished(figures, counts, upserted, finished_at)


def _log_unwritten(unwritten: Sequence[Unwritten]) -> None:
    for one in unwritten[:_MOST_LOGGED]:
        _LOG.warning("Skipped customer %s: %s (%s)", one.id, one.reason, one.field)
    if len(unwritten) > _MOST_LOGGED:
        _LOG.warning("Skipped %d more customers: see rejected_records", len(unwritten) - _MOST_LOGGED)


def _latest(session: Session, run: SyncRun, machine: datetime) -> datetime:
    """Return the latest instant that counts now: the present, and what is known to be past."""
    present = Clocks(machine, database_time(session)).present or run.as_of
    return max(at for at in (present, run.as_of, runs.confirmed_past(session)) if at is not None)


def _time_taken(session: Session, run: SyncRun, machine: datetime) -> timedelta:
    """Return how long a run took by the machine's clock; by the database's where the machine's was set meanwhile."""
    began = run.clocks or Clocks(run.started_at)
    taken = machine - began.machine
    by_database = database_time(session) - began.database if began.database else taken
    return max(timedelta(0), min(taken, by_database) if taken > by_database + TOLERANCE else taken)


def _with_app(session: Session, rules: Rules) -> Rules:
    """Return the rules with the address of the web app: where no setting tells the region, Intercom has."""
    return rules if rules.app else replace(rules, app=WEB_APPS.get(workspace_state.region(session), Rules.app))
