"""What a run reports of each asset: numbers under stable names, which the UI plots, the log entry, and pictures.

Metadata is kept for ever and read by everybody who may open the UI, so emails are masked and names left out.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from decimal import Decimal
from functools import partial
from typing import Any

import dagster as dg

from intercom_sync.assets.metadata import column_lineage
from intercom_sync.assets.pictures import Bar, picture
from intercom_sync.domain.currencies import format_amount, read_currency, rounded_amount
from intercom_sync.domain.report import ContactCounts, harmless, mask_email
from intercom_sync.domain.tables import UNIFIED_CUSTOMERS
from intercom_sync.sync.collected import Collected
from intercom_sync.sync.finish import Finished
from intercom_sync.unforeseen import told
from intercom_sync.warehouse import glance
from intercom_sync.warehouse.runs import SyncRun
from intercom_sync.warehouse.session import Session

Metadata = dict[str, Any]

_LOG = logging.getLogger("intercom_sync.assets")
_PLANS_DRAWN = 6
_CONTACTS = "contacts/"
_PREVIEWED = 10


def numbers(figures: Mapping[str, int | float | None]) -> Metadata:
    """Return numbers as metadata; unknown ones are left out rather than plotted as 0."""
    return {
        name: dg.MetadataValue.float(number) if isinstance(number, float) else dg.MetadataValue.int(number)
        for name, number in figures.items()
        if number is not None
    }


def counts_of(metadata: Mapping[str, dg.MetadataValue[Any]]) -> ContactCounts:
    """Return the counts of contacts that `of_customers` reported."""
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
            _LOG.warning("%s is not shown on the asset's page: %s", name, told(error))
    return shown


def of_reading(collected: Collected, mode: str, requests: int) -> Metadata:
    """Report what reading one stream brought."""
    completeness = collected.completeness
    figures = {
        "records_read": collected.read,
        "records_rejected": sum(collected.refused.values()),
        "records_deleted": collected.gone,
        "intercom_total": completeness.total_at_end if completeness else None,
        "api_requests": requests,
    }
    if collected.kind == "conversation":
        figures |= {"parts_fetched": collected.details, "parts_failed": collected.given_up}
    return {"mode": dg.MetadataValue.text(mode)} | numbers(figures)


def of_customers(session: Session, finished: Finished, run: SyncRun, entry: str, currency: str) -> Metadata:
    """Report the customers: the success metrics, the log entry, pictures and a masked preview."""
    figures = finished.figures.as_json() | {
        **{f"{_CONTACTS}{name}": count for name, count in asdict(finished.counts).items()},
        "alerts_generated": finished.figures.alerts_generated,
        f"mrr_total_{currency}": float(rounded_amount(finished.upserted.mrr, currency)),
        "dagster/row_count": finished.upserted.customers,
    }
    pictures: dict[str, Callable[[Session], Any]] = {
        "mrr_by_plan": partial(_plans, currency=currency),
        "score_distribution": _scores,
        "alerts_by_kind": partial(_alerts, run=run.run),
        "largest_customers": partial(_preview, currency=currency),
    }
    shown = decorated({name: partial(_read, session, picture) for name, picture in pictures.items()})
    return {
        **numbers(figures),
        "mode": dg.MetadataValue.text(run.mode),
        "log_entry": dg.MetadataValue.md(f"```\n{entry}\n```"),
        "mrr_total": dg.MetadataValue.text(format_amount(finished.upserted.mrr, currency)),
        **shown,
        **column_lineage(UNIFIED_CUSTOMERS),
    }


def _read(session: Session, make: Callable[[Session], Any]) -> Any:
    with session.transaction():
        return make(session)


def _plans(session: Session, currency: str) -> dg.MetadataValue[str]:
    plans = glance.revenue_by_plan(session)
    bars = [_plan_bar(one, currency) for one in plans[:_PLANS_DRAWN]]
    if rest := plans[_PLANS_DRAWN:]:
        bars.append(_plan_bar(_together(rest), currency))
    return picture("MRR by plan, and its movement since the sync before", bars)


def _together(plans: Sequence[glance.PlanRevenue]) -> glance.PlanRevenue:
    before = [one.before for one in plans if one.before is not None]
    mrr = sum((one.mrr for one in plans), Decimal(0))
    return glance.PlanRevenue(f"{len(plans)} others", mrr, sum(before, Decimal(0)) if before else None)


def _plan_bar(one: glance.PlanRevenue, currency: str) -> Bar:
    change = Decimal(0) if one.before is None else rounded_amount(one.mrr - one.before, currency)
    moved = f" ({change:+,})" if change else ""
    return Bar(one.plan or "no plan", float(one.mrr), f"{format_amount(one.mrr, currency)}{moved}")


def _scores(session: Session) -> dg.MetadataValue[str]:
    counts = glance.score_distribution(session)
    labels = [f"{tens * 10}-{tens * 10 + 9}" for tens in range(9)] + ["90-100"]
    bars = [Bar(label, count, f"{count:,}") for label, count in zip(labels, counts, strict=True)]
    return picture("Customers by quality score", bars)


def _alerts(session: Session, run: str) -> dg.MetadataValue[str]:
    kinds = glance.alerts_by_kind(session, run)
    bars = [
        Bar(kind.replace("_", " "), decided, f"{decided:,} new, {waiting:,} waiting")
        for kind, decided, waiting in kinds
    ]
    return picture("Alerts of this sync, by kind", bars)


def _preview(session: Session, currency: str) -> dg.TableMetadataValue:
    rows = [_shown(row, currency) for row in glance.largest_customers(session, _PREVIEWED)]
    records = [dg.TableRecord(row) for row in rows]
    names = list(rows[0]) if rows else ["email"]
    return dg.MetadataValue.table(records, dg.TableSchema([dg.TableColumn(name) for name in names]))


def _shown(row: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """Return a customer's row for people: the email masked, the amount in its currency, words made harmless."""
    shown = {name: harmless(value) if isinstance(value, str) else value for name, value in row.items()}
    paid_in = read_currency(shown.pop("currency")) or currency
    mrr = None if row["mrr"] is None else format_amount(Decimal(row["mrr"]), paid_in)
    return shown | {"email": harmless(mask_email(row["email"])), "mrr": mrr}
