"""What the UI shows of every asset before it runs: its table's columns, their lineage, owners, links, freshness.

All of it follows from the one catalogue. What a run reports stands in `report`.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import dagster as dg

from intercom_sync.domain.revenue.money import format_amount, read_currency, rounded_amount
from intercom_sync.domain.schema.columns import Table
from intercom_sync.domain.schema.lineage import LINEAGE
from intercom_sync.domain.schema.tables import (
    CONTACT_MERGES,
    INTERCOM_CONTACTS,
    INTERCOM_CONVERSATIONS,
    INTERCOM_MESSAGES,
    UNIFIED_CUSTOMERS,
)
from intercom_sync.domain.sync_summary import ContactCounts, mask_email, sanitize_for_display
from intercom_sync.orchestration.assets.charts import Bar, chart
from intercom_sync.pipeline.publish import PublishResult
from intercom_sync.pipeline.stream_result import StreamResult
from intercom_sync.redaction import describe
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.queries import summaries
from intercom_sync.warehouse.state.runs import SyncRun

OWNERS = ["team:customer-data"]
GROUP = "intercom"
# Two windows and the time the second one takes; one window and the same.
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=13), warn_window=timedelta(hours=7))
_REFERENCE = "https://developers.intercom.com/docs/references/rest-api/api.intercom.io"
_LINKS = {
    INTERCOM_CONTACTS.name: {"intercom_reference": f"{_REFERENCE}/contacts/searchcontacts"},
    INTERCOM_CONVERSATIONS.name: {"intercom_reference": f"{_REFERENCE}/conversations/searchconversations"},
}
_ASSETS = {
    INTERCOM_CONTACTS.name: "raw_contacts",
    CONTACT_MERGES.name: "raw_contacts",
    INTERCOM_CONVERSATIONS.name: "raw_conversations",
    INTERCOM_MESSAGES.name: "raw_conversations",
}


def table_metadata(table: Table) -> dict[str, Any]:
    """Return definition metadata: the column schema with descriptions, the table's name, lineage and links."""
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
    """Return result metadata: which columns of which assets each column is made of; nothing for landed tables."""
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
_PLANS_DRAWN = 6
_CONTACTS = "contacts/"
_PREVIEWED = 10


def numeric_metadata(figures: Mapping[str, int | float | None]) -> Metadata:
    """Return numbers as metadata; unknown ones are left out rather than plotted as 0."""
    return {
        name: dg.MetadataValue.float(number) if isinstance(number, float) else dg.MetadataValue.int(number)
        for name, number in figures.items()
        if number is not None
    }


def counts_of(metadata: Mapping[str, dg.MetadataValue[Any]]) -> ContactCounts:
    """Return the counts of contacts that `customers_metadata` reported."""
    return ContactCounts(**{one.name: int(metadata[f"{_CONTACTS}{one.name}"].value) for one in fields(ContactCounts)})


def decorated(what: Mapping[str, Callable[[], Any]]) -> Metadata:
    """Return metadata that only decorates a run, made one by one: what cannot be made is left out with a warning.

    What an error says may hold customers' data; only its kind and place are logged.
    """
    shown = {}
    for name, make in what.items():
        try:
            shown[name] = make()
        except Exception as error:
            _LOG.warning("%s is not shown on the asset's page: %s", name, describe(error))
    return shown


def extraction_metadata(collected: StreamResult, mode: str, requests: int) -> Metadata:
    """Report what reading one stream brought."""
    completeness = collected.scan_counts
    figures = {
        "records_read": collected.records_seen,
        "records_rejected": sum(collected.rejected.values()),
        "records_deleted": collected.deleted,
        "intercom_total": completeness.total_at_end if completeness else None,
        "api_requests": requests,
    }
    if collected.kind == "conversation":
        figures |= {"parts_fetched": collected.parts_fetched, "parts_failed": collected.parts_failed}
    return {"mode": dg.MetadataValue.text(mode)} | numeric_metadata(figures)


