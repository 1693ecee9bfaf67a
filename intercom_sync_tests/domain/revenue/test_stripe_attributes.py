import json
from decimal import Decimal

import pytest

from intercom_sync.domain.parsing import InvalidRecordError
from intercom_sync.domain.revenue.contact_revenue import parse_revenue
from intercom_sync.domain.rules import AttributeNames, Rules
from intercom_sync_tests.domain.samples import payment, subscription

RULES = Rules()
SUBSCRIPTIONS = [subscription(), subscription(1200, "year")]  # 299 + 12 / 12 = 300
IN_CUSTOM_OBJECTS = [{"id": "21", "type": "Sub", "custom_attributes": one} for one in SUBSCRIPTIONS]
SHAPES = {
    "list": SUBSCRIPTIONS,
    "custom objects": {"type": "Sub.list", "instances": IN_CUSTOM_OBJECTS},
    "Stripe list": {"object": "list", "data": SUBSCRIPTIONS},
    "items": {"items": SUBSCRIPTIONS},
    "plain custom objects": IN_CUSTOM_OBJECTS,
}


def mrr(value, name="Stripe Subscriptions"):
    return parse_revenue({name: value}, RULES).mrr


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["Stripe Subscriptions", "stripe_subscriptions"])
def test_subscriptions_are_read_in_every_shape_and_as_json_text(shape, name):
    assert mrr(SHAPES[shape], name) == 300
    assert mrr(json.dumps(SHAPES[shape]), name) == 300


@pytest.mark.parametrize("name", ["Stripe Payments", "stripe_payments"])
def test_payments_are_read_in_every_shape(name):
    for value in ([payment()], {"instances": [{"custom_attributes": payment()}]}, json.dumps({"data": [payment()]})):
        assert parse_revenue({name: value}, RULES).ltv == 299


@pytest.mark.parametrize("value", [None, "", "  ", "null", {"data": None}, {"instances": None, "type": "Sub.list"}])
def test_null_and_blank_are_unknown(value):
    assert mrr(value) is None


@pytest.mark.parametrize("value", ["[]", {"data": []}, {"instances": [], "type": "Sub.list"}])
def test_an_empty_list_is_zero_in_any_wrapping(value):
    assert mrr(value) == 0


@pytest.mark.parametrize(
    "value",
    [
        5,
        True,
        {},
        {"subs": []},
        {"data": {}},
        {"data": "x"},
        "x",
        "[",
        '"[]"',
        "[1]",
        [None],
        ["sub_1"],
        [[]],
        [3],
        [{"custom_attributes": []}],
        [subscription(), 0],
        "[" * 100000,
        "9" * 100000,
    ],
)
@pytest.mark.parametrize("name", ["Stripe Subscriptions", "Stripe Payments"])
def test_anything_else_is_of_the_wrong_shape(value, name):
    with pytest.raises(InvalidRecordError) as refused:
        parse_revenue({name: value}, RULES)
    assert (refused.value.reason, refused.value.field) == ("list of the wrong shape", f"custom_attributes.{name}")


def test_the_configured_name_comes_first_and_null_there_leads_to_the_aliases():
    rules = Rules(attributes=AttributeNames(subscriptions="Subs"))
    both = {"Subs": [subscription(100)], "Stripe Subscriptions": [subscription(900)]}
    assert parse_revenue(both, rules).mrr == 1
    assert parse_revenue(both | {"Subs": None}, rules).mrr == 9
    assert parse_revenue({"stripe_subscriptions": [subscription(700)]}, rules).mrr == 7


@pytest.mark.parametrize(
    "price",
    [
        {"amount": 2900, "interval": "month"},
        {"price": 2900, "interval": "month"},
        {"plan_amount": "2900", "interval": "month"},
        {"plan": "Pro", "amount": 2900, "interval": "month"},
        {"plan": '{"amount": 2900, "interval": "month"}'},
        {"plan": {"amount": None, "amount_decimal": "2900.0", "interval": "month"}},
        {"plan": {"amount": 2900}, "interval": "month"},
        {"plan": {"interval": "month"}, "amount": 2900},
        {"price": {"unit_amount": 2900, "recurring": {"interval": "month", "interval_count": 1}}},
        {"items": {"data": [{"plan": {"amount": 2900, "interval": "month"}, "quantity": 1}]}},
        {"plan": {"amount": 34_800, "interval": " Year ", "interval_count": None}},
    ],
)
def test_a_price_of_29_dollars_is_found_wherever_it_stands(price):
    assert mrr([{"status": "active"} | price]) == 29


