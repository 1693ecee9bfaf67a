"""The fields of a price, wherever a subscription or one of its items carries them.

A price comes as Stripe's `plan` or `price` object, as JSON text of one, or flat beside the status. Flat names are the
nested ones joined by `_`, `.` or `__`. All of it becomes one flat object with names joined by `_`, nested values first.
"""

from itertools import product

from intercom_sync.domain.stripe_items import Item, is_blank, json_object

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
