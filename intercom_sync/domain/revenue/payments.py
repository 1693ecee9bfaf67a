"""What a customer has paid: LTV, the newest payment and refunds, exactly.

Formula of the directive's payments section. The flat last charge belongs in `revenue`.
"""

from decimal import Decimal
from typing import NamedTuple

from intercom_sync.domain.parsing import InvalidRecordError, usable_timestamp
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
    succeeded = [
        item for item in items if (status := item.get("status")) == _COUNTED or normalize_enum(status) == _COUNTED
    ]
    units = [currency_unit(item.get("currency")) for item in succeeded]
    amounts = [_parts(item.get("amount"), parts, field) for item, (_, parts) in zip(succeeded, units, strict=True)]
    known = [amount for amount in amounts if amount is not None]
    total = sum(known)
    ltv = dollars(total, PARTS, field)
    if total < 0:
        raise InvalidRecordError("LTV is below 0", field, float(ltv))
    newest = _newest(succeeded, amounts)
    return PaymentTotals(
        ltv if len(known) == len(amounts) else None,
        None if newest is None else dollars(newest, PARTS, field),
        _refunded(succeeded, units, field),
        tuple(dict.fromkeys(currency for currency, _ in units if currency)),
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


def _newest(payments: list[Item], amounts: list[Number | None]) -> Number | None:
    """Return the amount of the payment created last; one whose time is unusable is no candidate."""
    newest, newest_at = None, 0
    for payment, amount in zip(payments, amounts, strict=True):
        created = usable_timestamp(payment.get("created"))
        if created is not None and created >= newest_at:
            newest, newest_at = amount, created
    return newest


def _refunded(payments: list[Item], units: list[tuple[str | None, int]], field: str) -> Decimal | None:
    """Return the refunds; they only inform, so one that is not a number is passed over."""
    numbers = [exact_number(payment.get("amount_refunded")) for payment in payments]
    known = [number * parts for number, (_, parts) in zip(numbers, units, strict=True) if number is not None]
    return dollars(sum(known), PARTS, field) if known else None
