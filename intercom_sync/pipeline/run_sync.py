"""A sync from top to bottom. The assets call the same four steps, each in a Dagster step of its own."""

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
    """Run a sync that `start_run` has begun: extract, compute revenue and support, publish the customers.

    Every step commits what it did. A run that dies is resumed by calling this again, or by the next run.

    Args:
        run: what is read, and as of when.
        reader: the Intercom workspace.
        connect: opens a session on the warehouse; each stream of the extraction has one of its own.
        rules: the rules of the workspace.
        overlap: how far a window reaches back before its start.
        clock: the machine's clock.
        progress: takes the number of records read so far.
        before_step: is called with each step, one of `STEPS`, before it begins.

    Raises:
        IntercomError: a page stays refused, or the token is.
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