def customers_metadata(session: Session, finished: PublishResult, run: SyncRun, entry: str, currency: str) -> Metadata:
    """Report the customers: the success metrics, the log entry, pictures and a masked preview."""
    figures = finished.stats.as_json() | {
        **{f"{_CONTACTS}{name}": count for name, count in asdict(finished.counts).items()},
        "alerts_generated": finished.stats.alerts_generated,
        f"mrr_total_{currency}": float(rounded_amount(finished.result.mrr, currency)),
        "dagster/row_count": finished.result.customers,
    }
    pictures: dict[str, Callable[[Session], Any]] = {
        "mrr_by_plan": partial(_plans, currency=currency),
        "score_distribution": _scores,
        "alerts_by_kind": partial(_alerts, run=run.id),
        "largest_customers": partial(_preview, currency=currency),
    }
    shown = decorated({name: partial(_read, session, picture) for name, picture in pictures.items()})
    return {
        **numeric_metadata(figures),
        "mode": dg.MetadataValue.text(run.mode),
        "log_entry": dg.MetadataValue.md(f"```\n{entry}\n```"),
        "mrr_total": dg.MetadataValue.text(format_amount(finished.result.mrr, currency)),
        **shown,
        **column_lineage(UNIFIED_CUSTOMERS),
    }


def _read(session: Session, make: Callable[[Session], Any]) -> Any:
    with session.transaction():
        return make(session)


def _plans(session: Session, currency: str) -> dg.MetadataValue[str]:
    plans = summaries.revenue_by_plan(session)
    bars = [_plan_bar(one, currency) for one in plans[:_PLANS_DRAWN]]
    if rest := plans[_PLANS_DRAWN:]:
        bars.append(_plan_bar(_together(rest), currency))
    return chart("MRR by plan, and its movement since the sync before", bars)


def _together(plans: Sequence[summaries.PlanRevenue]) -> summaries.PlanRevenue:
    before = [one.before for one in plans if one.before is not None]
    mrr = sum((one.mrr for one in plans), Decimal(0))
    return summaries.PlanRevenue(f"{len(plans)} others", mrr, sum(before, Decimal(0)) if before else None)


def _plan_bar(one: summaries.PlanRevenue, currency: str) -> Bar:
    change = Decimal(0) if one.before is None else rounded_amount(one.mrr - one.before, currency)
    moved = f" ({change:+,})" if change else ""
    return Bar(one.plan or "no plan", float(one.mrr), f"{format_amount(one.mrr, currency)}{moved}")


def _scores(session: Session) -> dg.MetadataValue[str]:
    counts = summaries.score_distribution(session)
    labels = [f"{tens * 10}-{tens * 10 + 9}" for tens in range(9)] + ["90-100"]
    bars = [Bar(label, count, f"{count:,}") for label, count in zip(labels, counts, strict=True)]
    return chart("Customers by quality score", bars)


def _alerts(session: Session, run: str) -> dg.MetadataValue[str]:
    kinds = summaries.alerts_by_kind(session, run)
    bars = [
        Bar(kind.replace("_", " "), decided, f"{decided:,} new, {waiting:,} waiting")
        for kind, decided, waiting in kinds
    ]
    return chart("Alerts of this sync, by kind", bars)


def _preview(session: Session, currency: str) -> dg.TableMetadataValue:
    rows = [_shown(row, currency) for row in summaries.largest_customers(session, _PREVIEWED)]
    records = [dg.TableRecord(row) for row in rows]
    names = list(rows[0]) if rows else ["email"]
    return dg.MetadataValue.table(records, dg.TableSchema([dg.TableColumn(name) for name in names]))


def _shown(row: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """Return a customer's row for people: the email masked, the amount in its currency, words made harmless."""
    shown = {name: sanitize_for_display(value) if isinstance(value, str) else value for name, value in row.items()}
    paid_in = read_currency(shown.pop("currency")) or currency
    mrr = None if row["mrr"] is None else format_amount(Decimal(row["mrr"]), paid_in)
    return shown | {"email": sanitize_for_display(mask_email(row["email"])), "mrr": mrr}
