"""`support_metrics`: how support goes with each customer."""

from functools import partial

import dagster as dg

from intercom_sync.assets.metadata import FRESHNESS, GROUP, OWNERS, column_lineage, table_metadata
from intercom_sync.assets.raw import RAW_CONTACTS, RAW_CONVERSATIONS
from intercom_sync.assets.report import decorated, numbers
from intercom_sync.assets.run import run_of
from intercom_sync.domain.clocks import Clock
from intercom_sync.domain.tables import SUPPORT_METRICS
from intercom_sync.partitions import windows
from intercom_sync.resources import WarehouseResource, explained
from intercom_sync.settings import Settings
from intercom_sync.warehouse.support import refresh_support, support_totals


@dg.asset(
    deps=[RAW_CONTACTS, RAW_CONVERSATIONS],
    partitions_def=windows,
    backfill_policy=dg.BackfillPolicy.single_run(),
    metadata=table_metadata(SUPPORT_METRICS),
    kinds={"polars", "postgres"},
    owners=OWNERS,
    group_name=GROUP,
    freshness_policy=FRESHNESS,
)
def support_metrics(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, clock: dg.ResourceParam[Clock]
) -> dg.MaterializeResult[None]:
    """Conversations, open tickets, cancel mentions and CSAT of each customer, over all contacts of the email."""
    with explained(context), warehouse.connect() as session, run_of(context, warehouse, session, clock) as run:
        customers = refresh_support(session, Settings.load().rules, run.as_of, run.earliest_now)
        totals = decorated({"totals": partial(support_totals, session)}).get("totals", {})
    figures = {"customers_with_conversations": customers, "dagster/row_count": customers} | totals
    return dg.MaterializeResult(metadata=numbers(figures) | column_lineage(SUPPORT_METRICS))
