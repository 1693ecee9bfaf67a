"""What a contact pays: MRR, ARR, LTV and the flat Stripe attributes, from its `custom_attributes`.

The flat attributes and how all of it comes together, in major units of the customer's currency. The arrays are added up
in `subscriptions` and `payments`.
"""

from decimal import Decimal
from typing import NamedTuple

from intercom_sync.domain.currencies import minor_units
from intercom_sync.domain.money import read_amount
from intercom_sync.domain.payments import read_payments
from intercom_sync.domain.records import read_optional_timestamp, read_text
from intercom_sync.domain.rejection import RejectionError
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.stripe_items import attribute_path, word
from intercom_sync.domain.subscriptions import read_subscriptions

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


def read_revenue(attributes: object, rules: Rules) -> Revenue:
    """Read the Stripe data of a contact's `custom_attributes` under the names that the rules give them.

    Absent is unknown, empty is zero: without a subscriptions array mrr, arr and subscription_count are None, with an
    array that has no active one they are 0; the same for ltv and the payments.

    Raises:
        RejectionError: where the data breaks a rule; nothing else is ever raised.
    """
    if not attributes and (attributes is None or type(attributes) is dict):
        return NO_REVENUE
    if type(attributes) is not dict:
        raise RejectionError("custom_attributes of the wrong shape", "custom_attributes", attributes)
    names = rules.attributes
    get = attributes.get
    recurring = read_subscriptions(attributes, rules)
    paid = read_payments(attributes, rules)
    currencies = _distinct(recurring.currencies, paid.currencies)
    currency = currencies[0] if len(currencies) == 1 else None
    per_dollar = minor_units(currency) if rules.last_charge_unit == "cents" else 1
    return Revenue(
        read_text(get(names.stripe_id), attribute_path(names.stripe_id)),
        recurring.mrr,
        recurring.arr,
        paid.ltv,
        read_text(get(names.plan), attribute_path(names.plan)),
        read_amount(get(names.plan_price), 1, attribute_path(names.plan_price)),
        _status(get(names.subscription_status), rules),
        recurring.active,
        currency,
        _delinquent(get(names.delinquent)),
        read_amount(get(names.last_charge_amount), per_dollar, attribute_path(names.last_charge_amount)),
        read_optional_timestamp(get(names.last_charge_at), attribute_path(names.last_charge_at)),
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
    given = word(value)
    if type(value) is str and not given:
        return None
    for status in rules.statuses:
        if status.lower() == given:
            return status
    raise RejectionError(
        "subscription status is not an allowed one", attribute_path(rules.attributes.subscription_status), value
    )


def _delinquent(value: object) -> bool | None:
    """Return true or false for true, false, 1, 0 and their texts in any case; anything else says nothing."""
    if value is None or type(value) is bool:
        return value
    if type(value) in (int, float):
        return value == 1 if value in (0, 1) else None
    return _TRUTH.get(word(value))
