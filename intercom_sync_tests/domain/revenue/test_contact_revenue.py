from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercom_sync.domain.parsing import InvalidRecordError
from intercom_sync.domain.revenue.contact_revenue import NO_REVENUE, Revenue, parse_revenue
from intercom_sync.domain.rules import AttributeNames, Rules
from intercom_sync_tests.domain.samples import NOW, payment, subscription

RULES = Rules()
MONTHLY = {"amount": 98_000, "interval": "month"}


def mrr(*subscriptions, rules=RULES):
    return parse_revenue({"Stripe Subscriptions": list(subscriptions)}, rules).mrr


def refusal(attributes, rules=RULES):
    with pytest.raises(InvalidRecordError) as refused:
        parse_revenue(attributes, rules)
    return refused.value.reason


def test_the_sample_records_give_299_a_month_3588_a_year_and_299_paid():
    attributes = {
        "stripe_id": "cus_1",
        "stripe_plan": "Pro Plan",
        "stripe_plan_price": 299.0,
        "stripe_subscription_status": "active",
        "stripe_delinquent": False,
        "stripe_last_charge_amount": 29_900,
        "stripe_last_charge_at": 1_234_567_890,
        "Stripe Subscriptions": [subscription()],
        "Stripe Payments": [payment(created=1_234_567_890)],
    }
    # 29,900 cents / 100 = 299.00 a month; × 12 = 3,588.00 a year.
    assert parse_revenue(attributes, RULES) == Revenue(
        stripe_customer_id="cus_1",
        mrr=Decimal("299.000000"),
        arr=Decimal("3588.000000"),
        ltv=Decimal("299.000000"),
        plan_name="Pro Plan",
        plan_price=Decimal("299.000000"),
        subscription_status="active",
        subscription_count=1,
        is_delinquent=False,
        last_payment_amount=Decimal("299.000000"),
        last_payment_date=1_234_567_890,
        newest_payment_amount=Decimal("299.000000"),
    )


@pytest.mark.parametrize("nothing", [None, {}, {"plan": "free"}, {"stripe_id": None, "Stripe Payments": ""}])
def test_without_stripe_data_everything_is_unknown(nothing):
    assert parse_revenue(nothing, RULES) == NO_REVENUE


def test_several_subscriptions_are_added_up():
    # 299.00 + 5 × 49.00 + 1,200.00 / 12 = 299 + 245 + 100 = 644
    revenue = parse_revenue(
        {"Stripe Subscriptions": [subscription(), subscription(4900, quantity=5), subscription(120_000, "year")]}, RULES
    )
    assert (revenue.mrr, revenue.arr, revenue.subscription_count) == (Decimal(644), Decimal(7728), 3)


@pytest.mark.parametrize(
    ("interval", "count", "expected"),
    [
        ("month", 1, "100.000000"),
        ("month", 3, "33.333333"),  # quarterly: 100 / 3
        ("month", 6, "16.666667"),  # 100 / 6 = 16.6666…, half up
        ("year", 1, "8.333333"),  # 100 / 12
        ("year", 2, "4.166667"),  # 100 / 24 = 4.16666…
        ("week", 1, "433.333333"),  # 100 × 52 / 12
        ("week", 2, "216.666667"),  # 100 × 26 / 12
        ("day", 1, "3041.666667"),  # 100 × 365 / 12
    ],
)
def test_every_interval_is_normalised_to_a_month(interval, count, expected):
    one = subscription(10_000, interval)
    one["plan"]["interval_count"] = count
    assert mrr(one) == Decimal(expected)


def test_sums_are_rounded_once_and_arr_comes_from_the_exact_mrr():
    # Three times 0.01 / 12 = 0.0025 exactly; each rounded alone would be 0.000833 and make 0.002499.
    revenue = parse_revenue({"Stripe Subscriptions": [subscription(1, "year")] * 3}, RULES)
    assert (revenue.mrr, revenue.arr) == (Decimal("0.002500"), Decimal("0.03"))
    # 0.01 / 12 = 0.00083333…; ARR is 0.01, not 0.000833 × 12 = 0.009996.
    assert parse_revenue({"Stripe Subscriptions": [subscription(1, "year")]}, RULES).arr == Decimal("0.01")


def test_half_a_millionth_is_rounded_up():
    # 0.00005 cents = 0.0000005 dollars
    assert mrr(subscription("0.00005")) == Decimal("0.000001")
    assert mrr(subscription("0.000049999")) == 0


def test_floats_mean_their_decimal_text():
    # 0.1 + 0.2 cents = 0.003 dollars; in binary they would make 0.30000000000000004 cents.
    assert mrr(subscription(0.1), subscription(0.2)) == Decimal("0.003")


