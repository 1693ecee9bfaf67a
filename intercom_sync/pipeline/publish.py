"""Publish a run in one transaction: customers, alerts, statistics, and the end of its extraction."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from intercom_sync.domain.clocks import TOLERANCE, Clocks
from intercom_sync.domain.rules import WEB_APPS, Rules
from intercom_sync.domain.sync_summary import ContactCounts, SyncStats
from intercom_sync.pipeline.customer_alerts import alert_on_changes
from intercom_sync.warehouse.marts.mrr_ledger import note_rules
from intercom_sync.warehouse.marts.row_rejections import Unwritten
from intercom_sync.warehouse.marts.support_metrics import refresh_support_in_transaction
from intercom_sync.warehouse.marts.unified_customers import UpsertResult, lock_tables, upsert_customers
from intercom_sync.warehouse.postgres.session import Session, analyze, database_time
from intercom_sync.warehouse.queries import summaries
from intercom_sync.warehouse.state import extractions, runs, workspace_state
from intercom_sync.warehouse.state.runs import SyncRun

_LOG = logging.getLogger("intercom_sync.pipeline")
_MAX_LOGGED = 100


@dataclass(frozen=True)
class PublishResult:
    """The result of a run, and when it finished."""

    stats: SyncStats
    counts: ContactCounts
    result: UpsertResult
    finished_at: datetime


def publish_customers(session: Session, run: SyncRun, rules: Rules, clock: Callable[[], datetime]) -> PublishResult:
    """Upsert the customers of a run and complete the run, in one transaction.

    If another run overlapped this one, support metrics are computed again first, for the records that it landed.

    Raises:
        WarehouseError: the database refuses; the run can be retried.
    """
    with session.transaction():
        lock_tables(session)
        extraction_id = extractions.extraction_of_run(session, run.id)
        overlapped = runs.overlapped_another_run(session, run)
        if overlapped:
            run = runs.advance_as_of(session, run, _latest(session, run, clock()))
            refresh_support_in_transaction(session, run.as_of, parallel_reads=False)
        rules = _with_app(session, rules)
        upserted = upsert_customers(session, run, extraction_id, rules, parallel_reads=not overlapped)
        alerts = sum(alert_on_changes(session, before, run, rules) for before in upserted.may_alert)
        counts = extractions.contact_counts(session, extraction_id, sum(one.read for one in upserted.unwritten))
        duration = _duration(session, run, clock())
        stats = SyncStats(
            contacts_synced=upserted.new + upserted.updated,
            new_contacts=upserted.new,
            updated_contacts=upserted.updated,
            skipped_contacts=counts.skipped,
            errors=runs.error_count(session, run.id),
            sync_duration_seconds=duration.total_seconds(),
            avg_quality_score=upserted.average_quality,
            alerts_generated=alerts,
        )
        if not extractions.is_complete(session, extraction_id):
            runs.mark_partial(session, run.id)
        finished_at = (run.started_at + duration).astimezone(UTC)
        runs.complete(session, run.id, stats, finished_at)
        if runs.watermark(session) is not None:
            note_rules(session, rules)
        summaries.record_summary(session, run.id, upserted.customers, rules.currency)
        extractions.finish(session, extraction_id, run.id)
    with session.transaction():
        analyze(session, "unified_customers", "customer_last_written", rows=upserted.new)
        analyze(session, "mrr_movements", "customer_history", rows=upserted.movements)
    _log_unwritten(upserted.unwritten)
    if upserted.ledger_rebuilt:
        _LOG.warning(
            "mrr_movements was dropped or truncated: customers pay, and it has no movement. It is rebuilt with %d "
            "movements of the kind opening; the earlier movements are lost.",
            upserted.movements,
        )
    return PublishResult(stats, counts, upserted, finished_at)


def _log_unwritten(unwritten: Sequence[Unwritten]) -> None:
    for one in unwritten[:_MAX_LOGGED]:
        _LOG.warning("Skipped customer %s: %s (%s)", one.id, one.reason, one.field)
    if len(unwritten) > _MAX_LOGGED:
        _LOG.warning("Skipped %d more customers: see rejected_records", len(unwritten) - _MAX_LOGGED)


def _latest(session: Session, run: SyncRun, machine: datetime) -> datetime:
    """Return the latest of the present, the run's instant, and the latest instant confirmed by all clocks."""
    present = Clocks(machine, database_time(session)).present or run.as_of
    return max(at for at in (present, run.as_of, runs.confirmed_past(session)) if at is not None)


def _duration(session: Session, run: SyncRun, machine: datetime) -> timedelta:
    """Return the duration of a run by the machine's clock, or by the database's if the machine's clock was changed."""
    start = run.clocks or Clocks(run.started_at)
    by_machine = machine - start.machine
    by_database = database_time(session) - start.database if start.database else by_machine
    return max(timedelta(0), min(by_machine, by_database) if by_machine > by_database + TOLERANCE else by_machine)


def _with_app(session: Session, rules: Rules) -> Rules:
    """Return the rules with the address of the web app; without a setting, it follows from the stored region."""
    return rules if rules.app else replace(rules, app=WEB_APPS.get(workspace_state.region(session), Rules.app))
