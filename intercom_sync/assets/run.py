"""Which run an asset belongs to, and what that run reads."""

from datetime import UTC, datetime

import dagster as dg

from intercom_sync.domain.window import Window
from intercom_sync.sync.plan import Asked, begin_run
from intercom_sync.warehouse.runs import SyncRun
from intercom_sync.warehouse.session import Session


def run_of(context: dg.AssetExecutionContext, session: Session, asked: Asked | None = None) -> SyncRun:
    """Return the run, begun with what is asked for unless another asset of it did already."""
    partition = Window(*context.partition_time_window)
    return begin_run(session, context.run.run_id, asked or Asked(), partition, datetime.now(UTC))
