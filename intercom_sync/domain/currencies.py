"""Currencies: how many minor units make a major one at Stripe, and how people write an amount.

Stripe's list of currencies: https://docs.stripe.com/currencies.
"""

from decimal import ROUND_HALF_UP, Context, Decimal

DEFAULT_CURRENCY = "usd"
_ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
# Stripe's special cases: they have no fractions, and the API still takes hundredths of them (500 is 5 ISK).
_WHOLE_IN_HUNDREDTHS = frozenset({"isk", "ugx"})
LONGEST_CODE = 20  # characters, with the spaces around it
_LETTERS = 3
_EXACT = Context(prec=100)


def read_currency(value: object) -> str | None:
    """Return a currency's code in lower case; anything else than three letters says nothing."""
    if type(value) is not str or len(value) > LONGEST_CODE:
        return None
    code = value.strip().lower()
    return code if len(code) == _LETTERS and code.isascii() and code.isalpha() else None


def minor_units(currency: str | None) -> int:
    """Return how many minor units Stripe counts in one major unit; without a currency they are hundredths."""
    if currency in _ZERO_DECIMAL:
        return 1
    return 1000 if currency in THREE_DECIMAL else 100


def displayed_decimals(currency: str | None) -> int:
    """Return how many decimals people write of an amount."""
    if currency in _ZERO_DECIMAL or currency in _WHOLE_IN_HUNDREDTHS:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def rounded_amount(amount: Decimal, currency: str | None) -> Decimal:
    """Return the amount with the decimals that people write, rounded half up."""
    return amount.quantize(Decimal(1).scaleb(-displayed_decimals(currency)), ROUND_HALF_UP, _EXACT)


def format_amount(amount: Decimal, currency: str | None) -> str:
    """Return the amount as people write it: $45,594.58, JPY 98,000; without a currency it is a sum of several."""
    if not amount.is_finite():
        return f"{amount}"
    rounded = rounded_amount(amount, currency)
    number, sign = f"{rounded.copy_abs():,f}", "-" if rounded < 0 else ""
    if currency == DEFAULT_CURRENCY:
        return f"{sign}${number}"
    return f"{currency.upper()} {sign}{number}" if currency else f"{sign}{number} in several currencies"
