"""Compute the monthly amount of a subscription from its price, in every shape that workspaces send.

A price comes as Stripe's `plan` or `price` object, as JSON text of one, or flat in the subscription. Flat names are the
nested ones joined by `_`, `.` or `__`. All become one flat object with names joined by `_`; nested values take
precedence.
"""

from collections.abc import Iterable
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

from intercom_sync.domain.parsing import InvalidRecordError, RejectionReason
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
_MAX_DEPTH = 3  # price, recurring, and one more
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
    """Flatten the fields of a line item and its price; blank values are dropped."""
    flattened: Item = {}
    _collect(line, "", _MAX_DEPTH, flattened)
    return flattened


def first_value(fields: Item, names: tuple[str, ...]) -> object:
    """Return the value of the first of the names that is present, or None."""
    return next((fields[name] for name in names if name in fields), None)


def amount_of(fields: Item) -> object:
    """Return the amount per unit, or None; a `price` field that holds an id is no amount."""
    return next((fields[name] for name in _AMOUNTS if name in fields and not _is_price_id(name, fields[name])), None)


def _collect(item: Item, prefix: str, depth: int, flattened: Item) -> None:
    flat: Item = {}
    for key, value in item.items():
        name = prefix + key.replace("__", "_").replace(".", "_")
        inner = json_object(value) if depth and name.endswith(_NESTED) else None
        if inner is not None:
            _collect(inner, f"{name}_", depth - 1, flattened)
        elif type(value) is not dict and not is_blank(value):
            flat[name] = value
    for name, value in flat.items():
        flattened.setdefault(name, value)


def _is_price_id(name: str, value: object) -> bool:
    return name.endswith("price") and type(value) is str and any(char.isalpha() or char == "_" for char in value)


MONTHLY_PARTS = 12 * PARTS
"""Divisor: amount × parts of its unit × intervals a year / MONTHLY_PARTS is the amount in major units a month."""

_TIMES_A_YEAR = {"day": 365, "week": 52, "month": 12, "year": 1}
_FAST_PATH_LIMIT = 1 << 31  # larger amounts and quantities take the general path
_MAX_INTERVAL_COUNT = 10_000  # Stripe allows three years, 1,095 days
# Fast path: most subscriptions have only these fields, and none of them changes the price.
_USUAL_SUBSCRIPTION_FIELDS = frozenset(
    {"id", "object", "status", "plan", "quantity", "current_period_start", "current_period_end", "created", "customer"}
)
_USUAL_PLAN_FIELDS = frozenset(
    {"id", "object", "amount", "interval", "interval_count", "nickname", "currency", "product", "active", "created"}
)
_USUAL_FLAT_FIELDS = _USUAL_SUBSCRIPTION_FIELDS | _USUAL_PLAN_FIELDS | {"external_id", "type", "custom_attributes"}


class MonthlyAmount(NamedTuple):
    """Represent the monthly amount of a subscription.

    Attributes:
        parts: in 1/12,000 of a major unit, so that usual sums are integers; None when unknown.
        currencies: its currencies in lower case, when given.
    """

    parts: Number | None
    currencies: tuple[str, ...] = ()


def monthly_amount(subscription: Item, count_quantity: bool, field: str) -> MonthlyAmount:
    """Return the monthly amount of an active subscription (R2.1, R2.9).

    The price is under `plan` or `price`, or flat in the subscription. With several `items` (Stripe's form for several
    prices), or without an amount of its own, it is the sum over the items. A metered price adds nothing.

    Raises:
        InvalidRecordError: when an amount has no known interval, its interval_count is below 1, or the amount or the
            quantity is not a number.
    """
    usual = _usual_amount(subscription, count_quantity)
    if usual is not None:
        return usual
    fields = price_fields(subscription)
    lines, truncated = _items(subscription.get("items"))
    if truncated:
        return MonthlyAmount(None, _currencies([fields]))
    if len(lines) > 1 or (lines and amount_of(fields) is None and not _is_metered(fields)):
        return _amount_of_items(fields, lines, count_quantity, field)
    return MonthlyAmount(_price_amount(fields, count_quantity, field), _currencies([fields]))


