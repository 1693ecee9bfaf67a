"""What one active subscription is worth: flat names, packages, metered and tiered prices, several items."""

import json
from decimal import Decimal

import pytest

from intercom_sync.domain.parsing import InvalidRecordError
from intercom_sync.domain.revenue.contact_revenue import parse_revenue
from intercom_sync.domain.rules import Rules
from intercom_sync_tests.domain.samples import subscription

RULES = Rules()
UNUSABLE = "active subscription without a usable price"
MONTH = {"interval": "month"}
TIERED = {"billing_scheme": "tiered", "tiers_mode": "graduated", "tiers": [{"up_to": 10, "unit_amount": 500}]}


def read(*subscriptions, rules=RULES):
    given = [{"status": "active"} | one for one in subscriptions]
    revenue = parse_revenue({"Stripe Subscriptions": given}, rules)
    assert revenue.subscription_count == len(given)
    assert (revenue.arr is None) is (revenue.mrr is None)
    return revenue.mrr


def refusal(one):
    with pytest.raises(InvalidRecordError) as refused:
        read(one)
    return refused.value.reason


@pytest.mark.parametrize("separator", ["_", ".", "__"])
@pytest.mark.parametrize(
    ("flat", "expected"),
    [
        ({"plan amount": 29_900, "plan interval": "month"}, 299),
        ({"plan amount": "29900", "plan interval": "Year", "plan interval_count": "1"}, Decimal("24.916667")),
        ({"plan amount": 30_000, "plan interval": "month", "plan interval_count": 3}, 100),
        ({"plan amount_decimal": "0.5", "plan interval": "month", "quantity": 300}, Decimal("1.5")),
        ({"price unit_amount": 500, "price recurring interval": "month", "price currency": "jpy"}, 500),
        ({"price unit_amount_decimal": "29900.0", "price recurring interval": "month"}, 299),
        ({"price unit_amount": 700, "price recurring interval": "week", "price recurring interval_count": 1}, None),
        ({"price unit_amount": 9, "price recurring interval": "month", "price recurring usage_type": "metered"}, 0),
        (
            {
                "plan amount": 1000,
                "plan interval": "month",
                "quantity": 23,
                "plan transform_usage divide_by": 5,
                "plan transform_usage round": "up",
            },
            50,
        ),
    ],
)
def test_flat_names_are_the_nested_ones_joined(separator, flat, expected):
    wanted = Decimal("30.333333") if expected is None else expected  # 7.00 × 52 / 12
    assert read({name.replace(" ", separator): value for name, value in flat.items()}) == wanted


@pytest.mark.parametrize(
    "price",
    [
        {"plan": {"amount": 2900}, "plan_interval": "month"},
        {"plan": {"amount": None, "interval": "month"}, "plan_amount": 2900},
        {"plan": {"amount": 2900, "interval": "month"}, "plan_amount": 5, "amount": 7, "price": 9},
        {"price": "price_1A", "amount": 2900, "interval": "month"},
        {"price": "price_1A", "plan": {"amount": 2900, "interval": "month"}},
        {"price_recurring": {"interval": "month"}, "price_unit_amount": 2900},
        {"price": json.dumps({"unit_amount": 2900, "recurring": {"interval": "month"}})},
        {"price": {"unit_amount": 2900, "recurring": json.dumps({"interval": "month"})}},
        {"items": json.dumps({"data": [{"plan": {"amount": 2900, "interval": "month"}}]})},
        {"recurring_interval": "MONTH", "unit_amount": 2900},
        {"plan": {"amount": " 2900 ", "interval": " month "}},
        {"plan": {"amount": "2900.00", "interval": "month", "usage_type": "licensed"}},
        {"plan": {"amount": 2900, "interval": "month", "transform_usage": None, "tiers": None}},
    ],
)
def test_a_price_of_29_dollars_is_found_in_any_mixture(price):
    assert read(price) == 29


@pytest.mark.parametrize(
    "unpriced",
    [
        {"plan": {"amount": None, "interval": "month"} | TIERED},
        {"price": {"unit_amount": None, "recurring": {"interval": "month"}} | TIERED, "quantity": 5},
        {"plan": {"amount": None, "interval": "fortnight", "interval_count": 0}, "quantity": "many"},
        {"price": "price_1A", "plan": {"amount": None, "interval": "month"}},
        {"price": "price_1A"},
        {"plan": "gold"},
        {},
        {"items": {"data": [{"price": "price_1A", "quantity": 1}]}},
        {"items": {"data": [{"plan": {"amount": 100} | MONTH}, {"price": {"unit_amount": None}}]}},
        {"items": {"data": [{"plan": {"amount": 100} | MONTH}], "has_more": True}},
        {"plan": {"amount": 100} | MONTH, "items": {"data": [], "has_more": True}},
    ],
)
def test_an_amount_that_cannot_be_known_makes_the_mrr_unknown(unpriced):
    assert read(unpriced) is None
    assert read(subscription(), unpriced) is None