@pytest.mark.parametrize(
    ("quantity", "expected"), [(None, 10), ("", 10), (0, 0), (1, 10), (5, 50), ("3", 30), (2.5, 25), ("2.5", 25)]
)
def test_quantity_multiplies_and_absent_is_one(quantity, expected):
    assert mrr(subscription(1000, quantity=quantity)) == expected


@pytest.mark.parametrize("quantity", [-1, "many", True, [], float("nan"), "1_0"])
def test_a_quantity_that_is_no_number_is_rejected(quantity):
    assert refusal({"Stripe Subscriptions": [subscription(quantity=quantity)]}) == "amount is not a number"


def test_quantity_can_be_turned_off():
    rules = Rules(count_quantity=False)
    assert mrr(subscription(1000, quantity=5), subscription(1000, quantity="many"), rules=rules) == 20


@pytest.mark.parametrize("amount", [None, "", " ", {}])
@pytest.mark.parametrize("status", ["active", " Active "])
def test_without_its_amount_an_active_subscription_makes_the_mrr_unknown_and_still_counts(amount, status):
    revenue = parse_revenue({"Stripe Subscriptions": [subscription(), subscription(amount, status=status)]}, RULES)
    assert (revenue.mrr, revenue.arr, revenue.subscription_count) == (None, None, 2)


@pytest.mark.parametrize("amount", [None, "", " "])
def test_without_its_amount_a_succeeded_payment_makes_the_ltv_unknown(amount):
    revenue = parse_revenue({"Stripe Payments": [payment(), payment(amount, created=NOW)]}, RULES)
    assert (revenue.ltv, revenue.newest_payment_amount) == (None, None)


@pytest.mark.parametrize("interval", [None, "", "fortnight", "monthly", 1, [], {}])
def test_an_unknown_interval_is_rejected(interval):
    attributes = {"Stripe Subscriptions": [subscription(100, interval)]}
    assert refusal(attributes) == "active subscription without a usable price"


@pytest.mark.parametrize("count", [0, -1, "0", 1.5, True, "x", []])
def test_an_interval_count_below_one_is_rejected(count):
    one = subscription()
    one["plan"]["interval_count"] = count
    assert refusal({"Stripe Subscriptions": [one]}) == "active subscription without a usable price"


@pytest.mark.parametrize(
    "amount", [True, "free", float("nan"), float("inf"), "NaN", "1e999", 10**40, "1_000", "٣", [1]]
)
def test_an_amount_that_is_no_number_is_rejected_where_it_counts(amount):
    assert refusal({"Stripe Subscriptions": [subscription(amount)]}) == "amount is not a number"
    assert refusal({"Stripe Payments": [payment(amount)]}) == "amount is not a number"


def test_sums_beyond_the_column_are_rejected():
    assert refusal({"Stripe Payments": [payment(9 * 10**33)] * 2}) == "amount is too large"
    assert refusal({"Stripe Payments": [payment(10**20)]}) == "amount is too large"
    assert parse_revenue({"Stripe Payments": [payment(10**20 - 1)]}, RULES).ltv == Decimal(10**20 - 1) / 100


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"Stripe Subscriptions": [subscription(-1, quantity=10**330)]}, "amount is not a number"),
        ({"Stripe Subscriptions": [subscription(-1, quantity="9" * 330)]}, "amount is not a number"),
        ({"Stripe Subscriptions": [subscription(-(10**33), quantity=10**33)]}, "amount is too large"),
        ({"Stripe Subscriptions": [subscription(8 * 10**32)]}, "amount is too large"),
        ({"Stripe Subscriptions": [subscription("8e32")] * 14}, "amount is too large"),
        ({"Stripe Payments": [payment(10**33), payment(-(10**33))]}, "amount is too large"),
        ({"Stripe Payments": [payment(amount_refunded=10**33)]}, "amount is too large"),
        ({"stripe_last_charge_amount": 10**33}, "amount is too large"),
        ({"stripe_plan_price": "1e30"}, "amount is too large"),
    ],
)
def test_every_number_has_a_bound(attributes, reason):
    assert refusal(attributes) == reason


@pytest.mark.parametrize("status", ["canceled", "trialing", "past_due", "invented", 5, []])
def test_what_is_not_active_or_succeeded_adds_nothing_and_breaks_nothing(status):
    attributes = {
        "Stripe Subscriptions": [subscription("free", "never", status=status, quantity="x", plan="Pro")],
        "Stripe Payments": [payment("free", status=status), payment(None, status=status)],
    }
    revenue = parse_revenue(attributes, RULES)
    assert (revenue.mrr, revenue.arr, revenue.subscription_count, revenue.ltv) == (0, 0, 0, 0)
    assert revenue.newest_payment_amount is None


