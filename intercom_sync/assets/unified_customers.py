"""`unified_customers`: one row per customer, written together with the alerts."""

import dagster as dg

from intercom_sync.assets.metadata import FRESHNESS, GROUP, OWNERS, table_metadata
from intercom_sync.assets.report import of_customers
from intercom_sync.assets.revenue_metrics import revenue_metrics
from intercom_sync.assets.run import run_of
from intercom_sync.assets.support_metrics import support_metrics
from intercom_sync.domain.clocks import Clock
from intercom_sync.domain.tables import UNIFIED_CUSTOMERS
from intercom_sync.partitions import windows
from intercom_sync.resources import WarehouseResource, explained
from intercom_sync.settings import Settings
from intercom_sync.sync.finish import finish_run


@dg.asset(
    deps=[revenue_metrics, support_metrics],
    partitions_def=windows,
    backfill_policy=dg.BackfillPolicy.single_run(),
    metadata=table_metadata(UNIFIED_CUSTOMERS),
    kinds={"polars", "postgres"},
    owners=OWNERS,
    group_name=GROUP,
    freshness_policy=FRESHNESS,
)
def unified_customers(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, clock: dg.ResourceParam[Clock]
) -> dg.MaterializeResult[None]:
    """One row per customer: who they are, what they pay, how support goes, whether they are about to leave."""
    with explained(context), warehouse.connect() as session, run_of(context, warehouse, session, clock) as run:
        rules = Settings.load().rules
        finished = finish_run(session, run, rules, clock)
        entry = finished.figures.log_entry(finished.finished_at)
        context.log.info(entry)
        return dg.MaterializeResult(metadata=of_customers(session, finished, run, entry, rules.currency))
