"""Whatever Intercom sends, reading it gives a record or a RejectionError and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercom_sync.domain.contacts import Contact, clean_record, parse_contact
from intercom_sync.domain.conversations import (
    Conversation,
    needs_parts,
    parse_conversation,
    parse_messages,
    parts_missing,
)
from intercom_sync.domain.parsing import InvalidRecordError
from intercom_sync.domain.revenue.contact_revenue import Revenue, parse_revenue
from intercom_sync.domain.rules import AttributeNames, Rules, attribute_fields
from intercom_sync_tests.domain.samples import NOW, contact, conversation, part, payment, subscription

RULES = Rules()
ODD = [
    10**400,
    -(2**70),
    1e308,
    5e-324,
    float("nan"),
    float("inf"),
    "1e999",
    "\x00",
    "\ud800",
    "[[",
    '{"data":[{}]}',
    "active",
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(ODD)
NAMES = """
    id type amount plan price interval interval_count quantity status items data instances custom_attributes currency
    created amount_refunded rating contact contacts author body conversation_parts part_type created_at recurring
    unit_amount
"""
KEYS = st.sampled_from(NAMES.split())
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20
)
ATTRIBUTES = [getattr(AttributeNames(), name) for name in attribute_fields()] + [
    "stripe_subscriptions",
    "stripe_payments",
]


def damaged(good):
    """A good object with some of its fields replaced, at any depth, by anything."""
    if isinstance(good, dict):
        inner = st.fixed_dictionaries({key: damaged(value) for key, value in good.items()})
        return st.one_of(inner, inner, inner, JSON)
    if isinstance(good, list):
        return st.one_of(st.tuples(*map(damaged, good)).map(list), st.tuples(*map(damaged, good)).map(list), JSON)
    return st.one_of(st.just(good), st.just(good), st.just(good), JSON)


def only_rejects(read, kind, *arguments):
    try:
        result = read(*arguments)
    except InvalidRecordError:
        return None
    assert isinstance(result, kind)
    return result


STRIPE = dict.fromkeys(ATTRIBUTES) | {
    "stripe_subscription_status": "active",
    "Stripe Subscriptions": [
        subscription(),
        {"custom_attributes": subscription()},
        {"status": "active", "items": {"data": [{}]}},
    ],
    "Stripe Payments": {"instances": [payment(amount_refunded=1, currency="usd")]},
}


@settings(max_examples=500)
@given(JSON | damaged(contact(custom_attributes=STRIPE)))
def test_any_contact_is_read_or_rejected(record):
    for version in (record, clean_record(record)):
        read = only_rejects(parse_contact, Contact, version, RULES)
        if read:
            hash(read)
            assert read.id


@settings(max_examples=500)
@given(JSON | st.dictionaries(st.sampled_from(ATTRIBUTES), JSON))
def test_any_attributes_are_read_or_rejected(attributes):
    revenue = only_rejects(parse_revenue, Revenue, attributes, RULES)
    for amount in (revenue.mrr, revenue.arr, revenue.ltv, revenue.plan_price) if revenue else ():
        assert amount is None or (amount.as_tuple().exponent == -6 and abs(amount) < 10**32)


GROUP = {"contacts": [{"id": "c1"}, {"id": "c2"}]}
DETAIL = conversation(
    contacts=GROUP,
    conversation_rating={"rating": 4, "contact": {"id": "c1"}},
    conversation_parts={"conversation_parts": [part(1, "<p>cancel</p>"), part(2, "x")], "total_count": 2},
)


@settings(max_examples=500)
@given(JSON | damaged(DETAIL), st.none() | st.integers(1, 2 * NOW))
def test_any_conversation_is_read_or_rejected(record, fetched):
    read = only_rejects(parse_conversation, Conversation, record)
    if read:
        assert needs_parts(read, fetched, NOW) in (True, False)
    only_rejects(parse_messages, tuple, record)
    only_rejects(parts_missing, int, record)


@pytest.mark.parametrize("levels", [1_000, 100_000])
def test_deep_nesting_anywhere_is_read_or_rejected(levels):
    deep = []
    for _ in range(levels):
        deep = [deep]
    text = "[" * levels + "]" * levels
    for record in (
        contact(name=deep),
        contact(custom_attributes={"Stripe Payments": deep}),
        contact(custom_attributes=deep),
    ):
        only_rejects(parse_contact, Contact, record, RULES)
    for value in (text, '{"data":' * levels, [{"status": "active", "plan": text}], [subscription(quantity=deep)]):
        only_rejects(parse_revenue, Revenue, {"Stripe Subscriptions": value}, RULES)
    only_rejects(parse_conversation, Conversation, conversation(contacts=deep))
    only_rejects(parse_messages, tuple, conversation(conversation_parts=[part(1, "x", part_type=deep), part(2, deep)]))
