"""Compute a contact's revenue (R2): MRR, ARR and subscription count, together with the flat Stripe attributes."""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from intercom_sync.domain.parsing import InvalidRecordError, RejectionReason, parse_optional_timestamp, parse_text
from intercom_sync.domain.revenue.money import PARTS, Number, dollars, minor_units, parse_amount
from intercom_sync.domain.revenue.payments import parse_payments
from intercom_sync.domain.revenue.prices import MONTHLY_PARTS, monthly_amount
from intercom_sync.domain.revenue.stripe_attributes import Item, attribute_path, find_items, normalize_enum
from intercom_sync.domain.rules import Rules

_COUNTED = "active"
_ALIASES = ("Stripe Subscriptions", "stripe_subscriptions")


class SubscriptionTotals(NamedTuple):
    """Hold the totals of the active subscriptions, in major units; None is unknown.

    Attributes:
        mrr: sum of the monthly amounts; None when one of them is unknown.
        arr: the exact MRR × 12.
        active: number of active subscriptions.
        currencies: their currencies, lower-case, when given.
    """

    mrr: Decimal | None = None
    arr: Decimal | None = None
    active: int | None = None
    currencies: tuple[str, ...] = ()


_UNKNOWN = SubscriptionTotals()


def parse_subscriptions(attributes: Item, rules: Rules) -> SubscriptionTotals:
    """Sum the subscriptions with status `active`; those with other statuses are ignored, valid or not.

    Raises:
        InvalidRecordError: for a list of the wrong shape, an active subscription with an invalid amount, or an MRR that
            is below 0 or too large.
    """
    name, items = find_items(attributes, (rules.attributes.subscriptions, *_ALIASES))
    if items is None:
        return _UNKNOWN
    field = attribute_path(name)
    amounts: list[Number | None] = []
    currencies: dict[str, None] = {}
    for item in items:
        if (status := item.get("status")) == _COUNTED or normalize_enum(status) == _COUNTED:
            amount, named = monthly_amount(item, rules.count_quantity, field)
            amounts.append(amount)
            currencies |= dict.fromkeys(named)
    known = [amount for amount in amounts if amount is not None]
    if len(known) < len(amounts):
        return SubscriptionTotals(None, None, len(amounts), tuple(currencies))
    parts = sum(known)
    mrr = dollars(parts, MONTHLY_PARTS, field)
    if parts < 0:
        raise InvalidRecordError(RejectionReason.NEGATIVE_MRR, field, float(mrr))
    return SubscriptionTotals(mrr, dollars(parts, PARTS, field), len(amounts), tuple(currencies))


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


# Immutable by convention: a frozen dataclass takes four times as long to create.
@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Revenue:
    """Hold a contact's revenue, in major units ("dollars") with six decimals; None is unknown and never means 0.

    Attributes:
        stripe_customer_id: Stripe's customer id.
        mrr: monthly recurring revenue of the active subscriptions.
        arr: the exact MRR × 12.
        ltv: sum of the succeeded payments, gross.
        plan_name: name of the plan.
        plan_price: price of the plan, as stored in Intercom.
        subscription_status: one of the allowed statuses.
        subscription_count: number of active subscriptions.
        currency: the one currency of the counted amounts; None when none is given or several are mixed.
        is_delinquent: whether a payment is overdue.
        last_payment_amount: the flat last charge.
        last_payment_date: UNIX seconds of the last charge.
        newest_payment_amount: the newest succeeded payment, to compare with the flat last charge.
        currencies: lower-case currencies of the counted amounts, sorted, when given.
        refunded: refunds of succeeded payments, when given; they do not lower the LTV.
    """

    stripe_customer_id: str | None = None
    mrr: Decimal | None = None
    arr: Decimal | None = None
    ltv: Decimal | None = None
    plan_name: str | None = None
    plan_price: Decimal | None = None
    subscription_status: str | None = None
    subscription_count: int | None = None
    currency: str | None = None
    is_delinquent: bool | None = None
    last_payment_amount: Decimal | None = None
    last_payment_date: int | None = None
    newest_payment_amount: Decimal | None = None
    currencies: tuple[str, ...] = ()
    refunded: Decimal | None = None


NO_REVENUE = Revenue()


def parse_revenue(attributes: object, rules: Rules) -> Revenue:
    """Parse the Stripe data of a contact's `custom_attributes`, under the configured names.

    Absent is unknown, empty is zero (R2.5): without a list of subscriptions mrr, arr and subscription_count are None;
    with a list that has no active one they are 0. The same applies to ltv and payments.

    Raises:
        InvalidRecordError: when the data breaks a rule; no other error is raised.
    """
    if not attributes and (attributes is None or type(attributes) is dict):
        return NO_REVENUE
    if type(attributes) is not dict:
        raise InvalidRecordError(RejectionReason.ATTRIBUTES_SHAPE, "custom_attributes", attributes)
    names = rules.attributes
    get = attributes.get
    subscriptions = parse_subscriptions(attributes, rules)
    payments = parse_payments(attributes, rules)
    currencies = _distinct(subscriptions.currencies, payments.currencies)
    currency = currencies[0] if len(currencies) == 1 else None
    per_dollar = minor_units(currency) if rules.last_charge_unit == "cents" else 1
    return Revenue(
        stripe_customer_id=parse_text(get(names.stripe_id), attribute_path(names.stripe_id)),
        mrr=subscriptions.mrr,
        arr=subscriptions.arr,
        ltv=payments.ltv,
        plan_name=parse_text(get(names.plan), attribute_path(names.plan)),
        plan_price=parse_amount(get(names.plan_price), 1, attribute_path(names.plan_price)),
        subscription_status=_status(get(names.subscription_status), rules),
        subscription_count=subscriptions.active,
        currency=currency,
        is_delinquent=_delinquent(get(names.delinquent)),
        last_payment_amount=parse_amount(
            get(names.last_charge_amount), per_dollar, attribute_path(names.last_charge_amount)
        ),
        last_payment_date=parse_optional_timestamp(get(names.last_charge_at), attribute_path(names.last_charge_at)),
        newest_payment_amount=payments.newest,
        currencies=currencies,
        refunded=payments.refunded,
    )


def _distinct(left: tuple[str, ...], right: tuple[str, ...]) -> tuple[str, ...]:
    return left if left == right and len(left) < 2 else tuple(sorted({*left, *right}))


def _status(value: object, rules: Rules) -> str | None:
    """Return the status as spelled in the rules, matched regardless of case and surrounding space."""
    if value is None or value in rules.statuses:
        return value
    given = normalize_enum(value)
    if type(value) is str and not given:
        return None
    for status in rules.statuses:
        if status.lower() == given:
            return status
    raise InvalidRecordError(
        RejectionReason.SUBSCRIPTION_STATUS, attribute_path(rules.attributes.subscription_status), value
    )


def _delinquent(value: object) -> bool | None:
    """Convert true, false, 1, 0 and their texts in any case to a bool; anything else to None."""
    if value is None or type(value) is bool:
        return value
    if type(value) in (int, float):
        return value == 1 if value in (0, 1) else None
    return _BOOLEANS.get(normalize_enum(value))
