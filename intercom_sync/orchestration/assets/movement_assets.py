"""`mrr_movements`: what changed in what customers pay. The ledger is written with the customers and reported here."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import dagster as dg

from intercom_sync.domain.revenue.money import format_amount, rounded_amount
from intercom_sync.domain.schema.movement_views import MRR_MONTHLY
from intercom_sync.domain.schema.tables import MRR_MOVEMENTS, UNIFIED_CUSTOMERS
from intercom_sync.orchestration.assets.month_chart import MOST_MONTHS, Month, month_chart
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
_EITHER = ("transfer", "correction")
_TABLE = ("month", "mrr_start", *_GAINS, *_LOSSES, *_EITHER, "mrr_end", "customers_end", *_RATIOS)


def build_mrr_movements(partitions: dg.PartitionsDefinition, currency: str) -> dg.AssetsDefinition:
    """Return the asset that reports the ledger."""

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
        """Ledger of what changed in what customers pay, when and why."""
        with translate_errors(context, warehouse), warehouse.connect() as session:
            shown = optional_metadata(
                {
                    "movements": partial(_movements, session, context.run.run_id, currency),
                    "months": partial(_months, session, currency),
                }
            )
        metadata = shown.get("movements", {}) | shown.get("months", {}) | column_lineage(MRR_MOVEMENTS)
        return dg.MaterializeResult(metadata=metadata)

    return mrr_movements


def _movements(session: Session, run: str, currency: str) -> dict[str, Any]:
    """Report the movements of the run, by kind."""
    with session.transaction():
        found = movement_summaries.movements_of(session, run)
    amounts = {f"{kind}_mrr_{currency}": _shown(amount, currency) for kind, (_, amount) in found.items()}
    return numeric_metadata({"movements": sum(number for number, _ in found.values()), **amounts})


def _months(session: Session, currency: str) -> dict[str, Any]:
    """Report the month to date, and the months before it as a picture and a table."""
    with session.transaction():
        months = movement_summaries.newest_months(session, MOST_MONTHS)
    if not months:
        return {}
    newest = months[-1]
    figures: dict[str, float | None] = {f"mrr_end_{currency}": _shown(newest["mrr_end"], currency)}
    figures["month_to_date"] = _shown(newest["mrr_end"] - newest["mrr_start"], currency)
    figures |= {name: None if newest[name] is None else float(newest[name]) for name in _RATIOS}
    drawn = [_drawn(one) for one in months]
    amount = partial(_text, currency=currency)
    return numeric_metadata(figures) | {
        "mrr_by_month": month_chart("MRR by month; below it, gains and losses", drawn, amount),
        "monthly": _table(months),
    }


def _drawn(month: Mapping[str, Any]) -> Month:
    """Return what the picture shows of a month; transfers and corrections count on the side that they are on."""
    either = [month[name] for name in _EITHER]
    gained = sum(month[name] for name in _GAINS) + sum(max(0, one) for one in either)
    lost = sum(month[name] for name in _LOSSES) + sum(min(0, one) for one in either)
    return Month(f"{month['month']:%Y-%m}", float(month["mrr_end"]), float(gained), float(lost))


def _table(months: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    described = {column.name: column.description for column in MRR_MONTHLY.columns}
    records = [
        dg.TableRecord({name: None if one[name] is None else str(one[name]) for name in _TABLE})
        for one in reversed(months)
    ]
    return dg.MetadataValue.table(
        records, dg.TableSchema([dg.TableColumn(name, description=described[name]) for name in _TABLE])
    )


def _shown(amount: Decimal, currency: str) -> float:
    return float(rounded_amount(amount, currency))


def _text(amount: float, currency: str) -> str:
    return format_amount(Decimal(round(amount)), currency)