def _usual_amount(subscription: Item, count_quantity: bool) -> MonthlyAmount | None:
    """Return the amount when the price has exactly Stripe's usual fields, else None."""
    plan, quantity = _usual_plan(subscription), subscription.get("quantity") if count_quantity else 1
    if plan is None:
        return None
    amount, interval, count = plan.get("amount"), plan.get("interval"), plan.get("interval_count", 1)
    quantity = 1 if quantity is None else quantity
    if not (type(amount) is type(count) is type(quantity) is int and type(interval) is str):
        return None
    times = _TIMES_A_YEAR.get(interval)
    if (
        times is None
        or abs(amount) >= _FAST_PATH_LIMIT
        or not (0 <= quantity < _FAST_PATH_LIMIT and 1 <= count <= _MAX_INTERVAL_COUNT)
    ):
        return None
    code, parts = currency_unit(plan.get("currency"))
    monthly = amount * times * quantity * parts
    return MonthlyAmount(monthly if count == 1 else Fraction(monthly, count), (code,) if code else ())


def _usual_plan(subscription: Item) -> Item | None:
    """Return the object with the price, the plan or the subscription, if it has only usual fields."""
    plan = subscription.get("plan")
    if plan is None:
        return subscription if subscription.keys() <= _USUAL_FLAT_FIELDS else None
    usual = (
        type(plan) is dict and subscription.keys() <= _USUAL_SUBSCRIPTION_FIELDS and plan.keys() <= _USUAL_PLAN_FIELDS
    )
    return plan if usual else None


def _amount_of_items(subscription: Item, lines: list[Any], count_quantity: bool, field: str) -> MonthlyAmount:
    """Sum the items of a subscription; a single item defaults to the quantity of the subscription."""
    shared = ("currency", "quantity") if len(lines) == 1 else ("currency",)
    common = {name: subscription[name] for name in shared if name in subscription}
    priced = [common | price_fields(line) if type(line) is dict else {} for line in lines]
    amounts = [_price_amount(fields, count_quantity, field) for fields in priced]
    known = [item_amount for item_amount in amounts if item_amount is not None]
    return MonthlyAmount(sum(known, 0) if len(known) == len(amounts) else None, _currencies(priced))


def _items(items: object) -> tuple[list[Any], bool]:
    """Return a subscription's items, and whether the list is truncated."""
    decoded = json_value(items)
    listed = decoded.get("data") if type(decoded) is dict else decoded
    return listed if type(listed) is list else [], is_truncated(decoded)


def _price_amount(fields: Item, count_quantity: bool, field: str) -> Number | None:
    amount = amount_of(fields)
    if _is_metered(fields):
        return 0
    if amount is None:
        return None
    number, times = exact_number(amount), _TIMES_A_YEAR.get(normalize_enum(first_value(fields, INTERVAL)))
    if number is None:
        raise InvalidRecordError(RejectionReason.AMOUNT_NOT_A_NUMBER, field, amount)
    if times is None:
        raise InvalidRecordError(RejectionReason.NO_PRICE, field, fields)
    intervals = _interval_count(fields, field)
    units = _packages(_quantity(fields, field), fields) if count_quantity else 1
    if units is None:
        return None
    _, parts = currency_unit(first_value(fields, CURRENCY))
    monthly = number * units * times * parts
    return monthly if intervals == 1 else Fraction(monthly, intervals)


def _is_metered(fields: Item) -> bool:
    return normalize_enum(first_value(fields, USAGE_TYPE)) == "metered"


def _interval_count(fields: Item, field: str) -> int:
    value = first_value(fields, INTERVAL_COUNT)
    count = 1 if value is None else exact_number(value)
    if count is None or count.denominator != 1 or not 1 <= count <= _MAX_INTERVAL_COUNT:
        raise InvalidRecordError(RejectionReason.NO_PRICE, field, fields)
    return int(count)


def _quantity(fields: Item, field: str) -> Number:
    value = fields.get("quantity")
    number = 1 if value is None else exact_number(value)
    if number is None or number < 0:
        raise InvalidRecordError(RejectionReason.AMOUNT_NOT_A_NUMBER, f"{field}.quantity", value)
    return number


def _packages(quantity: Number, fields: Item) -> Number | None:
    """Divide a quantity into packages when the price is per package; None when the package size is invalid."""
    value = first_value(fields, DIVIDE_BY)
    if value is None:
        return quantity
    size, rounding = exact_number(value), normalize_enum(first_value(fields, ROUND))
    if size is None or size < 1 or rounding not in {"up", "down"}:
        return None
    return -(-quantity // size) if rounding == "up" else quantity // size


def _currencies(priced: Iterable[Item]) -> tuple[str, ...]:
    codes = (currency_unit(first_value(fields, CURRENCY))[0] for fields in priced)
    return tuple(dict.fromkeys(code for code in codes if code))
