"""The assets computed from landed records: `revenue_metrics`, `support_metrics` and `unified_customers`."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dagster as dg

from intercom_sync.domain.clocks import Clock
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.schema.columns import Table
from intercom_sync.domain.schema.tables import REVENUE_METRICS, SUPPORT_METRICS, UNIFIED_CUSTOMERS
from intercom_sync.orchestration.assets.current_run import current_run
from intercom_sync.orchestration.assets.raw_assets import RAW_CONTACTS, RAW_CONVERSATIONS
from intercom_sync.orchestration.assets.run_metadata import (
    FRESHNESS,
    GROUP,
    OWNERS,
    column_lineage,
    customers_metadata,
    numeric_metadata,
    optional_metadata,
    table_metadata,
)
from intercom_sync.orchestration.resources import WarehouseResource, translate_errors
from intercom_sync.pipeline.compute import compute_revenue, compute_support
from intercom_sync.pipeline.publish import publish_customers
from intercom_sync.warehouse.marts.revenue_metrics import revenue_totals
from intercom_sync.warehouse.marts.support_metrics import support_totals

_REVENUE, _SUPPORT = dg.AssetKey(REVENUE_METRICS.name), dg.AssetKey(SUPPORT_METRICS.name)


def build_revenue_metrics(partitions: dg.PartitionsDefinition, rules: Rules) -> dg.AssetsDefinition:
    """Return the asset of what each contact pays."""

    @_asset(REVENUE_METRICS, [RAW_CONTACTS], partitions)
    def revenue_metrics(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[WarehouseResource],
        clock: dg.ResourceParam[Clock],
    ) -> dg.MaterializeResult[None]:
        """MRR, ARR and LTV of each contact, exact to the cent, from the Stripe data in its custom attributes."""
        with (
            translate_errors(context, warehouse),
            warehouse.connect() as session,
            current_run(context, warehouse, session, clock) as run,
        ):
            recomputed = compute_revenue(session, run, rules)
            totals = optional_metadata({"totals": partial(revenue_totals, session, rules.currency)}).get("totals", {})
        return dg.MaterializeResult(
            metadata=numeric_metadata(totals | {"contacts_recomputed": recomputed}) | column_lineage(REVENUE_METRICS)
        )

    return revenue_metrics


def build_support_metrics(partitions: dg.PartitionsDefinition, rules: Rules) -> dg.AssetsDefinition:
    """Return the asset of the support history of each customer."""

    @_asset(SUPPORT_METRICS, [RAW_CONTACTS, RAW_CONVERSATIONS], partitions)
    def support_metrics(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[WarehouseResource],
        clock: dg.ResourceParam[Clock],
    ) -> dg.MaterializeResult[None]:
        """Conversations, open tickets, cancel mentions and CSAT of each customer, over all contacts with its email."""
        with (
            translate_errors(context, warehouse),
            warehouse.connect() as session,
            current_run(context, warehouse, session, clock) as run,
        ):
            customers = compute_support(session, run, rules)
            totals = optional_metadata({"totals": partial(support_totals, session)}).get("totals", {})
        figures = {"customers_with_conversations": customers, "dagster/row_count": customers} | totals
        return dg.MaterializeResult(metadata=numeric_metadata(figures) | column_lineage(SUPPORT_METRICS))

    return support_metrics


def build_unified_customers(partitions: dg.PartitionsDefinition, rules: Rules) -> dg.AssetsDefinition:
    """Return the asset of the customers."""

    @_asset(UNIFIED_CUSTOMERS, [_REVENUE, _SUPPORT], partitions)
    def unified_customers(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[WarehouseResource],
        clock: dg.ResourceParam[Clock],
    ) -> dg.MaterializeResult[None]:
        """One row per customer: identity, revenue, support history and churn signals."""
        with (
            translate_errors(context, warehouse),
            warehouse.connect() as session,
            current_run(context, warehouse, session, clock) as run,
        ):
            published = publish_customers(session, run, rules, clock)
            warehouse.lease.release()
            entry = published.stats.log_entry(published.finished_at)
            context.log.info(entry)
            return dg.MaterializeResult(metadata=customers_metadata(session, published, run, entry, rules.currency))

    return unified_customers


def _asset(
    table: Table, deps: Sequence[dg.AssetKey], partitions: dg.PartitionsDefinition
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Return the decorator of an asset that is computed into a table."""
    return dg.asset(
        deps=deps,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata=table_metadata(table),
        kinds={"polars", "postgres"},
        owners=OWNERS,
        group_name=GROUP,
        freshness_policy=FRESHNESS,
    )