@pytest.mark.parametrize(
    "metered",
    [
        {"plan": {"amount": None, "interval": "month", "usage_type": "metered"}},
        {"plan": {"amount": 29_900, "interval": "month", "usage_type": " Metered"}, "quantity": 7},
        {"plan": {"amount": "a lot", "interval": "never", "usage_type": "metered"}, "quantity": "x"},
        {"price": {"unit_amount": None, "recurring": {"interval": "month", "usage_type": "metered"}} | TIERED},
        {"amount": 29_900, "interval": "month", "usage_type": "metered"},
        {"items": {"data": [{"price": {"unit_amount": 5, "recurring": {"usage_type": "metered"}}}]}},
    ],
)
def test_a_metered_price_adds_nothing(metered):
    assert read(metered) == 0
    assert read(metered, subscription()) == 299


def test_a_base_price_beside_a_metered_item_is_the_base_price():
    base = {"price": {"unit_amount": 4900, "recurring": {"interval": "month"}}, "quantity": 2}
    usage = {"price": {"unit_amount": None, "recurring": {"interval": "month", "usage_type": "metered"}}}
    assert read({"items": {"data": [base, usage]}}) == 98
    assert read({"plan": None, "quantity": 9, "items": {"data": [usage, base, base]}}) == 196


def test_several_items_count_each_with_its_own_quantity_and_come_before_one_plan():
    items = [
        {"plan": {"amount": 1000, "interval": "month"}, "quantity": 3},
        {"plan": {"amount": 12_000, "interval": "year"}, "quantity": 0},
        {"plan": {"amount": 500, "interval": "month"}, "quantity": None},
    ]
    assert read({"items": {"data": items, "has_more": False}}) == 35
    assert read({"plan": items[0]["plan"], "quantity": 3, "items": {"data": items}}) == 35
    assert read({"quantity": 5, "items": [{"plan": {"amount": 1000, "interval": "month"}}]}) == 50


@pytest.mark.parametrize(
    ("quantity", "size", "rounding", "expected"),
    [
        (23, 5, "up", 50),
        (23, 5, "down", 40),
        (25, 5, "up", 50),
        (0, 5, "up", 0),
        (None, 5, "up", 10),
        (None, 5, "down", 0),
        ("23", "5", " UP ", 50),
        ("12.5", 5, "up", 30),
        (1, 10**30, "up", 10),
        (23, 1, "down", 230),
        (23, None, "up", 230),
        (23, 0, "up", None),
        (23, -5, "up", None),
        (23, "five", "up", None),
        (23, True, "up", None),
        (23, 5, None, None),
        (23, 5, "sideways", None),
    ],
)
@pytest.mark.parametrize("name", ["transform_usage", "transform_quantity"])
def test_a_package_price_divides_the_quantity(name, quantity, size, rounding, expected):
    package = {name: {"divide_by": size, "round": rounding}}
    assert read({"quantity": quantity, "plan": {"amount": 1000, "interval": "month"} | package}) == expected
    price = {"unit_amount": 1000, "recurring": {"interval": "month"}} | package
    assert read({"items": {"data": [{"quantity": quantity, "price": price}]}}) == expected


def test_without_quantities_a_package_price_is_one_unit():
    package = {"transform_usage": {"divide_by": 5, "round": "down"}}
    plan = {"amount": 1000, "interval": "month"} | package
    assert read({"quantity": 23, "plan": plan}, rules=Rules(count_quantity=False)) == 10


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"plan": {"amount": "29,900", "interval": "month"}}, "amount is not a number"),
        ({"plan": {"amount": "1e400", "interval": "month"}}, "amount is not a number"),
        ({"plan": {"amount": "٣", "interval": "month"}}, "amount is not a number"),
        ({"price": "29,900", "interval": "month"}, "amount is not a number"),
        ({"plan_amount": True, "plan_interval": "month"}, "amount is not a number"),
        ({"plan_amount": 100}, UNUSABLE),
        ({"plan_amount": 100, "plan_interval": "monthly"}, UNUSABLE),
        ({"plan": {"amount": 1, "interval": "month", "interval_count": True}}, UNUSABLE),
        ({"plan": {"amount": 1, "interval": "day", "interval_count": 10**30}}, UNUSABLE),
        ({"items": {"data": [{"plan": {"amount": None}}, {"plan": {"amount": "x"}}]}}, "amount is not a number"),
    ],
)
def test_what_is_known_to_be_wrong_is_rejected(broken, reason):
    assert refusal(broken) == reason


@pytest.mark.parametrize("status", ["trialing", "PAUSED", "something new", "canceled"])
def test_what_is_not_active_breaks_nothing(status):
    broken = {"status": status, "plan": {"amount": "a lot", "interval": "never"}, "items": "x", "quantity": -1}
    revenue = parse_revenue({"Stripe Subscriptions": [broken, subscription()]}, RULES)
    assert (revenue.mrr, revenue.subscription_count) == (299, 1)


def test_price_objects_may_be_nested_in_each_other_to_any_depth():
    deep = {"amount": 100, "interval": "month"}
    for _ in range(5_000):
        deep = {"plan": deep}
    assert read(deep) is None


def test_many_interval_counts_are_added_in_reasonable_time():
    many = [{"plan": {"amount": 1, "interval": "day", "interval_count": n}} for n in range(1, 5_000)]
    assert read(*many) > 0
