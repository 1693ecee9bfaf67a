"""Strategies for the Stripe data of a contact, in every form that workspaces have it."""

import json
from typing import Any

from hypothesis import strategies as st

from intercom_sync_tests.model.words import DAY, STATUSES
from intercom_sync_tests.model.world import START

_price = st.fixed_dictionaries(
    {
        "amount": st.sampled_from([0, 1, 9900, 29_900, 60_000, 1_234_567, "4900", 99.5]),
        "interval": st.sampled_from(["month", "month", "year", "week", "day"]),
    },
    optional={"interval_count": st.sampled_from([1, 3, 7])},
)
_subscription = st.builds(
    lambda price, status, quantity, form: _formed({"status": status, **quantity}, price, form),
    _price,
    st.sampled_from(["active", "active", "active", "canceled", "trialing", "something new"]),
    st.sampled_from([{}, {"quantity": None}, {"quantity": 0}, {"quantity": 5}]),
    st.sampled_from(["nested", "flat", "object"]),
)
_payment = st.fixed_dictionaries(
    {
        "amount": st.sampled_from([100, 29_900, "500", 0]),
        "status": st.sampled_from(["succeeded", "succeeded", "failed"]),
    },
    optional={"created": st.just(START - DAY)},
)
_odd = st.sampled_from([{"amount": "a lot", "status": "failed"}, {"status": "pending"}])
_idle = st.sampled_from([{"status": "canceled", "plan": {"amount": None}}, {"status": "unpaid"}])


def _formed(item: dict[str, Any], price: dict[str, Any], form: str) -> dict[str, Any]:
    if form == "nested":
        return {**item, "plan": price}
    return {**item, **price} if form == "flat" else {"id": "1", "custom_attributes": {**item, **price}}


def _wrapped(items: list[Any], form: str) -> Any:
    if form == "text":
        return json.dumps(items)
    return items if form == "list" else {"type": "Order.list", form: items}


def _lists(item: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    forms = st.sampled_from(["list", "list", "text", "instances", "data", "items"])
    return st.builds(_wrapped, st.lists(item, max_size=3), forms)


attributes = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {},
        optional={
            "stripe_id": st.sampled_from(["cus_1", "cus_2", None]),
            "stripe_plan": st.sampled_from(["Pro", "Basic"]),
            "stripe_plan_price": st.sampled_from([1275.0, "12.5", 29]),
            "stripe_subscription_status": st.sampled_from([*STATUSES, "active", None]),
            "stripe_delinquent": st.sampled_from([True, False, "true", "FALSE", 1, 0, "1", None]),
            "stripe_last_charge_amount": st.sampled_from([4518.62, 29_900, "100", None]),
            "stripe_last_charge_at": st.sampled_from([START - DAY, None]),
            "Stripe Subscriptions": _lists(st.one_of(_subscription, _subscription, _idle)),
            "Stripe Payments": _lists(st.one_of(_payment, _payment, _odd)),
        },
    ),
    st.fixed_dictionaries({"Stripe Subscriptions": st.lists(_subscription, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"stripe_subscriptions": _lists(_subscription), "stripe_payments": _lists(_payment)}),
)
