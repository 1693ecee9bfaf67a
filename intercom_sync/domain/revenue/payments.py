"""Sum a contact's payments: LTV, the newest payment and refunds (R2.3)."""

from decimal import Decimal
from typing import NamedTuple

from intercom_sync.domain.parsing import LAST_TIMESTAMP, InvalidRecordError, RejectionReason
from intercom_sync.domain.revenue.money import PARTS, Number, currency_unit, dollars, exact_number
from intercom_sync.domain.revenue.stripe_attributes import Item, attribute_path, find_items, is_blank, normalize_enum
from intercom_sync.domain.rules import Rules

_COUNTED = "succeeded"
_FAST_PATH_LIMIT = 1 << 63
_ALIASES = ("Stripe Payments", "stripe_payments")


class PaymentTotals(NamedTuple):
    """Hold the totals of the succeeded payments, in major units; None is unknown.

    Attributes:
        ltv: gross sum; None when one of the amounts is unknown.
        newest: amount of the payment created last.
        refunded: refunds, when given.
        currencies: currencies of the payments, lower-case, when given.
    """

    ltv: Decimal | None = None
    newest: Decimal | None = None
    refunded: Decimal | None = None
    currencies: tuple[str, ...] = ()


_UNKNOWN = PaymentTotals()


def parse_payments(attributes: Item, rules: Rules) -> PaymentTotals:
    """Sum the payments with status `succeeded`; those with other statuses are ignored, valid or not.

    Raises:
        InvalidRecordError: for a list of the wrong shape, an amount that is not a number, or an LTV that is below 0 or
            too large.
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
    for item in items:  # a single loop, because parsing a contact spends most of its time here
        get = item.get
        if (status := get("status")) != _COUNTED and normalize_enum(status) != _COUNTED:
            continue
        currency, parts = currency_unit(get("currency"))
        currencies[currency] = None
        amount = _parts(get("amount"), parts, field)
        amounts.append(amount)
        created = get("created")  # payments without a valid time cannot be the newest
        if type(created) is int and newest_at <= created <= LAST_TIMESTAMP:
            newest, newest_at = amount, created
        refund = get("amount_refunded")  # refunds are informational, so invalid ones are ignored
        if refund is not None and (number := exact_number(refund)) is not None:
            refunds.append(number * parts)
    known = [amount for amount in amounts if amount is not None]
    total = sum(known)
    ltv = dollars(total, PARTS, field)
    if total < 0:
        raise InvalidRecordError(RejectionReason.NEGATIVE_LTV, field, float(ltv))
    return PaymentTotals(
        ltv if len(known) == len(amounts) else None,
        None if newest is None else dollars(newest, PARTS, field),
        dollars(sum(refunds), PARTS, field) if refunds else None,
        tuple(filter(None, currencies)),
    )


def _parts(amount: object, parts: int, field: str) -> Number | None:
    if type(amount) is int and abs(amount) < _FAST_PATH_LIMIT:
        return amount * parts
    if is_blank(amount):
        return None
    number = exact_number(amount)
    if number is None:
        raise InvalidRecordError(RejectionReason.AMOUNT_NOT_A_NUMBER, field, amount)
    return number * parts
