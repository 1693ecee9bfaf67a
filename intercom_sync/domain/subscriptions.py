"""What active subscriptions are worth together: MRR, ARR and their number, exactly.

Formulas of the directive's subscriptions section. The price of one subscription belongs in `prices`.
"""

from decimal import Decimal
from typing import NamedTuple

from intercom_sync.domain.money import CENTS, Number, dollars
from intercom_sync.domain.prices import MONTHLY_PARTS, monthly_worth
from intercom_sync.domain.rejection import RejectionError
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.stripe_items import Item, attribute_path, currencies_of, find_items, word

_COUNTED = "active"
_ALIASES = ("Stripe Subscriptions", "stripe_subscriptions")


class Recurring(NamedTuple):
    """What comes in every month, in dollars; None is unknown.

    Attributes:
        mrr: sum of the active subscriptions' monthly worth.
        arr: the exact MRR × 12.
        active: number of active subscriptions.
        currencies: their currencies, lower-case, where given.
    """

    mrr: Decimal | None = None
    arr: Decimal | None = None
    active: int | None = None
    currencies: tuple[str, ...] = ()


_UNKNOWN = Recurring()


def read_subscriptions(attributes: Item, rules: Rules) -> Recurring:
    """Add up the subscriptions with status `active`; any other status adds nothing and breaks nothing.

    Raises:
        RejectionError: for a list of the wrong shape, an active subscription without a usable price, or an MRR below 0.
    """
    name, items = find_items(attributes, (rules.attributes.subscriptions, *_ALIASES))
    if items is None:
        return _UNKNOWN
    field = attribute_path(name)
    active = [item for item in items if (status := item.get("status")) == _COUNTED or word(status) == _COUNTED]
    parts: Number = 0
    for item in active:
        parts += monthly_worth(item, rules.count_quantity, field)
    if parts < 0:
        raise RejectionError("MRR is below 0", field, float(parts / MONTHLY_PARTS))
    arr = dollars(parts, CENTS, field)
    return Recurring(dollars(parts, MONTHLY_PARTS, field), arr, len(active), currencies_of(active))
