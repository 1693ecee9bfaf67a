"""`revenue_metrics`: what each contact pays."""

from functools import partial

import dagster as dg

from intercom_sync.assets.metadata import FRESHNESS, GROUP, OWNERS, column_lineage, table_metadata
from intercom_sync.assets.raw import RAW_CONTACTS
from intercom_sync.assets.report import decorated, numbers
from intercom_sync.assets.run import run_of
from intercom_sync.domain.clocks import Clock
from intercom_sync.domain.tables import REVENUE_METRICS
from intercom_sync.partitions import windows
from intercom_sync.resources import WarehouseResource, explained
from intercom_sync.settings import Settings
from intercom_sync.warehouse.revenue import refresh_revenue, revenue_totals


@dg.asset(
    deps=[RAW_CONTACTS],
    partitions_def=windows,
    backfill_policy=dg.BackfillPolicy.single_run(),
    metadata=table_metadata(REVENUE_METRICS),
    kinds={"polars", "postgres"},
    owners=OWNERS,
    group_name=GROUP,
    freshness_policy=FRESHNESS,
)
def revenue_metrics(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, clock: dg.ResourceParam[Clock]
) -> dg.MaterializeResult[None]:
    """MRR, ARR and LTV of each contact, exact to the cent, from the Stripe data that Intercom keeps on it."""
    with explained(context), warehouse.connect() as session, run_of(context, warehouse, session, clock) as run:
        rules = Settings.load().rules
        computed = refresh_revenue(session, rules, run.run, run.as_of)
        totals = decorated({"totals": partial(revenue_totals, session, rules.currency)}).get("totals", {})
    return dg.MaterializeResult(
        metadata=numbers(totals | {"contacts_computed": computed}) | column_lineage(REVENUE_METRICS)
    )
