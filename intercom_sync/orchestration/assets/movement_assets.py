"""The asset `mrr_movements`: reports the ledger that is written in the transaction publishing the customers."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import dagster as dg

from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.revenue.money import format_amount, rounded_amount
from intercom_sync.domain.schema.movement_views import MRR_MONTHLY
from intercom_sync.domain.schema.tables import MRR_MOVEMENTS, UNIFIED_CUSTOMERS
from intercom_sync.orchestration.assets.month_chart import MAX_MONTHS, Month, month_chart
from intercom_sync.orchestration.assets.run_metadata import (
    FRESHNESS,
    GROUP,
    OWNERS,
    column_lineage,
    numeric_metadata,
    optional_metadata,
    table_metadata,
)
from intercom_sync.orchestration.resources import WarehouseResource, translate_errors
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.queries import movement_summaries

_RATIOS = ("nrr", "grr", "logo_churn")
_GAINS, _LOSSES = ("opening", "new", "reactivation", "expansion"), ("contraction", "churn")
_SIGNED = ("transfer", "correction")
_TABLE_COLUMNS = ("month", "mrr_start", *_GAINS, *_LOSSES, *_SIGNED, "mrr_end", "customers_end", *_RATIOS)


def build_mrr_movements(partitions: dg.PartitionsDefinition, currency: str) -> dg.AssetsDefinition:
    """Build the asset that reports the ledger.

    Args:
        partitions: the partitions of all assets.
        currency: the currency of the workspace.
    """

    @dg.asset(
        deps=[dg.AssetKey(UNIFIED_CUSTOMERS.name)],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata=table_metadata(MRR_MOVEMENTS),
        kinds={"postgres"},
        owners=OWNERS,
        group_name=GROUP,
        freshness_policy=FRESHNESS,
    )
    def mrr_movements(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[WarehouseResource]
    ) -> dg.MaterializeResult[None]:
        """Ledger of MRR movements: when, by how much and why the MRR of each customer changed."""
        with translate_errors(context, warehouse), warehouse.connect() as session:
            metadata = optional_metadata(
                {
                    "movements": partial(_movement_metadata, session, RunId(context.run.run_id), currency),
                    "months": partial(_month_metadata, session, currency),
                }
            )
        return dg.MaterializeResult(
            metadata=metadata.get("movements", {}) | metadata.get("months", {}) | column_lineage(MRR_MOVEMENTS)
        )

    return mrr_movements


def _movement_metadata(session: Session, run_id: RunId, currency: str) -> dict[str, Any]:
    """Return the number of movements that the run wrote, and their sums by kind."""
    with session.transaction():
        by_kind = movement_summaries.movements_of(session, run_id)
    amounts = {f"{kind}_mrr_{currency}": _rounded(amount, currency) for kind, (_, amount) in by_kind.items()}
    return numeric_metadata({"movements": sum(count for count, _ in by_kind.values()), **amounts})


def _month_metadata(session: Session, currency: str) -> dict[str, Any]:
    """Return the values of the month to date, and the newest months as a chart and a table."""
    with session.transaction():
        months = movement_summaries.newest_months(session, MAX_MONTHS)
    if not months:
        return {}
    newest = months[-1]
    figures: dict[str, float | None] = {f"mrr_end_{currency}": _rounded(newest["mrr_end"], currency)}
    figures["month_to_date"] = _rounded(newest["mrr_end"] - newest["mrr_start"], currency)
    figures |= {name: None if newest[name] is None else float(newest[name]) for name in _RATIOS}
    amount = partial(_amount_text, currency=currency)
    return numeric_metadata(figures) | {
        "mrr_by_month": month_chart(
            "MRR by month; below it, gains and losses", [_chart_month(one) for one in months], amount
        ),
        "monthly": _month_table(months),
    }


def _chart_month(month: Mapping[str, Any]) -> Month:
    """Return a month of the chart; a transfer or correction is a gain if its sum is positive, else a loss."""
    signed = [month[name] for name in _SIGNED]
    gained = sum(month[name] for name in _GAINS) + sum(max(0, one) for one in signed)
    lost = sum(month[name] for name in _LOSSES) + sum(min(0, one) for one in signed)
    return Month(f"{month['month']:%Y-%m}", float(month["mrr_end"]), float(gained), float(lost))


def _month_table(months: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    descriptions = {column.name: column.description for column in MRR_MONTHLY.columns}
    records = [
        dg.TableRecord({name: None if one[name] is None else str(one[name]) for name in _TABLE_COLUMNS})
        for one in reversed(months)
    ]
    return dg.MetadataValue.table(
        records, dg.TableSchema([dg.TableColumn(name, description=descriptions[name]) for name in _TABLE_COLUMNS])
    )


def _rounded(amount: Decimal, currency: str) -> float:
    return float(rounded_amount(amount, currency))


def _amount_text(amount: float, currency: str) -> str:
    return format_amount(Decimal(round(amount)), currency)