def test_a_subscription_of_several_items_is_the_sum_of_them():
    # 2 × 10.00 + 120.00 / 12 = 30
    items = [
        {"plan": {"amount": 1000, "interval": "month"}, "quantity": 2},
        {"price": {"unit_amount": 12_000, "recurring": {"interval": "year"}}},
    ]
    assert mrr([{"status": "active", "plan": None, "items": {"object": "list", "data": items}}]) == 30
    assert mrr([{"status": "active", "items": items}]) == 30


@pytest.mark.parametrize("items", [[], {}, {"data": []}, {"data": [None]}, "x", 5, [{}], [subscription(), None]])
def test_items_without_a_price_make_the_mrr_unknown(items):
    revenue = parse_revenue({"Stripe Subscriptions": [{"status": "active", "items": items}]}, RULES)
    assert (revenue.mrr, revenue.arr, revenue.subscription_count) == (None, None, 1)


def test_fractions_of_a_cent_stand_in_the_exact_amount():
    plan = {"amount": None, "amount_decimal": "0.125", "interval": "month"}
    assert mrr([{"status": "active", "plan": plan, "quantity": 3}]) == Decimal("0.00375")


def test_broken_surrogates_in_json_text_are_no_reason_to_reject():
    assert mrr('[{"status": "active", "note": "\\ud800", "amount": 100, "interval": "month"}]') == 1
    assert mrr('[{"status": "act\\u0000ive", "amount": 100, "interval": "mo\\ud800nth"}]') == 1


def test_a_custom_objects_own_fields_win_over_its_envelope():
    inactive_envelope = {"status": "archived", "custom_attributes": subscription()}
    assert mrr([inactive_envelope]) == 299
    assert mrr([subscription() | {"custom_attributes": None}]) == 299


def test_a_flat_interval_count_of_one_changes_nothing():
    assert mrr([{"status": "active", "price": 2900, "interval": "month", "interval_count": "1"}]) == 29


BARE = {"id": "21", "external_id": "sub_1", "type": "Stripe Subscriptions"}


@pytest.mark.parametrize(
    "items",
    [
        {"type": "Stripe Subscriptions.list", "instances": [BARE]},
        [BARE, BARE | {"custom_attributes": None}],
        [BARE | {"custom_attributes": {}}],
        [subscription(status=None), subscription(status="  ")],
        json.dumps({"instances": [BARE]}),
        {"object": "list", "data": [subscription(status="active")], "has_more": True},
        {"type": "list", "instances": [], "has_more": "true"},
    ],
)
def test_references_without_a_status_and_lists_of_which_a_part_came_say_nothing(items):
    revenue = parse_revenue({"Stripe Subscriptions": items, "Stripe Payments": items}, RULES)
    assert (revenue.mrr, revenue.arr, revenue.subscription_count, revenue.ltv) == (None, None, None, None)


def test_a_reference_beside_items_with_a_status_adds_nothing():
    revenue = parse_revenue({"Stripe Subscriptions": [BARE, subscription()]}, RULES)
    assert (revenue.mrr, revenue.subscription_count) == (299, 1)
    assert parse_revenue({"Stripe Payments": [BARE, payment()]}, RULES).ltv == 299


def test_references_under_one_name_lead_to_the_data_under_the_next():
    both = {"Stripe Subscriptions": {"instances": [BARE]}, "stripe_subscriptions": json.dumps([subscription()])}
    assert parse_revenue(both, RULES).mrr == 299


def test_json_text_with_numbers_that_json_has_not_breaks_only_what_counts():
    assert mrr('[{"status": "canceled", "amount": NaN}, {"status": "active", "amount": 100, "interval": "month"}]') == 1
    with pytest.raises(InvalidRecordError, match="amount is not a number"):
        mrr('[{"status": "active", "amount": Infinity, "interval": "month"}]')
    assert mrr('[{"status": "active", "amount": 5, "amount": 100, "interval": "month"}]') == 1  # the last one counts
