"""Hypothesis strategies for records with values of the wrong type, and for JSON that is not a record."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from intercom_sync_tests.model.words import BAD_TIMES

Json = dict[str, Any]
Way = tuple[str, ...]

_odd_texts = st.sampled_from(
    ["", " ", "\0", "a\0b", "\ud800", "NaN", "1e999", "[", "{}", "null", "<p>cancel", "x" * 3000]
)
_odd_numbers = st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**40, -0.0, 1e308, 1e-300, 0.1, 4e9])
_scalars = st.one_of(
    st.none(), st.booleans(), _odd_numbers, _odd_texts, st.sampled_from(BAD_TIMES), st.text(max_size=5)
)
_names = st.sampled_from(
    ["id", "type", "data", "items", "instances", "contacts", "custom_attributes", "plan", "price", "amount", "status",
     "interval", "quantity", "conversation_parts", "author", "body", "created_at", "rating", "contact", "country"]
)  # fmt: skip
anything = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_names, inner, max_size=3)),
    max_leaves=6,
)
_items = st.lists(
    st.fixed_dictionaries(
        {"status": st.sampled_from(["active", "succeeded", "canceled", None, 1])},
        optional={"plan": anything, "amount": anything, "quantity": anything, "price": anything, "created": anything},
    ),
    max_size=3,
)

CONTACT_WAYS: tuple[Way, ...] = (
    *((name,) for name in (
        "id", "email", "name", "role", "external_id", "created_at", "updated_at", "last_seen_at", "location",
        "custom_attributes", "type", "tags",
    )),
    ("location", "country"), ("location", "city"),
    *(("custom_attributes", name) for name in (
        "stripe_id", "stripe_plan", "stripe_plan_price", "stripe_subscription_status", "stripe_delinquent",
        "stripe_last_charge_amount", "stripe_last_charge_at", "Stripe Subscriptions", "Stripe Payments",
        "stripe_subscriptions", "stripe_payments",
    )),
)  # fmt: skip
TALK_WAYS: tuple[Way, ...] = (
    *((name,) for name in (
        "id", "created_at", "updated_at", "open", "state", "contacts", "source", "statistics", "conversation_rating",
        "conversation_parts", "first_contact_reply",
    )),
    ("contacts", "contacts"), ("source", "body"), ("source", "author"), ("statistics", "last_contact_reply_at"),
    ("statistics", "count_conversation_parts"), ("conversation_rating", "rating"), ("conversation_rating", "contact"),
    ("conversation_parts", "conversation_parts"), ("conversation_parts", "total_count"),
)  # fmt: skip


def without(record: Json, way: Way) -> Json:
    """Return the record without the value at the path."""
    return _changed(record, way, lambda inner: inner.pop(way[-1], None))


def replaced(record: Json, way: Way, value: Any) -> Json:
    """Return the record with another value at the path."""
    return _changed(record, way, lambda inner: inner.__setitem__(way[-1], value))


def _changed(record: Json, way: Way, change: Callable[[Json], object]) -> Json:
    made = dict(record)
    inner = made
    for name in way[:-1]:
        inner[name] = dict(inner.get(name) or {})
        inner = inner[name]
    change(inner)
    return made


def misshapen(ways: tuple[Way, ...]) -> st.SearchStrategy[Callable[[Json], Any]]:
    """Return a function that puts up to three values of the wrong type into a valid record."""
    swap = st.builds(lambda way, value: lambda record: replaced(record, way, value), st.sampled_from(ways), anything)
    lists = st.sampled_from([way for way in ways if "tripe" in way[-1]] or list(ways))
    item = st.builds(lambda way, value: lambda record: replaced(record, way, value), lists, _items)
    leave = st.builds(lambda way: lambda record: without(record, way), st.sampled_from(ways))
    whole = st.builds(lambda value: lambda record: value, anything)
    return st.one_of(swap, swap, item, leave, whole)
