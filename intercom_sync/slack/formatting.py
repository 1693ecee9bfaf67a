"""Format one alert: headline, line in a list, details."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from intercom_sync.domain import alerts, incidents, movements
from intercom_sync.domain.alerts import Alert
from intercom_sync.domain.revenue.money import DEFAULT_CURRENCY, format_amount, read_currency
from intercom_sync.slack.mrkdwn import escape_mrkdwn, link, literal

_MAX_NAME, _MAX_EMAIL, _MAX_PLAN, _MAX_EXCERPT, _MAX_LINE_EXCERPT, _MAX_SENTENCE = 120, 400, 120, 900, 160, 1_200
_MAX_MOVEMENTS = 400
_STRIPE = "https://dashboard.stripe.com/customers/"


class Kind(NamedTuple):
    """Hold the display names of an alert kind, singular and plural."""

    emoji: str
    singular: str
    plural: str

    def counted(self, number: int) -> str:
        """Format a count of this kind, as in "3 cancel mentions"."""
        return f"{number:,} {self.plural}" if number != 1 else f"1 {self.singular[:1].lower()}{self.singular[1:]}"


KINDS: Mapping[str, Kind] = {
    alerts.NEW_HIGH_VALUE: Kind(":star:", "New high-value customer", "new high-value customers"),
    alerts.CANCEL_MENTION: Kind(":warning:", "Cancel mention", "cancel mentions"),
    alerts.PAYMENT_DELINQUENT: Kind(":credit_card:", "Payment delinquent", "delinquent payments"),
    alerts.MRR_CHANGE: Kind(":chart_with_upwards_trend:", "Large MRR change", "large MRR changes"),
    incidents.FAILED_RUN: Kind(":red_circle:", "Sync failed", "failed syncs"),
    incidents.FAILED_CHECK: Kind(":large_orange_circle:", "Check failed", "failed checks"),
    incidents.PARTIAL_FAILURE: Kind(":large_yellow_circle:", "Sync finished with errors", "syncs with errors"),
    incidents.MISSED_WINDOWS: Kind(":red_circle:", "Windows never synced", "gaps between syncs"),
}


def kind_of(alert: Alert) -> Kind:
    """Return the display names of an alert's kind; unknown kinds are escaped."""
    name = escape_mrkdwn(alert.kind, _MAX_NAME)
    return KINDS.get(alert.kind) or Kind(":bell:", name, name)


_CORRECTED = {
    movements.SETTINGS: "other revenue rules",
    movements.STRIPE_DATA: "Stripe's data vanished or came back",
    movements.CONTACT_CHANGED: "another contact of the email",
}


def title(alert: Alert) -> str:
    """Format an alert's kind; where no revenue was won or lost, that comes first."""
    kind = kind_of(alert).singular
    movement = alert.details.get("movement")
    if movement == movements.TRANSFER:
        return f"Transfer from another email, no new revenue: {kind[:1].lower()}{kind[1:]}"
    if movement == movements.CORRECTION:
        cause = _CORRECTED.get(str(alert.details.get("movement_cause")), "other data")
        return f"Correction, {cause}: {kind[:1].lower()}{kind[1:]}"
    return kind


def customer(alert: Alert) -> str:
    """Format the customer's name and email."""
    email = literal(alert.email or "", _MAX_EMAIL)
    name = escape_mrkdwn(str(alert.details.get("name") or ""), _MAX_NAME)
    return f"{name} ({email})" if name else email


def summary(alert: Alert) -> str:
    """Format an alert as one line of plain text: kind, customer and money, or the sentence of an incident."""
    if alert.email is None:
        return f"{kind_of(alert).singular}: {_sentence(alert)}"
    return f"{title(alert)}: {customer(alert)} · {_money(alert)}"


