"""The fields of a price, wherever a subscription or one of its items carries them.

A price comes as Stripe's `plan` or `price` object, as JSON text of one, or flat beside the status. Flat names are the
nested ones joined by `_`, `.` or `__`. All of it becomes one flat object with names joined by `_`, nested values first.
"""

from collections.abc import Iterable
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

from intercom_sync.domain.parsing import InvalidRecordError
from intercom_sync.domain.revenue.money import PARTS, Number, currency_unit, exact_number
from intercom_sync.domain.revenue.stripe_attributes import (
    Item,
    is_blank,
    is_truncated,
    json_object,
    json_value,
    normalize_enum,
)

_NESTED = ("plan", "price", "recurring", "transform_usage", "transform_quantity")
_DEEPEST = 3  # price, recurring, and one more
_PRICES = ("plan_", "price_", "")
_AMOUNT_NAMES = ("amount", "amount_decimal", "unit_amount", "unit_amount_decimal", "price")
_AMOUNTS = tuple(map("".join, product(_PRICES, _AMOUNT_NAMES)))
_PERIODS = ("plan_", "price_recurring_", "plan_recurring_", "price_", "recurring_", "")
INTERVAL = tuple(f"{prefix}interval" for prefix in _PERIODS)
INTERVAL_COUNT = tuple(f"{prefix}interval_count" for prefix in _PERIODS)
USAGE_TYPE = tuple(f"{prefix}usage_type" for prefix in _PERIODS)
CURRENCY = tuple(f"{prefix}currency" for prefix in _PRICES)
_PACKAGES = tuple(map("".join, product(_PRICES, ("transform_usage_", "transform_quantity_"))))
DIVIDE_BY = tuple(f"{prefix}divide_by" for prefix in _PACKAGES)
ROUND = tuple(f"{prefix}round" for prefix in _PACKAGES)


def price_fields(line: Item) -> Item:
    """Return every field of a line and of the price in it under one name each; blank values say nothing."""
    found: Item = {}
    _collect(line, "", _DEEPEST, found)
    return found


def given(fields: Item, names: tuple[str, ...]) -> object:
    """Return the value under the first of the names that has one, or None."""
    return next((fields[name] for name in names if name in fields), None)


def amount_of(fields: Item) -> object:
    """Return the amount per unit, or None where there is none; the id of a price is no amount."""
    return next((fields[name] for name in _AMOUNTS if name in fields and not _is_price_id(name, fields[name])), None)


def _collect(item: Item, prefix: str, depth: int, found: Item) -> None:
    flat: Item = {}
    for key, value in item.items():
        name = prefix + key.replace("__", "_").replace(".", "_")
        inner = json_object(value) if depth and name.endswith(_NESTED) else None
        if inner is not None:
            _collect(inner, f"{name}_", depth - 1, found)
        elif type(value) is not dict and not is_blank(value):
            flat[name] = value
    for name, value in flat.items():
        found.setdefault(name, value)


def _is_price_id(name: str, value: object) -> bool:
    return name.endswith("price") and type(value) is str and any(char.isalpha() or char == "_" for char in value)


MONTHLY_PARTS = 12 * PARTS
"""An amount per interval is amount × parts of its unit × times a year / MONTHLY_PARTS major units a month."""

_TIMES_A_YEAR = {"day": 365, "week": 52, "month": 12, "year": 1}
_ORDINARY = 1 << 31  # amounts and quantities beyond it are judged with care
_LONGEST_COUNT = 10_000  # Stripe allows three years, 1,095 days
_UNUSABLE = "active subscription without a usable price"
_NOT_A_NUMBER = "amount is not a number"
# With these fields alone nothing else can bear on the price, and most subscriptions have no others.
_PLAIN_SUBSCRIPTION = frozenset(
    {"id", "object", "status", "plan", "quantity", "current_period_start", "current_period_end", "created", "customer"}
)
_PLAIN_PLAN = frozenset(
    {"id", "object", "amount", "interval", "interval_count", "nickname", "currency", "product", "active", "created"}
)
_PLAIN_FLAT = _PLAIN_SUBSCRIPTION | _PLAIN_PLAN | {"external_id", "type", "custom_attributes"}


class Worth(NamedTuple):
    """What a subscription is worth a month.

    Attributes:
        parts: in 12,000ths of a major unit, so that ordinary sums stay whole numbers; None where it cannot be known.
        currencies: its currencies in lower case, where given.
    """

    parts: Number | None
    currencies: tuple[str, ...] = ()


def monthly_amount(subscription: Item, count_quantity: bool, field: str) -> Worth:
    """Return an active subscription's monthly worth.

    The price is under `plan` or `price`, or flat on the subscription. Where it has several `items` (Stripe's form for
    several prices), or no amount of its own, the sum over its items counts. A metered price adds nothing.

    Raises:
        RejectionError: where an amount is known and its interval is not, its interval_count is below 1, or the amount
            or the quantity is not a number.
    """
    plain = _plain_worth(subscription, count_quantity)
    if plain is not None:
        return plain
    fields = price_fields(subscription)
    lines, truncated = _items(subscription.get("items"))
    if truncated:
        return Worth(None, _currencies([fields]))
    if len(lines) > 1 or (lines and amount_of(fields) is None and not _is_metered(fields)):
        return _worth_of_items(fields, lines, count_quantity, field)
    return Worth(_worth(fields, count_quantity, field), _currencies([fields]))


