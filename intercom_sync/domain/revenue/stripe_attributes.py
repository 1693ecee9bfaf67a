"""How Stripe's subscriptions and payments lie in a contact's custom attributes: every known shape, as plain objects.

Intercom has no attribute that is an array of objects, so workspaces send lists, references to custom objects, Stripe's
own list objects, or any of these as JSON text. What the items are worth belongs in `revenue`.
"""

import json
from functools import lru_cache
from typing import Any

import orjson

from intercom_sync.domain.parsing import InvalidRecordError, clean_text

Item = dict[str, Any]

_LIST_KEYS = ("instances", "data", "items")
_ONLY_DICT = frozenset({dict})


def find_items(attributes: dict[str, Any], names: tuple[str, ...]) -> tuple[str, list[Item] | None]:
    """Return the field and the items under the first of `names` that says something; None items where none does.

    Items without any status (Intercom's bare references to custom objects) say nothing, and neither does a list of
    which Intercom or Stripe sent a part only: what the rest is worth is unknown.

    Raises:
        RejectionError: where it holds something other than a list of objects.
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
    """Return whether a value says nothing: null, or text without a visible character."""
    return value is None or (type(value) is str and (not value or value.isspace()))


def is_truncated(value: object) -> bool:
    """Return whether a list object says that there are more items than it holds."""
    return type(value) is dict and (value.get("has_more") is True or normalize_enum(value.get("has_more")) == "true")


def json_value(value: object) -> object:
    """Return the value itself, or what it says where it is JSON text; None where it is other text."""
    if type(value) is not str:
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return None


def json_object(value: object) -> Item | None:
    """Return the object itself, or the one that the JSON text says; None for anything else."""
    if type(value) is str and not value.lstrip().startswith("{"):
        return None
    found = json_value(value)
    return found if type(found) is dict else None


def normalize_enum(value: object) -> str:
    """Return one of Stripe's words without surrounding space, in lower case; "" for anything but text."""
    return clean_text(value).strip().lower() if type(value) is str else ""


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
        value = None if is_truncated(value) else _unwrapped(value, name)
    if value is None:
        return None
    if type(value) is not list or not _ONLY_DICT.issuperset(map(type, value)):
        raise InvalidRecordError("list of the wrong shape", attribute_path(name), given)
    return value


def _decoded(text: str, name: str) -> object:
    try:
        return orjson.loads(text)
    except ValueError:
        pass
    try:  # the standard library reads broken surrogates, which are cleaned and no reason to reject
        return json.loads(clean_text(text))
    except (ValueError, RecursionError):
        raise InvalidRecordError("list of the wrong shape", attribute_path(name), text) from None


def _unwrapped(value: Item, name: str) -> object:
    present = [key for key in _LIST_KEYS if key in value]
    if not present:
        raise InvalidRecordError("list of the wrong shape", attribute_path(name), value)
    return next((value[key] for key in present if value[key] is not None), None)


def _flattened(item: Item, name: str) -> Item:
    """Return a custom object's own fields over those of its envelope."""
    fields = item["custom_attributes"]
    if fields is None:
        return item
    if type(fields) is not dict:
        raise InvalidRecordError("list of the wrong shape", attribute_path(name), item)
    return {**item, **fields}
