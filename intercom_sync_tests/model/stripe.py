"""Hypothesis strategies for the Stripe data of a contact, in every known format."""

import json
from typing import Any

from hypothesis import strategies as st

from intercom_sync_tests.model.words import DAY, STATUSES
from intercom_sync_tests.model.world import START

Json = dict[str, Any]
_currencies = st.sampled_from(["usd", "usd", "eur", "jpy", "kwd"])
_package = st.fixed_dictionaries({"divide_by": st.sampled_from([1, 5, 12]), "round": st.sampled_from(["up", "down"])})
_price = st.fixed_dictionaries(
    {
        "amount": st.sampled_from([0, 1, 9900, 29_900, 60_000, 1_234_567, "4900", 99.5, " 2900 ", "299.00", None]),
        "interval": st.sampled_from(["month", "month", "year", "week", "day"]),
    },
    optional={
        "interval_count": st.sampled_from([1, 3, 7]),
        "usage_type": st.sampled_from(["licensed", "licensed", "metered"]),
        "currency": _currencies,
        "transform_usage": _package,
    },
)
_quantities = st.sampled_from([{}, {"quantity": None}, {"quantity": 0}, {"quantity": 5}, {"quantity": 23}])
# The position of the price: nested, or flat at the top level with a prefix and separator, also in custom objects.
_FLAT = {
    "flat": ("", "_"),
    "flat plan_": ("plan_", "_"),
    "flat plan.": ("plan.", "."),
    "flat price__": ("price__", "__"),
}
_line_forms = ["plan", "price", *_FLAT]
_line = st.builds(lambda price, quantity, form: _formed(quantity, price, form), _price, _quantities,
                  st.sampled_from(_line_forms))  # fmt: skip
_subscription = st.builds(
    lambda price, status, quantity, form: _formed({"status": status, **quantity}, price, form),
    _price,
    st.sampled_from(["active", "active", "active", "canceled", "trialing", "something new"]),
    _quantities,
    st.sampled_from([*_line_forms, "object flat", "object flat plan_"]),
)
_several = st.builds(
    lambda lines, more: {
        "status": "active",
        "plan": None,
        "items": {"object": "list", "data": lines, "has_more": more},
    },
    st.lists(_line, min_size=1, max_size=3),
    st.sampled_from([False, False, False, True]),
)
_payment = st.fixed_dictionaries(
    {
        "amount": st.sampled_from([100, 29_900, "500", 0, None]),
        "status": st.sampled_from(["succeeded", "succeeded", "failed"]),
    },
    optional={"created": st.just(START - DAY), "currency": _currencies},
)
_odd = st.sampled_from([{"amount": "a lot", "status": "failed"}, {"status": "pending"}])
_idle = st.sampled_from(
    [
        {"status": "canceled", "plan": {"amount": None}},
        {"status": "unpaid"},
        {"status": "trialing", "plan": {"amount": "a lot", "interval": "never"}, "quantity": -1, "items": "?"},
        {"status": "active", "price": "price_1A", "plan": {"amount": None, "interval": "month"}},
    ]
)
_bare = st.sampled_from([{"id": "21", "type": "Order"}, {"id": "22", "type": "Order", "custom_attributes": None}])


def _formed(item: Json, price: Json, form: str) -> Json:
    """Return a subscription or item with its price in one of the known positions."""
    if form == "plan":
        return {**item, "plan": price}
    if form == "price":
        return {**item, "price": _as_price(price)}
    prefix, separator = _FLAT[form.removeprefix("object ")]
    made = {**item, **_joined(_as_price(price) if prefix == "price__" else price, prefix, separator)}
    return {"id": "1", "custom_attributes": made} if form.startswith("object ") else made


def _as_price(price: Json) -> Json:
    """Return Stripe's price object of a plan."""
    recurring = {name: price[name] for name in ("interval", "interval_count", "usage_type") if name in price}
    amount = "unit_amount_decimal" if isinstance(price["amount"], str) else "unit_amount"
    made = {"id": "price_1A", amount: price["amount"], "recurring": recurring}
    return made | {
        name: price[old]
        for name, old in {"currency": "currency", "transform_quantity": "transform_usage"}.items()
        if old in price
    }


def _joined(price: Json, prefix: str, separator: str) -> Json:
    """Return nested values with flattened names."""
    found: Json = {}
    for name, value in price.items():
        if isinstance(value, dict):
            found |= _joined(value, f"{prefix}{name}{separator}", separator)
        else:
            found[prefix + name] = value
    return {name: value for name, value in found.items() if name != "id"}


def _wrapped(items: list[Any], form: str) -> Any:
    if form == "text":
        return json.dumps(items)
    if form == "a part":
        return {"object": "list", "data": items, "has_more": True}
    return items if form == "list" else {"type": "Order.list", form: items, "has_more": False}


def _lists(item: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    forms = st.sampled_from(["list", "list", "text", "instances", "data", "items", "a part"])
    return st.builds(_wrapped, st.one_of(st.lists(item, max_size=3), st.lists(_bare, max_size=2)), forms)


_paying = st.one_of(_subscription, _subscription, _several, _idle)
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
            "Stripe Subscriptions": _lists(_paying),
            "Stripe Payments": _lists(st.one_of(_payment, _payment, _odd, _bare)),
        },
    ),
    st.fixed_dictionaries({"Stripe Subscriptions": st.lists(_paying, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"stripe_subscriptions": _lists(_subscription), "stripe_payments": _lists(_payment)}),
    st.fixed_dictionaries(
        {"Stripe Subscriptions": st.lists(_bare, min_size=1, max_size=2), "stripe_subscriptions": _lists(_several)}
    ),
)
