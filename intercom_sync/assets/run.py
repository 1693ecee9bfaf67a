"""Which run an asset belongs to, and what that run reads."""

import dagster as dg

from intercom_sync.domain.clocks import Clock
from intercom_sync.domain.window import Window
from intercom_sync.sync.plan import Asked, begin_run
from intercom_sync.warehouse.clock import read_present
from intercom_sync.warehouse.runs import SyncRun
from intercom_sync.warehouse.session import Session


def run_of(context: dg.AssetExecutionContext, session: Session, clock: Clock) -> SyncRun:
    """Return the run, begun for its window unless another asset of it did already."""
    with session.transaction():
        present = read_present(session, clock())
    return begin_run(session, context.run.run_id, Asked(), Window(*context.partition_time_window), present)
