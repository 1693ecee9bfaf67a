"""What one active subscription is worth a month, exactly.

Stripe's price is an amount of cents per unit and interval. Adding subscriptions up belongs in `revenue`.
"""

from fractions import Fraction

from intercom_sync.domain.money import Number, exact_number
from intercom_sync.domain.rejection import RejectionError
from intercom_sync.domain.stripe_items import Item, json_object, word

# An amount of cents per interval is amount × times a year / (100 × 12) dollars a month.
MONTHLY_PARTS = 1200
_TIMES_A_YEAR = {"day": 365, "week": 52, "month": 12, "year": 1}
# In this order: the amount of a plan, its exact text where it has fractions of a cent, the same of Stripe's newer price
# object, and the flat names that workspaces use.
_AMOUNTS = ("amount", "amount_decimal", "unit_amount", "unit_amount_decimal", "plan_amount", "price")
_UNUSABLE = "active subscription without a usable price"
_NOT_A_NUMBER = "amount is not a number"


def monthly_worth(subscription: Item, count_quantity: bool, field: str) -> Number:
    """Return an active subscription's monthly worth in 1200ths of a dollar, so that ordinary sums stay whole numbers.

    The price stands under `plan` or `price`, or flat on the subscription; where it has none of these, the sum over its
    `items` counts (Stripe's form for several prices). Absent quantity and interval_count are 1.

    Raises:
        RejectionError: without an amount, with an unknown interval, an interval_count below 1, or with a quantity or an
            amount that is not a number.
    """
    plan, quantity = subscription.get("plan"), subscription.get("quantity") if count_quantity else 1
    if type(plan) is dict and (quantity is None or (type(quantity) is int and quantity >= 0)):
        worth = _plain_worth(plan)
        if worth is not None:
            return worth if quantity is None else worth * quantity
    return sum((_worth(line, count_quantity, field) for line in _lines(subscription, field)), 0)


def _plain_worth(plan: Item) -> int | None:
    """Return the monthly worth of one unit where everything stands as Stripe writes it; most prices do."""
    amount, interval, count = plan.get("amount"), plan.get("interval"), plan.get("interval_count", 1)
    if type(amount) is not int or type(interval) is not str or type(count) is not int or count != 1:
        return None
    times = _TIMES_A_YEAR.get(interval)
    return amount * times if times and exact_number(amount) is not None else None


def _lines(subscription: Item, field: str) -> list[Item]:
    """Return what carries a price each: the subscription itself or, where it carries none, its items."""
    if type(subscription.get("plan")) is dict:
        return [subscription]
    items = subscription.get("items")
    if items is None or _first(_sources(subscription), _AMOUNTS) is not None:
        return [subscription]
    lines = items.get("data") if type(items) is dict else items
    if type(lines) is list and lines and all(type(line) is dict for line in lines):
        return lines
    raise RejectionError(_UNUSABLE, f"{field}.items", items)


def _worth(line: Item, count_quantity: bool, field: str) -> Number:
    sources = _sources(line)
    amount = _first(sources, _AMOUNTS)
    times = _TIMES_A_YEAR.get(word(_first(sources, ("interval",))))
    count = _first(sources, ("interval_count",))
    if amount is None or times is None:
        raise RejectionError(_UNUSABLE, field, line)
    cents = exact_number(amount)
    if cents is None:
        raise RejectionError(_NOT_A_NUMBER, field, amount)
    if count_quantity:
        cents *= _quantity(line.get("quantity"), field)
    if count is None:
        return cents * times
    intervals = exact_number(count)
    if intervals is None or intervals < 1 or intervals.denominator != 1:
        raise RejectionError(_UNUSABLE, field, line)
    return cents * times if intervals == 1 else Fraction(cents * times, intervals)


def _quantity(value: object, field: str) -> Number:
    if value is None or value == "":
        return 1
    number = exact_number(value)
    if number is None or number < 0:
        raise RejectionError(_NOT_A_NUMBER, f"{field}.quantity", value)
    return number


def _sources(line: Item) -> tuple[Item, ...]:
    """Return where a price's fields may stand, the nearest first."""
    plan = line.get("plan")
    if type(plan) is dict and plan.get("amount") is not None and plan.get("interval") is not None:
        return plan, line
    price = line.get("price")
    found = [source for source in (json_object(plan), json_object(price)) if source is not None]
    recurring = [r for source in found if type(r := source.get("recurring")) is dict]
    return *found, *recurring, line


def _first(sources: tuple[Item, ...], names: tuple[str, ...]) -> object:
    """Return the first value that is given; objects are places to look in and blanks say nothing."""
    for source in sources:
        for name in names:
            value = source.get(name)
            if value is not None and value != "" and type(value) is not dict:
                return value
    return None
