"""Which customers people must hear of: the four transitions of the directive's alert triggers.

Decided from each customer's row before and after a write. Keeping and sending alerts belongs to the outbox and Slack.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import orjson
import polars as pl

from intercom_sync.domain.rules import Rules

NEW_HIGH_VALUE = "new_high_value"
CANCEL_MENTION = "cancel_mention"
PAYMENT_DELINQUENT = "payment_delinquent"
MRR_CHANGE = "mrr_change"
KINDS = (NEW_HIGH_VALUE, CANCEL_MENTION, PAYMENT_DELINQUENT, MRR_CHANGE)

_SCHEMA = {"kind": pl.String, "email": pl.String, "details": pl.String}
_EXACT = Context(prec=100)  # every product of two amounts, unrounded
_CENT = Decimal("0.01")
_ALWAYS = {"name": "after_name", "mrr": "after_mrr", "previous_mrr": "before_mrr", "plan_name": "after_plan_name"}
_EVIDENCE = {
    PAYMENT_DELINQUENT: {
        "last_payment_amount": "after_last_payment_amount",
        "last_payment_date": "after_last_payment_date",
        "stripe_customer_id": "after_stripe_customer_id",
    }
}


@dataclass(frozen=True)
class Alert:
    """One alert as the outbox keeps it.

    Attributes:
        id: order of decision.
        kind: one of `KINDS`, or of `trouble.TROUBLES`.
        email: the customer, when it concerns one.
        details: what a person needs to act.
        run: the Dagster run that decided it.
        created_at: the sync's instant.
        refusal_count: how often Slack refused it for what it says.
    """

    id: int
    kind: str
    email: str | None = field(repr=False)
    details: dict[str, Any] = field(repr=False)
    run_id: str
    created_at: datetime
    refusal_count: int = 0

    @property
    def mrr(self) -> Decimal:
        """The customer's MRR in dollars; 0 where it is unknown."""
        return Decimal(self.details.get("mrr") or 0)


def decide_alerts(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Decide the alerts of one write; the same transition makes one alert, and no transition makes none.

    Args:
        rows: one per customer: `email_key`, `existed` (there was a row that was not marked as deleted), the pairs
            before_ and after_ of `mrr`, `currency`, `mentioned_cancel` and `is_delinquent`, and `after_` `name`,
            `plan_name`, `last_payment_amount`, `last_payment_date`, `stripe_customer_id` and `mixed_currencies`.
        rules: the thresholds, and the workspace's currency.

    Returns:
        `kind`, `email`, `details` (JSON text, amounts as exact texts), sorted by email and then by kind.
    """
    deciders = {
        NEW_HIGH_VALUE: _became_high_value(rules.high_value_mrr),
        CANCEL_MENTION: _became_true("mentioned_cancel"),
        PAYMENT_DELINQUENT: _became_true("is_delinquent"),
        MRR_CHANGE: _may_have_changed(),
    }
    found = [
        (kind, row["email_key"], _details(kind, row, rules.currency))
        for kind, decided in deciders.items()
        for row in rows.filter(decided).iter_rows(named=True)
        if kind != MRR_CHANGE or _changed_much(row["before_mrr"], row["after_mrr"], rules.mrr_change_ratio)
    ]
    found.sort(key=lambda alert: (alert[1], KINDS.index(alert[0])))
    return pl.DataFrame(found, schema=_SCHEMA, orient="row")


def _became_high_value(threshold: Decimal) -> pl.Expr:
    before = pl.col("existed") & (pl.col("before_mrr") > threshold)
    return (pl.col("after_mrr") > threshold) & ~before.fill_null(False)


def _became_true(name: str) -> pl.Expr:
    before = pl.col("existed") & pl.col(f"before_{name}")
    return pl.col(f"after_{name}") & ~before.fill_null(False)


def _may_have_changed() -> pl.Expr:
    """Customers whose MRR was above 0 and is known to be another now; how much decides `_changed_much`."""
    return pl.col("existed") & (pl.col("before_mrr") > 0) & (pl.col("after_mrr") != pl.col("before_mrr"))


def _changed_much(before: Decimal, after: Decimal, ratio: Decimal) -> bool:
    """Compare products, so that nothing is divided or rounded."""
    return abs(_EXACT.subtract(after, before)) > _EXACT.multiply(before, ratio)


def _details(kind: str, row: dict[str, Any], currency: str) -> str:
    """Return what a person needs to act, as JSON text.

    A customer without a currency is in the workspace's; a sum over several currencies has none.
    """
    sources = _ALWAYS | _EVIDENCE.get(kind, {})
    details = {name: _said(row[source]) for name, source in sources.items()}
    details["currency"] = None if row["after_mixed_currencies"] else row["after_currency"] or currency
    if not row["existed"]:
        details["previous_mrr"] = None
    elif row["before_mrr"] is not None and (row["before_currency"] or currency) != details["currency"]:
        details["previous_currency"] = row["before_currency"] or currency
    if kind == MRR_CHANGE:
        details["change_percent"] = _percent(row["before_mrr"], row["after_mrr"])
    return orjson.dumps(details).decode()


def _said(value: Any) -> Any:
    """Amounts as text with at least the cents and nothing lost; times by orjson in ISO 8601."""
    if not isinstance(value, Decimal):
        return value
    cents = value.quantize(_CENT, context=_EXACT)
    return f"{cents if cents == value else value.normalize(_EXACT):f}"


def _percent(before: Decimal, after: Decimal) -> str:
    change = _EXACT.divide(_EXACT.multiply(_EXACT.subtract(after, before), Decimal(100)), before)
    return f"{change.quantize(Decimal('0.1'), ROUND_HALF_UP, _EXACT):+f}"
