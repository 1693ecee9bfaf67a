"""Customer alerts (R7.1 to R7.5): four state transitions, decided from each customer's row before and after a write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import orjson
import polars as pl

from intercom_sync.domain.cancel_mentions import Mention, mention_evidence
from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.rules import Rules

NEW_HIGH_VALUE = "new_high_value"
CANCEL_MENTION = "cancel_mention"
PAYMENT_DELINQUENT = "payment_delinquent"
MRR_CHANGE = "mrr_change"
KINDS = (NEW_HIGH_VALUE, CANCEL_MENTION, PAYMENT_DELINQUENT, MRR_CHANGE)

COMPARED = ("mrr", "currency", "mentioned_cancel", "is_delinquent")
"""Columns of a customer whose change can make an alert."""

REPORTED = (*COMPARED, "name", "plan_name", "last_payment_amount", "last_payment_date", "stripe_customer_id")
"""Columns of a customer that decide an alert or that an alert says."""

_SCHEMA = {"kind": pl.String, "email": pl.String, "details": pl.String}
_EXACT = Context(prec=100)  # enough for the product of any two amounts without rounding
_CENT = Decimal("0.01")
_COMMON_DETAILS = {
    "name": "after_name",
    "mrr": "after_mrr",
    "previous_mrr": "before_mrr",
    "plan_name": "after_plan_name",
}
_EXTRA_DETAILS = {
    PAYMENT_DELINQUENT: {
        "last_payment_amount": "after_last_payment_amount",
        "last_payment_date": "after_last_payment_date",
        "stripe_customer_id": "after_stripe_customer_id",
    }
}


@dataclass(frozen=True)
class Alert:
    """Represent one alert of the outbox.

    Attributes:
        id: sequence number, in the order of decision.
        kind: one of `KINDS` or `incidents.INCIDENT_KINDS`.
        email: the customer's email; None when the alert is about operations.
        details: context that a person needs to act.
        run_id: the Dagster run that decided it.
        created_at: logical time of the sync.
        refusal_count: how often Slack rejected its content.
    """

    id: int
    kind: str
    email: str | None = field(repr=False)
    details: dict[str, Any] = field(repr=False)
    run_id: RunId
    created_at: datetime
    refusal_count: int = 0

    @property
    def mrr(self) -> Decimal:
        """Return the customer's MRR in dollars; 0 when it is unknown."""
        return Decimal(self.details.get("mrr") or 0)


