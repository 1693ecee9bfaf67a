"""What a customer has paid: LTV, the newest payment and refunds, exactly.

Formula of the directive's payments section. The flat last charge belongs in `revenue`.
"""

from decimal import Decimal
from typing import NamedTuple

from intercom_sync.domain.money import CENTS, Number, dollars, exact_number
from intercom_sync.domain.records import usable_timestamp
from intercom_sync.domain.rejection import RejectionError
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.stripe_items import Item, attribute_path, currencies_of, find_items, word

_COUNTED = "succeeded"
_ALIASES = ("Stripe Payments", "stripe_payments")


class Paid(NamedTuple):
    """What came in, in dollars; None is unknown.

    Attributes:
        ltv: sum of the succeeded payments, gross.
        newest: the succeeded payment created last.
        refunded: refunds on succeeded payments, where given.
        currencies: their currencies, lower-case, where given.
    """

    ltv: Decimal | None = None
    newest: Decimal | None = None
    refunded: Decimal | None = None
    currencies: tuple[str, ...] = ()


_UNKNOWN = Paid()


def read_payments(attributes: Item, rules: Rules) -> Paid:
    """Add up the payments with status `succeeded`; any other status adds nothing and breaks nothing.

    Raises:
        RejectionError: for a list of the wrong shape, an amount that is not a number, or an LTV below 0.
    """
    name, items = find_items(attributes, (rules.attributes.payments, *_ALIASES))
    if items is None:
        return _UNKNOWN
    field = attribute_path(name)
    succeeded = [item for item in items if (status := item.get("status")) == _COUNTED or word(status) == _COUNTED]
    amounts = [_cents(item.get("amount"), field) for item in succeeded]
    total = sum(amounts)
    if total < 0:
        raise RejectionError("LTV is below 0", field, float(total))
    newest = _newest(succeeded, amounts)
    return Paid(
        dollars(total, CENTS, field),
        None if newest is None else dollars(newest, CENTS, field),
        _refunded(succeeded, field),
        currencies_of(succeeded),
    )


def _cents(amount: object, field: str) -> Number:
    if type(amount) is int and abs(amount) < 1 << 63:
        return amount
    number = exact_number(amount)
    if number is None:
        raise RejectionError("amount is not a number", field, amount)
    return number


def _newest(payments: list[Item], amounts: list[Number]) -> Number | None:
    """Return the amount of the payment created last; one whose time is unusable is no candidate."""
    newest, newest_at = None, 0
    for payment, amount in zip(payments, amounts, strict=True):
        created = usable_timestamp(payment.get("created"))
        if created is not None and created >= newest_at:
            newest, newest_at = amount, created
    return newest


def _refunded(payments: list[Item], field: str) -> Decimal | None:
    """Return the refunds; they only inform, so one that is no number is passed over."""
    given = [refund for payment in payments if (refund := payment.get("amount_refunded")) is not None]
    numbers = [number for refund in given if (number := exact_number(refund)) is not None]
    return dollars(sum(numbers), CENTS, field) if numbers else None