def line(alert: Alert) -> str:
    """Format an alert as a line in a list of its kind."""
    if alert.email is None:
        return f"• {_sentence(alert)}"
    excerpt = escape_mrkdwn(str(alert.details.get("excerpt") or ""), _MAX_LINE_EXCERPT)
    return " · ".join(filter(None, (f"• {customer(alert)}", _money(alert), excerpt and f"“{excerpt}”", _links(alert))))


def details(alert: Alert) -> str:
    """Format all details of an alert, one per line."""
    kind = kind_of(alert)
    headline = f"{kind.emoji} *{title(alert)}*"
    if alert.email is None:
        return f"{headline}\n{_sentence(alert)}"
    facts = (_money(alert), _movements(alert), _payment(alert), _excerpt(alert), _links(alert))
    lines = (f"{headline}: {customer(alert)}", *facts)
    return "\n".join(filter(None, lines))


def _sentence(alert: Alert) -> str:
    return literal(str(alert.details.get("sentence") or "no details are known"), _MAX_SENTENCE)


def _money(alert: Alert) -> str:
    details = alert.details
    currency = details.get("currency", DEFAULT_CURRENCY)
    before = details.get("previous_currency", currency)
    now = f"MRR {money(details.get('mrr'), currency)}"
    if (details.get("previous_mrr"), before) != (details.get("mrr"), currency):
        change = f", {details['change_percent']} %" if "change_percent" in details and before == currency else ""
        now += f" (before: {money(details.get('previous_mrr'), before)}{change})"
    plan = escape_mrkdwn(str(details.get("plan_name") or ""), _MAX_PLAN)
    return f"{now} · {plan}" if plan else now


def _movements(alert: Alert) -> str:
    """Format the movement that caused an alert about MRR, and the customer's last movements, newest first."""
    listed = alert.details.get("last_movements")
    if not isinstance(listed, list) or not listed:
        return ""
    currency = alert.details.get("currency", DEFAULT_CURRENCY)
    last = ", ".join(f"{_change(one, currency)} {one.get('kind')} {str(one.get('at'))[:10]}" for one in listed)
    cause = alert.details.get("movement")
    return literal(f"{f'Movement: {cause}. ' if cause else ''}Last movements: {last}", _MAX_MOVEMENTS)


def _change(movement: Mapping[str, Any], currency: Any) -> str:
    change = str(movement.get("change"))
    return f"+{money(change[1:], currency)}" if change.startswith("+") else money(change, currency)


def _payment(alert: Alert) -> str:
    amount, at = alert.details.get("last_payment_amount"), alert.details.get("last_payment_date")
    if alert.kind != alerts.PAYMENT_DELINQUENT:
        return ""
    currency = alert.details.get("currency", DEFAULT_CURRENCY)
    return f"Last payment: {money(amount, currency)}, {moment(at)}" if amount or at else "No payment is known."


def _excerpt(alert: Alert) -> str:
    excerpt = escape_mrkdwn(str(alert.details.get("excerpt") or ""), _MAX_EXCERPT)
    return f"> {excerpt}\nWritten {moment(alert.details.get('said_at'))}" if excerpt else ""


def _links(alert: Alert) -> str:
    conversation = str(alert.details.get("conversation_url") or "")
    stripe_id = str(alert.details.get("stripe_customer_id") or "")
    links = (link(conversation, "Open the conversation"), link(f"{_STRIPE}{stripe_id}" if stripe_id else "", "Stripe"))
    return " · ".join(filter(None, links))


def money(amount: Any, currency: Any) -> str:
    """Format an amount, given as exact text, in its currency; "unknown" for None."""
    if amount is None:
        return "unknown"
    try:
        return format_amount(Decimal(str(amount)), read_currency(currency))
    except InvalidOperation:
        return literal(str(amount), 40)


def moment(text: Any) -> str:
    """Format an ISO 8601 time to the minute in UTC; "at an unknown time" for None."""
    try:
        return f"{datetime.fromisoformat(str(text)):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return "at an unknown time"