def test_absent_is_unknown_and_empty_is_zero():
    revenue = parse_revenue({"Stripe Subscriptions": [], "stripe_id": "cus_1"}, RULES)
    assert (revenue.mrr, revenue.arr, revenue.subscription_count, revenue.ltv) == (0, 0, 0, None)
    revenue = parse_revenue({"Stripe Payments": []}, RULES)
    assert (revenue.mrr, revenue.subscription_count, revenue.ltv) == (None, None, 0)


def test_mrr_and_ltv_below_zero_are_rejected_and_a_credit_within_is_not():
    assert refusal({"Stripe Subscriptions": [subscription(-1)]}) == "MRR is below 0"
    assert refusal({"Stripe Payments": [payment(100), payment(-101)]}) == "LTV is below 0"
    assert parse_revenue({"Stripe Payments": [payment(100), payment(-40)]}, RULES).ltv == Decimal("0.60")


def test_the_newest_payment_is_the_one_created_last():
    payments = [
        payment(100, created=NOW),
        payment(300, created=NOW + 1),
        payment(200, created="x"),
        payment(5, created=1),
    ]
    revenue = parse_revenue({"Stripe Payments": payments}, RULES)
    assert (revenue.newest_payment_amount, revenue.ltv) == (3, Decimal("6.05"))


def test_refunds_are_reported_and_leave_ltv_gross():
    payments = [payment(1000, amount_refunded=1000), payment(500, amount_refunded=50), payment(1, amount_refunded="x")]
    revenue = parse_revenue({"Stripe Payments": payments}, RULES)
    assert (revenue.ltv, revenue.refunded) == (Decimal("15.01"), Decimal("10.50"))
    assert parse_revenue({"Stripe Payments": [payment()]}, RULES).refunded is None


def test_the_currencies_of_what_counts_are_collected():
    inactive = subscription(currency="jpy", status="canceled")
    priced = subscription()
    priced["plan"]["currency"] = "EUR"
    attributes = {
        "Stripe Subscriptions": [priced, inactive],
        "Stripe Payments": [payment(currency="usd"), payment(currency="eur"), payment(currency=7)],
    }
    revenue = parse_revenue(attributes, RULES)
    assert (revenue.currencies, revenue.currency) == (("eur", "usd"), None)


@pytest.mark.parametrize(
    ("currency", "mrr", "ltv"),
    [
        ("usd", "980", "1234.5"),
        ("EUR ", "980", "1234.5"),
        ("jpy", "98000", "123450"),
        ("KRW", "98000", "123450"),
        ("kwd", "98", "123.45"),
        ("isk", "980", "1234.5"),  # Stripe's special cases: 500 is 5 ISK, and 5 UGX
        ("ugx", "980", "1234.5"),
        ("huf", "980", "1234.5"),  # without fractions in payouts only
        ("twd", "980", "1234.5"),
        (None, "980", "1234.5"),
        ("¥", "980", "1234.5"),
        (392, "980", "1234.5"),
    ],
)
def test_amounts_are_minor_units_of_their_currency(currency, mrr, ltv):
    revenue = parse_revenue(
        {
            "Stripe Subscriptions": [subscription(98_000, plan=MONTHLY | {"currency": currency})],
            "Stripe Payments": [payment(123_450, currency=currency, amount_refunded=98_000)],
            "stripe_last_charge_amount": 98_000,
        },
        RULES,
    )
    code = currency.strip().lower() if isinstance(currency, str) and currency != "¥" else None
    assert (revenue.mrr, revenue.ltv, revenue.currency) == (Decimal(mrr), Decimal(ltv), code)
    assert (revenue.arr, revenue.refunded) == (Decimal(mrr) * 12, Decimal(mrr))
    assert (revenue.last_payment_amount, revenue.newest_payment_amount) == (Decimal(mrr), Decimal(ltv))


@pytest.mark.parametrize(
    "placed",
    [
        {"plan": {"amount": 500, "interval": "month", "currency": "jpy"}},
        {"plan": {"amount": 500, "interval": "month"}, "currency": "JPY"},
        {"price": {"unit_amount": 500, "currency": "jpy", "recurring": {"interval": "month"}}},
        {"plan_amount": 500, "plan_interval": "month", "plan_currency": "jpy"},
        {"amount": 500, "interval": "month", "currency": "jpy"},
        {"currency": "jpy", "items": {"data": [{"price": {"unit_amount": 500, "recurring": {"interval": "month"}}}]}},
        {"plan": {"amount": 500, "interval": "month", "currency": "jpy"}, "currency": "usd"},
    ],
)
def test_the_currency_is_found_wherever_it_is_and_the_prices_own_comes_first(placed):
    revenue = parse_revenue({"Stripe Subscriptions": [{"status": "active"} | placed]}, RULES)
    assert (revenue.mrr, revenue.currency) == (500, "jpy")