def decide_alerts(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Decide the alerts of one write: exactly one per transition, so repeated runs are idempotent.

    Args:
        rows: one per customer: `email_key`, `existed` (a row existed and was not marked as deleted), before_ and
            after_ columns of `mrr`, `currency`, `mentioned_cancel` and `is_delinquent`, and after_ columns of `name`,
            `plan_name`, `last_payment_amount`, `last_payment_date`, `stripe_customer_id` and `mixed_currencies`.
        rules: the thresholds and the workspace's currency.

    Returns:
        `kind`, `email` and `details` (JSON text, amounts as exact text), sorted by email, then by kind.
    """
    deciders = {
        NEW_HIGH_VALUE: _became_high_value(rules.high_value_mrr),
        CANCEL_MENTION: _became_true("mentioned_cancel"),
        PAYMENT_DELINQUENT: _became_true("is_delinquent"),
        MRR_CHANGE: _may_have_changed(),
    }
    alerts = [
        (kind, row["email_key"], _details(kind, row, rules.currency))
        for kind, condition in deciders.items()
        for row in rows.filter(condition).iter_rows(named=True)
        if kind != MRR_CHANGE or _changed_much(row["before_mrr"], row["after_mrr"], rules.mrr_change_ratio)
    ]
    alerts.sort(key=lambda alert: (alert[1], KINDS.index(alert[0])))
    return pl.DataFrame(alerts, schema=_SCHEMA, orient="row")


def rows_that_may_alert(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Return the earlier state of customers whose change may cause an alert.

    Args:
        rows: as `customers.build_customers` makes them.
        rules: as of `decide_alerts`.

    Returns:
        The columns that `decide_alerts` takes, but for the pairs' `after_`, which are read when the rows are written.
    """
    # A deleted customer that is back counts as new.
    existed = pl.col("existed") & pl.col("current_intercom_deleted_at").is_null()
    before = ["email_key", existed.alias("existed"), *(pl.col(f"current_{c}").alias(f"before_{c}") for c in COMPARED)]
    changed = rows.filter("changed", pl.col("intercom_deleted_at").is_null())
    before.append(pl.col("mixed_currencies").alias("after_mixed_currencies"))
    alerts = decide_alerts(changed.select(*before, *(pl.col(c).alias(f"after_{c}") for c in REPORTED)), rules)
    return changed.select(before).join(alerts.select(pl.col("email").alias("email_key")), on="email_key", how="semi")


def with_evidence(alerts: pl.DataFrame, mentions: Mapping[str, Mention], rules: Rules) -> pl.DataFrame:
    """Return alerts whose cancel mentions say what the customer wrote, where a message of the email is given."""

    def details(kind: str, email: str, given: str) -> str:
        if kind != CANCEL_MENTION or email not in mentions:
            return given
        evidence = mention_evidence(mentions[email], rules.cancel_words, rules.app)
        return orjson.dumps(orjson.loads(given) | evidence).decode()

    rows = [(kind, email, details(kind, email, given)) for kind, email, given in alerts.select(*_SCHEMA).iter_rows()]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _became_high_value(threshold: Decimal) -> pl.Expr:
    before = pl.col("existed") & (pl.col("before_mrr") > threshold)
    return (pl.col("after_mrr") > threshold) & ~before.fill_null(False)


def _became_true(name: str) -> pl.Expr:
    before = pl.col("existed") & pl.col(f"before_{name}")
    return pl.col(f"after_{name}") & ~before.fill_null(False)


def _may_have_changed() -> pl.Expr:
    """Select customers whose MRR was above 0 and has a different known value now; `_changed_much` applies the ratio."""
    return pl.col("existed") & (pl.col("before_mrr") > 0) & (pl.col("after_mrr") != pl.col("before_mrr"))


def _changed_much(before: Decimal, after: Decimal, ratio: Decimal) -> bool:
    """Compare by multiplication, because a division would round."""
    return abs(_EXACT.subtract(after, before)) > _EXACT.multiply(before, ratio)


def _details(kind: str, row: dict[str, Any], currency: str) -> str:
    """Return the alert's context as JSON text.

    The currency defaults to the workspace's; an MRR in mixed currencies has none.
    """
    sources = _COMMON_DETAILS | _EXTRA_DETAILS.get(kind, {})
    details = {name: _format_value(row[source]) for name, source in sources.items()}
    details["currency"] = None if row["after_mixed_currencies"] else row["after_currency"] or currency
    if not row["existed"]:
        details["previous_mrr"] = None
    elif row["before_mrr"] is not None and (row["before_currency"] or currency) != details["currency"]:
        details["previous_currency"] = row["before_currency"] or currency
    if kind == MRR_CHANGE:
        details["change_percent"] = _change_percent(row["before_mrr"], row["after_mrr"])
    return orjson.dumps(details).decode()


def _format_value(value: Any) -> Any:
    """Format an amount as exact text with at least two decimals; orjson formats times."""
    if not isinstance(value, Decimal):
        return value
    cents = value.quantize(_CENT, context=_EXACT)
    return f"{cents if cents == value else value.normalize(_EXACT):f}"


def _change_percent(before: Decimal, after: Decimal) -> str:
    change = _EXACT.divide(_EXACT.multiply(_EXACT.subtract(after, before), Decimal(100)), before)
    return f"{change.quantize(Decimal('0.1'), ROUND_HALF_UP, _EXACT):+f}"
