"""What active subscriptions are worth together: MRR, ARR and their number, exactly.

Formulas of the directive's subscriptions section. The price of one subscription belongs in `prices`.
"""

from decimal import Decimal
from typing import NamedTuple

from intercom_sync.domain.money import PARTS, dollars
from intercom_sync.domain.prices import MONTHLY_PARTS, monthly_worth
from intercom_sync.domain.rejection import RejectionError
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.stripe_items import Item, attribute_path, find_items, word

_COUNTED = "active"
_ALIASES = ("Stripe Subscriptions", "stripe_subscriptions")


class Recurring(NamedTuple):
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


_UNKNOWN = Recurring()


def read_subscriptions(attributes: Item, rules: Rules) -> Recurring:
    """Add up the subscriptions with status `active`; any other status adds nothing and breaks nothing.

    Raises:
        RejectionError: for a list of the wrong shape, an active subscription with an amount that cannot be used, or an
            MRR below 0 or beyond every bound.
    """
    name, items = find_items(attributes, (rules.attributes.subscriptions, *_ALIASES))
    if items is None:
        return _UNKNOWN
    field = attribute_path(name)
    active = [item for item in items if (status := item.get("status")) == _COUNTED or word(status) == _COUNTED]
    worths = [monthly_worth(item, rules.count_quantity, field) for item in active]
    currencies = tuple(dict.fromkeys(currency for worth in worths for currency in worth.currencies))
    known = [worth.parts for worth in worths if worth.parts is not None]
    if len(known) < len(worths):
        return Recurring(None, None, len(active), currencies)
    parts = sum(known)
    mrr = dollars(parts, MONTHLY_PARTS, field)
    if parts < 0:
        raise RejectionError("MRR is below 0", field, float(mrr))
    return Recurring(mrr, dollars(parts, PARTS, field), len(active), currencies)
