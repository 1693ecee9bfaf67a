"""Extract Stripe's subscriptions and payments from custom attributes, in every known shape, as plain objects.

Intercom has no attribute type for lists of objects, so workspaces send lists, references to custom objects, Stripe's
own list objects, or any of these as JSON text.
"""

import json
from functools import lru_cache
from typing import Any

import orjson

from intercom_sync.domain.parsing import InvalidRecordError, RejectionReason, clean_text

Item = dict[str, Any]

_LIST_KEYS = ("instances", "data", "items")
_ONLY_DICT = frozenset({dict})


def find_items(attributes: dict[str, Any], names: tuple[str, ...]) -> tuple[str, list[Item] | None]:
    """Return the first of `names` that has usable items, and these items; None instead of items when none has.

    Items without any status (Intercom's bare references to custom objects) are unusable, and so is a truncated list,
    because its total is unknown.

    Raises:
        InvalidRecordError: when an attribute is something other than a list of objects.
    """
    for name in names:
        value = attributes.get(name)
        if value is not None and (found := _listed(value, name)) is not None:
            items = [item if "custom_attributes" not in item else _flattened(item, name) for item in found]
            # The first item has a status as a rule, which is seen sooner than any() starts.
            if not items or not is_blank(items[0].get("status")) or any(not is_blank(it.get("status")) for it in items):
                return name, items
    return names[0], None


def is_blank(value: object) -> bool:
    """Return whether a value is null or a text of white space only."""
    return value is None or (type(value) is str and (not value or value.isspace()))


def is_truncated(value: object) -> bool:
    """Return whether a list object states that it has more items than it contains."""
    return type(value) is dict and (value.get("has_more") is True or normalize_enum(value.get("has_more")) == "true")


def json_value(value: object) -> object:
    """Return the value, decoded when it is JSON text; None for any other text."""
    if type(value) is not str:
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return None


def json_object(value: object) -> Item | None:
    """Return the object, decoded when it is JSON text; None for anything else."""
    if type(value) is str and not value.lstrip().startswith("{"):
        return None
    found = json_value(value)
    return found if type(found) is dict else None


def normalize_enum(value: object) -> str:
    """Return an enum value of Stripe trimmed and in lower case; "" for anything but text."""
    return clean_text(value).strip().lower() if type(value) is str else ""


@lru_cache(maxsize=64)
def attribute_path(name: str) -> str:
    """Return the path of an attribute in `rejected_records`."""
    return f"custom_attributes.{name}"


def _listed(value: object, name: str) -> list[Item] | None:
    """Unwrap a list from any of its shapes; None for null and blank, which mean unknown."""
    given = value
    if type(value) is str:
        if not value.strip():
            return None
        value = _decoded(value, name)
    if type(value) is dict:
        value = None if is_truncated(value) else _unwrapped(value, name)
    if value is None:
        return None
    if type(value) is not list or not _ONLY_DICT.issuperset(map(type, value)):
        raise InvalidRecordError(RejectionReason.LIST_SHAPE, attribute_path(name), given)
    return value


def _decoded(text: str, name: str) -> object:
    try:
        return orjson.loads(text)
    except ValueError:
        pass
    try:  # the standard library accepts lone surrogates, which `clean_text` removes
        return json.loads(clean_text(text))
    except (ValueError, RecursionError):
        raise InvalidRecordError(RejectionReason.LIST_SHAPE, attribute_path(name), text) from None


def _unwrapped(value: Item, name: str) -> object:
    present = [key for key in _LIST_KEYS if key in value]
    if not present:
        raise InvalidRecordError(RejectionReason.LIST_SHAPE, attribute_path(name), value)
    return next((value[key] for key in present if value[key] is not None), None)


def _flattened(item: Item, name: str) -> Item:
    """Merge a custom object's own fields over those of its envelope."""
    fields = item["custom_attributes"]
    if fields is None:
        return item
    if type(fields) is not dict:
        raise InvalidRecordError(RejectionReason.LIST_SHAPE, attribute_path(name), item)
    return {**item, **fields}
