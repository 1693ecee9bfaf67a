"""One alert in words: its headline, its line in a list, and the facts under it.

How lines become messages is `message`'s; how customers' words are made harmless, `mrkdwn`'s.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from intercom_sync.domain import alerts, incidents
from intercom_sync.domain.alerts import Alert
from intercom_sync.domain.revenue.money import DEFAULT_CURRENCY, format_amount, read_currency
from intercom_sync.slack.mrkdwn import escape_mrkdwn, link, literal

_NAME, _EMAIL, _PLAN, _WORDS, _LINE_WORDS, _SENTENCE = 120, 400, 120, 900, 160, 1_200
_STRIPE = "https://dashboard.stripe.com/customers/"


class Kind(NamedTuple):
    """How a kind is shown: one of them, and many."""

    emoji: str
    one: str
    many: str

    def counted(self, number: int) -> str:
        """Return how many there are, in words."""
        return f"{number:,} {self.many}" if number != 1 else f"1 {self.one[:1].lower()}{self.one[1:]}"


KINDS: Mapping[str, Kind] = {
    alerts.NEW_HIGH_VALUE: Kind(":star:", "New high-value customer", "new high-value customers"),
    alerts.CANCEL_MENTION: Kind(":warning:", "Cancel mention", "cancel mentions"),
    alerts.PAYMENT_DELINQUENT: Kind(":credit_card:", "Payment delinquent", "delinquent payments"),
    alerts.MRR_CHANGE: Kind(":chart_with_upwards_trend:", "Large MRR change", "large MRR changes"),
    incidents.FAILED_RUN: Kind(":red_circle:", "Sync failed", "failed syncs"),
    incidents.FAILED_CHECK: Kind(":large_orange_circle:", "Check failed", "failed checks"),
    incidents.PARTIAL_FAILURE: Kind(":large_yellow_circle:", "Sync done with errors", "syncs done with errors"),
    incidents.MISSED_WINDOWS: Kind(":red_circle:", "Windows never synced", "gaps between syncs"),
}


def kind_of(alert: Alert) -> Kind:
    """Return how an alert's kind is shown, also one that is not known here."""
    return KINDS.get(alert.kind) or Kind(":bell:", escape_mrkdwn(alert.kind, _NAME), escape_mrkdwn(alert.kind, _NAME))


def who(alert: Alert) -> str:
    """Return the customer: name and email."""
    email = literal(alert.email or "", _EMAIL)
    name = escape_mrkdwn(str(alert.details.get("name") or ""), _NAME)
    return f"{name} ({email})" if name else email


def summary(alert: Alert) -> str:
    """Return an alert as one line without a mark-up of ours: kind, customer and money, or the sentence of a trouble."""
    if alert.email is None:
        return f"{kind_of(alert).one}: {_sentence(alert)}"
    return f"{kind_of(alert).one}: {who(alert)} · {_money(alert)}"


def line(alert: Alert) -> str:
    """Return an alert's line in a list of its kind."""
    if alert.email is None:
        return f"• {_sentence(alert)}"
    said = escape_mrkdwn(str(alert.details.get("excerpt") or ""), _LINE_WORDS)
    return " · ".join(filter(None, (f"• {who(alert)}", _money(alert), said and f"“{said}”", _links(alert))))


def details(alert: Alert) -> str:
    """Return all that is known of an alert, in lines."""
    kind = kind_of(alert)
    headline = f"{kind.emoji} *{kind.one}*"
    if alert.email is None:
        return f"{headline}\n{_sentence(alert)}"
    lines = (f"{headline}: {who(alert)}", _money(alert), _payment(alert), _said(alert), _links(alert))
    return "\n".join(filter(None, lines))


def _sentence(alert: Alert) -> str:
    return literal(str(alert.details.get("sentence") or "no more is known"), _SENTENCE)


def _money(alert: Alert) -> str:
    details = alert.details
    currency = details.get("currency", DEFAULT_CURRENCY)
    before = details.get("previous_currency", currency)
    now = f"MRR {money(details.get('mrr'), currency)}"
    if (details.get("previous_mrr"), before) != (details.get("mrr"), currency):
        change = f", {details['change_percent']} %" if "change_percent" in details and before == currency else ""
        now += f" (before: {money(details.get('previous_mrr'), before)}{change})"
    plan = escape_mrkdwn(str(details.get("plan_name") or ""), _PLAN)
    return f"{now} · {plan}" if plan else now


def _payment(alert: Alert) -> str:
    amount, at = alert.details.get("last_payment_amount"), alert.details.get("last_payment_date")
    if alert.kind != alerts.PAYMENT_DELINQUENT:
        return ""
    currency = alert.details.get("currency", DEFAULT_CURRENCY)
    return f"Last payment: {money(amount, currency)}, {moment(at)}" if amount or at else "No payment is known."


def _said(alert: Alert) -> str:
    words = escape_mrkdwn(str(alert.details.get("excerpt") or ""), _WORDS)
    return f"> {words}\nWritten {moment(alert.details.get('said_at'))}" if words else ""


def _links(alert: Alert) -> str:
    conversation = str(alert.details.get("conversation_url") or "")
    customer = str(alert.details.get("stripe_customer_id") or "")
    found = (link(conversation, "Open the conversation"), link(f"{_STRIPE}{customer}" if customer else "", "Stripe"))
    return " · ".join(filter(None, found))


def money(amount: Any, currency: Any) -> str:
    """Return an amount, given as exact text, as people write it in its currency; `unknown` for none."""
    if amount is None:
        return "unknown"
    try:
        return format_amount(Decimal(str(amount)), read_currency(currency))
    except InvalidOperation:
        return literal(str(amount), 40)


def moment(text: Any) -> str:
    """Return an ISO 8601 time for people, to the minute in UTC; `at an unknown time` for none."""
    try:
        return f"{datetime.fromisoformat(str(text)):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return "at an unknown time"
