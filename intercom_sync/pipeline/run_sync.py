"""Run a complete sync. The assets call the same four functions, each in its own Dagster step."""

from collections.abc import Callable
from datetime import timedelta

from intercom_sync.domain.clocks import Clock
from intercom_sync.domain.rules import Rules
from intercom_sync.intercom.reader import Reader
from intercom_sync.pipeline.compute import compute_revenue, compute_support
from intercom_sync.pipeline.publish import PublishResult, publish_customers
from intercom_sync.pipeline.run_extraction import run_extraction
from intercom_sync.pipeline.stream_result import Progress, no_progress
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state.extractions import ExtractionLease
from intercom_sync.warehouse.state.runs import SyncRun

STEPS = EXTRACT, REVENUE, SUPPORT, CUSTOMERS = ("extract", "revenue", "support", "customers")


def run_sync(
    run: SyncRun,
    reader: Reader,
    connect: Callable[[], Session],
    rules: Rules,
    *,
    overlap: timedelta,
    clock: Clock,
    progress: Progress = no_progress,
    before_step: Callable[[str], None] = lambda step: None,
) -> PublishResult:
    """Run a sync that `start_run` started: extract, compute revenue and support metrics, publish the customers.

    Every step commits its work and is idempotent. To resume a run that died, call this again or start the next run.

    Args:
        run: the run.
        reader: reads the Intercom workspace.
        connect: opens a session on the warehouse; each stream of the extraction uses its own.
        rules: the rules of the workspace.
        overlap: how far a window is extended before its start.
        clock: the machine's clock.
        progress: called with the number of records fetched so far.
        before_step: called with each step, one of `STEPS`, before it starts.

    Raises:
        IntercomError: a page fails after all retries, or the token is refused.
        WarehouseError: the database is unreachable, busy or refuses.
    """
    with connect() as session, ExtractionLease(connect) as lease:
        before_step(EXTRACT)
        run_extraction(reader, session, connect, run, lease, rules=rules, overlap=overlap, progress=progress)
        before_step(REVENUE)
        compute_revenue(session, run, rules)
        before_step(SUPPORT)
        compute_support(session, run, rules)
        before_step(CUSTOMERS)
        return publish_customers(session, run, rules, clock)
