"""How Stripe's subscriptions and payments lie in a contact's custom attributes: every known shape, as plain objects.

Intercom has no attribute that is an array of objects, so workspaces send lists, references to custom objects, Stripe's
own list objects, or any of these as JSON text. What the items are worth belongs in `revenue`.
"""

import json
from functools import lru_cache
from typing import Any

import orjson

from intercom_sync.domain.records import clean_text
from intercom_sync.domain.rejection import RejectionError

Item = dict[str, Any]

_LIST_KEYS = ("instances", "data", "items")


def find_items(attributes: dict[str, Any], names: tuple[str, ...]) -> tuple[str, list[Item] | None]:
    """Return the field and the items under the first of `names` that says something; None items where none does.

    Raises:
        RejectionError: where it holds something other than a list of objects.
    """
    for name in names:
        value = attributes.get(name)
        if value is not None and (items := _listed(value, name)) is not None:
            return name, [item if "custom_attributes" not in item else _flattened(item, name) for item in items]
    return names[0], None


def json_object(value: object) -> Item | None:
    """Return the object itself, or the one that the JSON text says; None for anything else."""
    if type(value) is str:
        try:
            value = orjson.loads(value)
        except ValueError:
            return None
    return value if type(value) is dict else None


def word(value: object) -> str:
    """Return one of Stripe's words without surrounding space, in lower case; "" for anything but text."""
    return clean_text(value).strip().lower() if type(value) is str else ""


def currencies_of(items: list[Item]) -> tuple[str, ...]:
    """Return the distinct currencies of subscriptions or payments, lower-case, where given."""
    found: tuple[str, ...] = ()
    for item in items:
        plan = item.get("plan")
        given = item.get("currency") or (plan.get("currency") if type(plan) is dict else None)
        if given and (currency := word(given)) and currency not in found:
            found = (*found, currency)
    return found


@lru_cache(maxsize=64)
def attribute_path(name: str) -> str:
    """Return the path by which a rejection names an attribute."""
    return f"custom_attributes.{name}"


def _listed(value: object, name: str) -> list[Item] | None:
    """Return the list in any of its wrappings; None for null and blank, which mean unknown."""
    given = value
    if type(value) is str:
        if not value.strip():
            return None
        value = _decoded(value, name)
    if type(value) is dict:
        value = _unwrapped(value, name)
    if value is None:
        return None
    if type(value) is not list or not all(type(item) is dict for item in value):
        raise RejectionError("list of the wrong shape", attribute_path(name), given)
    return value


def _decoded(text: str, name: str) -> object:
    try:
        return orjson.loads(text)
    except ValueError:
        pass
    try:  # the standard library reads broken surrogates, which are cleaned and no reason to reject
        return json.loads(clean_text(text))
    except (ValueError, RecursionError):
        raise RejectionError("list of the wrong shape", attribute_path(name), text) from None


def _unwrapped(value: Item, name: str) -> object:
    present = [key for key in _LIST_KEYS if key in value]
    if not present:
        raise RejectionError("list of the wrong shape", attribute_path(name), value)
    return next((value[key] for key in present if value[key] is not None), None)


def _flattened(item: Item, name: str) -> Item:
    """Return a custom object's own fields over those of its envelope."""
    fields = item["custom_attributes"]
    if fields is None:
        return item
    if type(fields) is not dict:
        raise RejectionError("list of the wrong shape", attribute_path(name), item)
    return {**item, **fields}
