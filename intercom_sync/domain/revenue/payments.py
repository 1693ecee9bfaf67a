"""What a customer has paid: LTV, the newest payment and refunds, exactly.

Formula of the directive's payments section. The flat last charge belongs in `revenue`.
"""

from decimal import Decimal
from typing import NamedTuple

from intercom_sync.domain.parsing import LAST_TIMESTAMP, InvalidRecordError
from intercom_sync.domain.revenue.money import PARTS, Number, currency_unit, dollars, exact_number
from intercom_sync.domain.revenue.stripe_attributes import Item, attribute_path, find_items, is_blank, normalize_enum
from intercom_sync.domain.rules import Rules

_COUNTED = "succeeded"
_ORDINARY = 1 << 63
_ALIASES = ("Stripe Payments", "stripe_payments")


class PaymentTotals(NamedTuple):
    """What came in, in major units; None is unknown.

    Attributes:
        ltv: sum of the succeeded payments, gross; None where an amount of them is unknown.
        newest: the succeeded payment created last.
        refunded: refunds on succeeded payments, where given.
        currencies: their currencies, lower-case, where given.
    """

    ltv: Decimal | None = None
    newest: Decimal | None = None
    refunded: Decimal | None = None
    currencies: tuple[str, ...] = ()


_UNKNOWN = PaymentTotals()


def parse_payments(attributes: Item, rules: Rules) -> PaymentTotals:
    """Add up the payments with status `succeeded`; any other status adds nothing and breaks nothing.

    Raises:
        RejectionError: for a list of the wrong shape, an amount that is not a number, or an LTV below 0 or beyond every
            bound.
    """
    name, items = find_items(attributes, (rules.attributes.payments, *_ALIASES))
    if items is None:
        return _UNKNOWN
    field = attribute_path(name)
    amounts: list[Number | None] = []
    refunds: list[Number] = []
    currencies: dict[str | None, None] = {}
    newest: Number | None = None
    newest_at = 1
    for item in items:  # one loop for all of it: most of a contact's reading time is spent here
        get = item.get
        if (status := get("status")) != _COUNTED and normalize_enum(status) != _COUNTED:
            continue
        currency, parts = currency_unit(get("currency"))
        currencies[currency] = None
        amount = _parts(get("amount"), parts, field)
        amounts.append(amount)
        created = get("created")  # a payment whose time is unusable is no candidate for the newest
        if type(created) is int and newest_at <= created <= LAST_TIMESTAMP:
            newest, newest_at = amount, created
        refund = get("amount_refunded")  # refunds only inform, so one that is not a number is passed over
        if refund is not None and (number := exact_number(refund)) is not None:
            refunds.append(number * parts)
    known = [amount for amount in amounts if amount is not None]
    total = sum(known)
    ltv = dollars(total, PARTS, field)
    if total < 0:
        raise InvalidRecordError("LTV is below 0", field, float(ltv))
    return PaymentTotals(
        ltv if len(known) == len(amounts) else None,
        None if newest is None else dollars(newest, PARTS, field),
        dollars(sum(refunds), PARTS, field) if refunds else None,
        tuple(filter(None, currencies)),
    )


def _parts(amount: object, parts: int, field: str) -> Number | None:
    if type(amount) is int and abs(amount) < _ORDINARY:
        return amount * parts
    if is_blank(amount):
        return None
    number = exact_number(amount)
    if number is None:
        raise InvalidRecordError("amount is not a number", field, amount)
    return number * parts