def _plain_worth(subscription: Item, count_quantity: bool) -> Worth | None:
    """Return the worth where the price has everything as Stripe writes it, and nothing else bears on the price."""
    plan, quantity = _plain_plan(subscription), subscription.get("quantity") if count_quantity else 1
    if plan is None:
        return None
    amount, interval, count = plan.get("amount"), plan.get("interval"), plan.get("interval_count", 1)
    quantity = 1 if quantity is None else quantity
    if not (type(amount) is type(count) is type(quantity) is int and type(interval) is str):
        return None
    times = _TIMES_A_YEAR.get(interval)
    if times is None or abs(amount) >= _ORDINARY or not (0 <= quantity < _ORDINARY and 1 <= count <= _LONGEST_COUNT):
        return None
    code, parts = currency_unit(plan.get("currency"))
    worth = amount * times * quantity * parts
    return Worth(worth if count == 1 else Fraction(worth, count), (code,) if code else ())


def _plain_plan(subscription: Item) -> Item | None:
    """Return the object with the price's fields, the plan or the subscription itself, where it has plain ones alone."""
    plan = subscription.get("plan")
    if plan is None:
        return subscription if subscription.keys() <= _PLAIN_FLAT else None
    plain = type(plan) is dict and subscription.keys() <= _PLAIN_SUBSCRIPTION and plan.keys() <= _PLAIN_PLAN
    return plan if plain else None


def _worth_of_items(subscription: Item, lines: list[Any], count_quantity: bool, field: str) -> Worth:
    """Return the sum over a subscription's items; a single one has the subscription's quantity where it has none."""
    shared = ("currency", "quantity") if len(lines) == 1 else ("currency",)
    common = {name: subscription[name] for name in shared if name in subscription}
    priced = [common | price_fields(line) if type(line) is dict else {} for line in lines]
    worths = [_worth(fields, count_quantity, field) for fields in priced]
    known = [worth for worth in worths if worth is not None]
    return Worth(sum(known, 0) if len(known) == len(worths) else None, _currencies(priced))


def _items(items: object) -> tuple[list[Any], bool]:
    """Return a subscription's items, and whether Stripe holds more of them than it sent."""
    found = json_value(items)
    listed = found.get("data") if type(found) is dict else found
    return listed if type(listed) is list else [], is_truncated(found)


def _worth(fields: Item, count_quantity: bool, field: str) -> Number | None:
    amount = amount_of(fields)
    if _is_metered(fields):
        return 0
    if amount is None:
        return None
    number, times = exact_number(amount), _TIMES_A_YEAR.get(normalize_enum(given(fields, INTERVAL)))
    if number is None:
        raise InvalidRecordError(_NOT_A_NUMBER, field, amount)
    if times is None:
        raise InvalidRecordError(_UNUSABLE, field, fields)
    intervals = _interval_count(fields, field)
    units = _packages(_quantity(fields, field), fields) if count_quantity else 1
    if units is None:
        return None
    _, parts = currency_unit(given(fields, CURRENCY))
    worth = number * units * times * parts
    return worth if intervals == 1 else Fraction(worth, intervals)


def _is_metered(fields: Item) -> bool:
    return normalize_enum(given(fields, USAGE_TYPE)) == "metered"


def _interval_count(fields: Item, field: str) -> int:
    value = given(fields, INTERVAL_COUNT)
    count = 1 if value is None else exact_number(value)
    if count is None or count.denominator != 1 or not 1 <= count <= _LONGEST_COUNT:
        raise InvalidRecordError(_UNUSABLE, field, fields)
    return int(count)


def _quantity(fields: Item, field: str) -> Number:
    value = fields.get("quantity")
    number = 1 if value is None else exact_number(value)
    if number is None or number < 0:
        raise InvalidRecordError(_NOT_A_NUMBER, f"{field}.quantity", value)
    return number


def _packages(quantity: Number, fields: Item) -> Number | None:
    """Return how many packages a quantity takes where the price is per package; None where that cannot be known."""
    value = given(fields, DIVIDE_BY)
    if value is None:
        return quantity
    size, rounding = exact_number(value), normalize_enum(given(fields, ROUND))
    if size is None or size < 1 or rounding not in {"up", "down"}:
        return None
    return -(-quantity // size) if rounding == "up" else quantity // size


def _currencies(priced: Iterable[Item]) -> tuple[str, ...]:
    codes = (currency_unit(given(fields, CURRENCY))[0] for fields in priced)
    return tuple(dict.fromkeys(code for code in codes if code))
