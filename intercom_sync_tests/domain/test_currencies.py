from decimal import Decimal

import pytest

from intercom_sync.domain.revenue.money import format_amount, minor_units, read_currency, rounded_amount


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("45594.583333", "usd", "$45,594.58"),
        ("0.005", "usd", "$0.01"),
        ("0", "usd", "$0.00"),
        ("-5", "usd", "-$5.00"),
        ("-0.001", "usd", "$0.00"),
        ("980.000000", "eur", "EUR 980.00"),
        ("98000.4", "jpy", "JPY 98,000"),
        ("1.5", "kwd", "KWD 1.500"),
        ("1234.5", "isk", "ISK 1,235"),
        ("5", "ugx", "UGX 5"),
        ("-1234", "gbp", "GBP -1,234.00"),
        ("350", None, "350.00 in several currencies"),
        ("NaN", "usd", "NaN"),
        ("Infinity", "eur", "Infinity"),
        ("9" * 31 + ".999999", "usd", "$10" + ",000" * 10 + ".00"),
    ],
)
def test_amounts_are_written_as_people_write_them(amount, currency, expected):
    assert format_amount(Decimal(amount), currency) == expected


def test_totals_are_rounded_as_they_are_written():
    assert rounded_amount(Decimal("45594.583333"), "usd") == Decimal("45594.58")
    assert rounded_amount(Decimal("45594.583333"), "jpy") == 45595


@pytest.mark.parametrize(
    ("value", "expected"),
    [("usd", "usd"), (" EUR\n", "eur"), ("", None), ("dollars", None), ("€", None), ("üsd", None), ("us1", None),
     (None, None), (392, None), (["usd"], None), ("x" * 100_000, None), (" " * 100 + "usd", None)],
)  # fmt: skip
def test_a_currency_is_three_letters_in_any_case(value, expected):
    assert read_currency(value) == expected


def test_minor_units_are_stripes():
    # https://docs.stripe.com/currencies: UGX and ISK have no fractions and are still sent as hundredths.
    zero = ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
    assert {minor_units(currency) for currency in zero} == {1}
    assert {minor_units(currency) for currency in ("bhd", "jod", "kwd", "omr", "tnd")} == {1000}
    assert {minor_units(currency) for currency in ("usd", "eur", "isk", "ugx", "huf", "twd", "xyz", None)} == {100}
