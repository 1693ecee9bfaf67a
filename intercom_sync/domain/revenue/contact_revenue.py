"""What active subscriptions are worth together: MRR, ARR and their number, exactly.

Formulas of the directive's subscriptions section. The price of one subscription belongs in `prices`.
"""

from decimal import Decimal
from typing import NamedTuple

from intercom_sync.domain.parsing import InvalidRecordError, parse_optional_timestamp, parse_text
from intercom_sync.domain.revenue.money import PARTS, Number, dollars, minor_units, parse_amount
from intercom_sync.domain.revenue.payments import parse_payments
from intercom_sync.domain.revenue.prices import MONTHLY_PARTS, monthly_amount
from intercom_sync.domain.revenue.stripe_attributes import Item, attribute_path, find_items, normalize_enum
from intercom_sync.domain.rules import Rules

_COUNTED = "active"
_ALIASES = ("Stripe Subscriptions", "stripe_subscriptions")


class SubscriptionTotals(NamedTuple):
    """What comes in every month, in major units; None is unknown.

    Attributes:
        mrr: sum of the active subscriptions' monthly worth; None where that of one of them is unknown.
        arr: the exact MRR × 12.
        active: number of active subscriptions.
        currencies: their currencies, lower-case, where given.
    """

    mrr: Decimal | None = None
    arr: Decimal | None = None
    active: int | None = None
    currencies: tuple[str, ...] = ()


_UNKNOWN = SubscriptionTotals()


def parse_subscriptions(attributes: Item, rules: Rules) -> SubscriptionTotals:
    """Add up the subscriptions with status `active`; any other status adds nothing and breaks nothing.

    Raises:
        RejectionError: for a list of the wrong shape, an active subscription with an amount that cannot be used, or an
            MRR below 0 or beyond every bound.
    """
    name, items = find_items(attributes, (rules.attributes.subscriptions, *_ALIASES))
    if items is None:
        return _UNKNOWN
    field = attribute_path(name)
    worths: list[Number | None] = []
    currencies: dict[str, None] = {}
    for item in items:
        if (status := item.get("status")) == _COUNTED or normalize_enum(status) == _COUNTED:
            worth, named = monthly_amount(item, rules.count_quantity, field)
            worths.append(worth)
            currencies |= dict.fromkeys(named)
    known = [worth for worth in worths if worth is not None]
    if len(known) < len(worths):
        return SubscriptionTotals(None, None, len(worths), tuple(currencies))
    parts = sum(known)
    mrr = dollars(parts, MONTHLY_PARTS, field)
    if parts < 0:
        raise InvalidRecordError("MRR is below 0", field, float(mrr))
    return SubscriptionTotals(mrr, dollars(parts, PARTS, field), len(worths), tuple(currencies))


_TRUTH = {"true": True, "1": True, "false": False, "0": False}


class Revenue(NamedTuple):
    """What a contact pays, in major units ("dollars") with six decimals; None is unknown, zero is zero.

    Attributes:
        stripe_customer_id: Stripe's customer id.
        mrr: monthly recurring revenue of the active subscriptions.
        arr: the exact MRR × 12.
        ltv: sum of the succeeded payments, gross.
        plan_name: name of the plan.
        plan_price: price of the plan, as Intercom holds it.
        subscription_status: one of the allowed statuses.
        subscription_count: number of active subscriptions.
        currency: the one currency of what counts; None where none is given or several are mixed.
        is_delinquent: whether a payment is overdue.
        last_payment_amount: the flat last charge.
        last_payment_date: UNIX seconds of the last charge.
        newest_payment_amount: the newest succeeded payment, to compare the flat one with.
        currencies: lower-case currencies of what counts, sorted, where given.
        refunded: refunds on succeeded payments, where given; they do not lower the LTV.
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
    """Read the Stripe data of a contact's `custom_attributes` under the names that the rules give them.

    Absent is unknown, empty is zero: without a subscriptions array mrr, arr and subscription_count are None, with an
    array that has no active one they are 0; the same for ltv and the payments.

    Raises:
        RejectionError: where the data breaks a rule; nothing else is ever raised.
    """
    if not attributes and (attributes is None or type(attributes) is dict):
        return NO_REVENUE
    if type(attributes) is not dict:
        raise InvalidRecordError("custom_attributes of the wrong shape", "custom_attributes", attributes)
    names = rules.attributes
    get = attributes.get
    recurring = parse_subscriptions(attributes, rules)
    paid = parse_payments(attributes, rules)
    currencies = _distinct(recurring.currencies, paid.currencies)
    currency = currencies[0] if len(currencies) == 1 else None
    per_dollar = minor_units(currency) if rules.last_charge_unit == "cents" else 1
    return Revenue(
        parse_text(get(names.stripe_id), attribute_path(names.stripe_id)),
        recurring.mrr,
        recurring.arr,
        paid.ltv,
        parse_text(get(names.plan), attribute_path(names.plan)),
        parse_amount(get(names.plan_price), 1, attribute_path(names.plan_price)),
        _status(get(names.subscription_status), rules),
        recurring.active,
        currency,
        _delinquent(get(names.delinquent)),
        parse_amount(get(names.last_charge_amount), per_dollar, attribute_path(names.last_charge_amount)),
        parse_optional_timestamp(get(names.last_charge_at), attribute_path(names.last_charge_at)),
        paid.newest,
        currencies,
        paid.refunded,
    )


def _distinct(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return some if some == others and len(some) < 2 else tuple(sorted({*some, *others}))


def _status(value: object, rules: Rules) -> str | None:
    """Return the status in the spelling of the rules; space around it and its case do not matter."""
    if value is None or value in rules.statuses:
        return value
    given = normalize_enum(value)
    if type(value) is str and not given:
        return None
    for status in rules.statuses:
        if status.lower() == given:
            return status
    raise InvalidRecordError(
        "subscription status is not an allowed one", attribute_path(rules.attributes.subscription_status), value
    )


def _delinquent(value: object) -> bool | None:
    """Return true or false for true, false, 1, 0 and their texts in any case; anything else says nothing."""
    if value is None or type(value) is bool:
        return value
    if type(value) in (int, float):
        return value == 1 if value in (0, 1) else None
    return _TRUTH.get(normalize_enum(value))
