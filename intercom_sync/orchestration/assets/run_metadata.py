"""Metadata of the assets: column schemas, lineage, owners, links and freshness, and the statistics of each run."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import dagster as dg

from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.revenue.money import format_amount, read_currency, rounded_amount
from intercom_sync.domain.schema.columns import Table
from intercom_sync.domain.schema.lineage import LINEAGE
from intercom_sync.domain.schema.tables import (
    INTERCOM_CONTACTS,
    INTERCOM_CONVERSATIONS,
    UNIFIED_CUSTOMERS,
)
from intercom_sync.domain.sync_summary import ContactCounts, mask_email, sanitize_for_display
from intercom_sync.orchestration.assets.charts import Bar, chart
from intercom_sync.pipeline.publish import PublishResult
from intercom_sync.pipeline.stream_result import StreamResult
from intercom_sync.pipeline.stream_specs import STREAMS, StreamSpec
from intercom_sync.redaction import describe
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.queries import summaries
from intercom_sync.warehouse.state.runs import SyncRun

OWNERS = ["team:customer-data"]
GROUP = "intercom"
# Fail after two windows and a sync duration; warn after one window and a sync duration.
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=13), warn_window=timedelta(hours=7))
_REFERENCE = "https://developers.intercom.com/docs/references/rest-api/api.intercom.io"
_LINKS = {
    INTERCOM_CONTACTS.name: {"intercom_reference": f"{_REFERENCE}/contacts/searchcontacts"},
    INTERCOM_CONVERSATIONS.name: {"intercom_reference": f"{_REFERENCE}/conversations/searchconversations"},
}
_ASSETS = {table.name: stream.asset for stream in STREAMS for table in stream.tables}


def table_metadata(table: Table) -> dict[str, Any]:
    """Return definition metadata: column schema with descriptions, table name and links."""
    columns = [
        dg.TableColumn(
            column.name,
            column.type.value,
            column.description,
            constraints=dg.TableColumnConstraints(nullable=column.nullable),
            tags={"pii": "true"} if column.personal else {},
        )
        for column in table.all_columns
    ]
    links = {"intercom": "https://app.intercom.com"} | _LINKS.get(table.name, {})
    return {
        "dagster/column_schema": dg.TableSchema(columns),
        "dagster/table_name": table.name,
        **{name: dg.MetadataValue.url(url) for name, url in links.items()},
    }


def column_lineage(table: Table) -> dict[str, dg.TableColumnLineage]:
    """Return result metadata with the source columns of each column; empty for landed tables."""
    if table.name not in LINEAGE:
        return {}
    lineage = {
        column: [
            dg.TableColumnDep(dg.AssetKey(_ASSETS.get(source.name, source.name)), name) for source, name in sources
        ]
        for column, sources in LINEAGE[table.name].items()
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(lineage)}


Metadata = dict[str, Any]

_LOG = logging.getLogger("intercom_sync.orchestration.assets")
_MAX_PLANS = 6
_CONTACT_COUNTS_PREFIX = "contacts/"
_PREVIEW_ROWS = 10


def numeric_metadata(figures: Mapping[str, int | float | None]) -> Metadata:
    """Return numbers as metadata. Unknown numbers are omitted, so that the UI does not plot them as 0."""
    return {
        name: dg.MetadataValue.float(number) if isinstance(number, float) else dg.MetadataValue.int(number)
        for name, number in figures.items()
        if number is not None
    }


def counts_of(metadata: Mapping[str, dg.MetadataValue[Any]]) -> ContactCounts:
    """Return the contact counts in the metadata of `customers_metadata`."""
    return ContactCounts(
        **{field.name: int(metadata[f"{_CONTACT_COUNTS_PREFIX}{field.name}"].value) for field in fields(ContactCounts)}
    )


def optional_metadata(builders: Mapping[str, Callable[[], Any]]) -> Metadata:
    """Build optional metadata entries, and omit with a warning each entry whose function fails.

    Unexpected errors are logged by class and location only, because their message may hold customer data.
    """
    metadata = {}
    for name, build in builders.items():
        try:
            metadata[name] = build()
        except Exception as error:
            _LOG.warning("%s is not shown on the asset's page: %s", name, describe(error))
    return metadata


def extraction_metadata(stream: StreamSpec, result: StreamResult, mode: str, requests: int) -> Metadata:
    """Return the statistics of one extracted stream."""
    scan_counts = result.scan_counts
    figures = {
        "records_read": result.records_seen,
        "records_rejected": sum(result.rejected.values()),
        "records_deleted": result.deleted,
        "intercom_total": scan_counts.total_at_end if scan_counts else None,
        "api_requests": requests,
    }
    figures |= {name: getattr(result, name) for name in stream.counts}
    return {"mode": dg.MetadataValue.text(mode)} | numeric_metadata(figures)


def customers_metadata(session: Session, published: PublishResult, run: SyncRun, entry: str, currency: str) -> Metadata:
    """Return the metadata of a publish: success metrics, log entry, charts and a masked preview."""
    figures = published.stats.as_json() | {
        **{f"{_CONTACT_COUNTS_PREFIX}{name}": count for name, count in asdict(published.counts).items()},
        "alerts_generated": published.stats.alerts_generated,
        f"mrr_total_{currency}": float(rounded_amount(published.result.mrr, currency)),
        "dagster/row_count": published.result.customers,
    }
    charts: dict[str, Callable[[Session], Any]] = {
        "mrr_by_plan": partial(_plans, currency=currency),
        "score_distribution": _scores,
        "alerts_by_kind": partial(_alerts, run_id=run.id),
        "largest_customers": partial(_preview, currency=currency),
    }
    optional = optional_metadata({name: partial(_read, session, build) for name, build in charts.items()})
    return {
        **numeric_metadata(figures),
        "mode": dg.MetadataValue.text(run.mode),
        "log_entry": dg.MetadataValue.md(f"```\n{entry}\n```"),
        "mrr_total": dg.MetadataValue.text(format_amount(published.result.mrr, currency)),
        **optional,
        **column_lineage(UNIFIED_CUSTOMERS),
    }


def _read(session: Session, build: Callable[[Session], Any]) -> Any:
    with session.transaction():
        return build(session)


def _plans(session: Session, currency: str) -> dg.MetadataValue[str]:
    plans = summaries.revenue_by_plan(session)
    bars = [_plan_bar(plan, currency) for plan in plans[:_MAX_PLANS]]
    if rest := plans[_MAX_PLANS:]:
        bars.append(_plan_bar(_combine(rest), currency))
    return chart("MRR by plan, and its change since the previous sync", bars)


def _combine(plans: Sequence[summaries.PlanRevenue]) -> summaries.PlanRevenue:
    before = [plan.before for plan in plans if plan.before is not None]
    mrr = sum((plan.mrr for plan in plans), Decimal(0))
    return summaries.PlanRevenue(f"{len(plans)} others", mrr, sum(before, Decimal(0)) if before else None)


def _plan_bar(plan: summaries.PlanRevenue, currency: str) -> Bar:
    change = Decimal(0) if plan.before is None else rounded_amount(plan.mrr - plan.before, currency)
    change_text = f" ({change:+,})" if change else ""
    return Bar(plan.plan or "no plan", float(plan.mrr), f"{format_amount(plan.mrr, currency)}{change_text}")


def _scores(session: Session) -> dg.MetadataValue[str]:
    counts = summaries.score_distribution(session)
    labels = [f"{tens * 10}-{tens * 10 + 9}" for tens in range(9)] + ["90-100"]
    bars = [Bar(label, count, f"{count:,}") for label, count in zip(labels, counts, strict=True)]
    return chart("Customers by quality score", bars)


def _alerts(session: Session, run_id: RunId) -> dg.MetadataValue[str]:
    kinds = summaries.alerts_by_kind(session, run_id)
    bars = [
        Bar(kind.replace("_", " "), decided, f"{decided:,} new, {waiting:,} waiting")
        for kind, decided, waiting in kinds
    ]
    return chart("Alerts of this sync, by kind", bars)


def _preview(session: Session, currency: str) -> dg.TableMetadataValue:
    rows = [_preview_row(row, currency) for row in summaries.largest_customers(session, _PREVIEW_ROWS)]
    records = [dg.TableRecord(row) for row in rows]
    names = list(rows[0]) if rows else ["email"]
    return dg.MetadataValue.table(records, dg.TableSchema([dg.TableColumn(name) for name in names]))


def _preview_row(row: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """Return a preview row: email masked, amount with its currency, texts sanitized."""
    preview = {name: sanitize_for_display(value) if isinstance(value, str) else value for name, value in row.items()}
    paid_in = read_currency(preview.pop("currency")) or currency
    mrr = None if row["mrr"] is None else format_amount(Decimal(row["mrr"]), paid_in)
    return preview | {"email": sanitize_for_display(mask_email(row["email"])), "mrr": mrr}