def test_mixed_currencies_are_added_in_their_major_units_and_the_one_currency_is_unknown():
    both = [
        subscription(10_000, currency="usd"),
        subscription(500, currency="jpy"),
        subscription(1_500, currency="kwd"),
    ]
    revenue = parse_revenue({"Stripe Subscriptions": both, "stripe_last_charge_amount": 500}, RULES)
    assert (revenue.mrr, revenue.currency, revenue.last_payment_amount) == (Decimal("601.5"), None, 5)


@pytest.mark.parametrize(
    ("given_value", "expected"), [("past_due", "past_due"), (" Active", "active"), ("", None), (None, None)]
)
def test_an_allowed_status_is_kept_in_its_own_spelling(given_value, expected):
    assert parse_revenue({"stripe_subscription_status": given_value}, RULES).subscription_status == expected


@pytest.mark.parametrize("status", ["cancelled", "gold", 1, True, [], {}])
def test_any_other_status_is_rejected(status):
    assert refusal({"stripe_subscription_status": status}) == "subscription status is not an allowed one"


def test_the_allowed_statuses_are_configuration():
    rules = Rules(statuses=("gold",))
    assert parse_revenue({"stripe_subscription_status": "gold"}, rules).subscription_status == "gold"
    assert refusal({"stripe_subscription_status": "active"}, rules) == "subscription status is not an allowed one"


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        ("TRUE", True),
        ("False", False),
        ("1", True),
        (" 0 ", False),
        (1.0, True),
        (None, None),
        ("", None),
    ],
)
def test_delinquent_is_read_from_every_form_of_true_and_false(given_value, expected):
    assert parse_revenue({"stripe_delinquent": given_value}, RULES).is_delinquent is expected


@pytest.mark.parametrize("value", ["yes", 2, -1, [], {}, 0.5, pytest.param(10**5000, id="huge")])
def test_any_other_delinquent_is_unknown_and_refuses_nobody(value):
    assert parse_revenue({"stripe_delinquent": value}, RULES).is_delinquent is None


def test_the_last_charge_comes_in_cents_or_by_configuration_in_dollars():
    attributes = {"stripe_last_charge_amount": "4518.62"}
    assert parse_revenue(attributes, RULES).last_payment_amount == Decimal("45.1862")
    assert parse_revenue(attributes, Rules(last_charge_unit="dollars")).last_payment_amount == Decimal("4518.62")


@pytest.mark.parametrize("name", ["stripe_last_charge_amount", "stripe_plan_price"])
@pytest.mark.parametrize("bad", [True, "n/a", [], {}, float("inf")])
def test_a_flat_amount_is_a_number(name, bad):
    assert refusal({name: bad}) == "amount is not a number"


@pytest.mark.parametrize("bad", [0, -5, True, 1.5, "2024-01-15", 1_700_000_000_000])
def test_the_last_charge_time_is_a_positive_integer(bad):
    assert refusal({"stripe_last_charge_at": bad}) == "timestamp is not a positive integer"


def test_every_attribute_can_be_renamed():
    names = AttributeNames(stripe_id="sid", subscriptions="Subs", payments="Pays", last_charge_amount="Last")
    attributes = {"sid": "cus_9", "Subs": [subscription()], "Pays": [payment()], "Last": 100, "stripe_id": "old"}
    revenue = parse_revenue(attributes, Rules(attributes=names))
    assert (revenue.stripe_customer_id, revenue.mrr, revenue.ltv) == ("cus_9", 299, 299)
    assert revenue.last_payment_amount == 1


MONTHS = {"month": Fraction(1), "year": Fraction(12), "week": Fraction(12, 52), "day": Fraction(12, 365)}
PRICES = st.tuples(
    st.integers(0, 10**9) | st.decimals(0, 10**6, places=3).map(str),
    st.sampled_from(sorted(MONTHS)),
    st.integers(1, 24),
    st.none() | st.integers(0, 1000),
)


@given(st.lists(PRICES, max_size=8))
def test_mrr_agrees_with_the_formula_in_fractions(prices):
    exact = Fraction(0)
    subscriptions = []
    for amount, interval, count, quantity in prices:
        seats = 1 if quantity is None else quantity
        exact += Fraction(amount) / 100 * seats / (MONTHS[interval] * count)
        plan = {"amount": amount, "interval": interval, "interval_count": count}
        subscriptions.append({"status": "active", "plan": plan, "quantity": quantity})
    revenue = parse_revenue({"stripe_subscriptions": subscriptions}, RULES)
    assert revenue.mrr == half_up(exact)
    assert revenue.arr == half_up(exact * 12)
    assert revenue.subscription_count == len(prices)


def half_up(exact):
    return Decimal(int(exact * 2 * 10**6 + 1) // 2).scaleb(-6)


def test_the_oracle_rounds_as_decimal_does():
    assert half_up(Fraction(5, 10**7)) == Decimal("0.0000005").quantize(Decimal("0.000001"), ROUND_HALF_UP)
