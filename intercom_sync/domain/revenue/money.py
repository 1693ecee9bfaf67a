"""Currencies and amounts: minor units by Stripe's list, exact arithmetic, formatting.

Stripe's list of currencies: https://docs.stripe.com/currencies.
"""

import re
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from functools import lru_cache

from intercom_sync.domain.parsing import InvalidRecordError, RejectionReason

DEFAULT_CURRENCY = "usd"
_ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
# Stripe's special cases: they have no fractions, but the API uses hundredths (500 is 5 ISK).
_WHOLE_IN_HUNDREDTHS = frozenset({"isk", "ugx"})
LONGEST_CODE = 20  # characters, with the spaces around it
_LETTERS = 3
_EXACT_CURRENCY = Context(prec=100)


def read_currency(value: object) -> str | None:
    """Return a currency code in lower case, or None for anything but three letters."""
    if type(value) is not str or len(value) > LONGEST_CODE:
        return None
    code = value.strip().lower()
    return code if len(code) == _LETTERS and code.isascii() and code.isalpha() else None


def minor_units(currency: str | None) -> int:
    """Return the number of minor units in one major unit at Stripe; 100 without a currency."""
    if currency in _ZERO_DECIMAL:
        return 1
    return 1000 if currency in THREE_DECIMAL else 100


def displayed_decimals(currency: str | None) -> int:
    """Return the usual number of decimals of an amount."""
    if currency in _ZERO_DECIMAL or currency in _WHOLE_IN_HUNDREDTHS:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def rounded_amount(amount: Decimal, currency: str | None) -> Decimal:
    """Round an amount half up to its usual number of decimals."""
    return amount.quantize(Decimal(1).scaleb(-displayed_decimals(currency)), ROUND_HALF_UP, _EXACT_CURRENCY)


def format_amount(amount: Decimal, currency: str | None) -> str:
    """Format an amount, as in $45,594.58 or JPY 98,000; without a currency it is a sum over several."""
    if not amount.is_finite():
        return f"{amount}"
    rounded = rounded_amount(amount, currency)
    number, sign = f"{rounded.copy_abs():,f}", "-" if rounded < 0 else ""
    if currency == DEFAULT_CURRENCY:
        return f"{sign}${number}"
    return f"{currency.upper()} {sign}{number}" if currency else f"{sign}{number} in several currencies"


Number = int | Fraction

PARTS = 1000
"""Amounts are summed in 1/1000 of a major unit, the smallest minor unit of any currency."""

LARGEST_AMOUNT = 10**18
"""Upper bound in major units; sums over any number of customers still fit numeric(38, 6)."""

_MICROS = 10**6
_LIMIT = 10**34  # larger numbers are neither amounts nor quantities
_MAX_MICROS = LARGEST_AMOUNT * _MICROS
_EXACT = Context(prec=40)
_NUMERIC = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?").fullmatch
_WHOLE_FLOATS = 2.0**53  # below it, a float represents every integer exactly
_MAX_NUMBER_CHARACTERS = 400


def exact_number(value: object) -> Number | None:
    """Return the exact number of a JSON number or a numeric text; None for anything else.

    A float counts as its shortest decimal text. Booleans, NaN, infinities and numbers too large to store give None.
    """
    if type(value) is int:
        return value if -_LIMIT < value < _LIMIT else None
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) < _WHOLE_FLOATS else _parse_number(repr(value))
    return _parse_number(value.strip()) if type(value) is str and len(value) <= _MAX_NUMBER_CHARACTERS else None


@lru_cache(maxsize=4096)  # prices repeat from customer to customer
def dollars(number: Number, per_dollar: int, field: str) -> Decimal:
    """Return number / per_dollar, rounded half up (away from zero) to six decimals.

    Raises:
        InvalidRecordError: when the result is `LARGEST_AMOUNT` or more.
    """
    micros, rest = divmod(abs(number.numerator) * _MICROS, scale := number.denominator * per_dollar)
    micros += 2 * rest >= scale
    if micros >= _MAX_MICROS:
        raise InvalidRecordError(RejectionReason.AMOUNT_TOO_LARGE, field)
    return _EXACT.scaleb(-micros if number < 0 else micros, -6)


def parse_amount(value: object, per_dollar: int, field: str) -> Decimal | None:
    """Parse a flat amount as dollars; None for null and blank.

    Raises:
        InvalidRecordError: when it is not a number.
    """
    if value is None or (type(value) is str and not value.strip()):
        return None
    number = exact_number(value)
    if number is None:
        raise InvalidRecordError(RejectionReason.AMOUNT_NOT_A_NUMBER, field, value)
    return dollars(number, per_dollar, field)


def currency_unit(value: object) -> tuple[str | None, int]:
    """Return the currency code in a value, if it is valid, and its minor unit in parts."""
    return _unit_of(value) if type(value) is str and len(value) <= LONGEST_CODE else _NO_CURRENCY


@lru_cache(maxsize=512)
def _unit_of(text: str | None) -> tuple[str | None, int]:
    code = read_currency(text)
    return code, PARTS // minor_units(code)


_NO_CURRENCY = _unit_of(None)


def _parse_number(text: str) -> Number | None:
    if not _NUMERIC(text):
        return None
    numerator, denominator = Decimal(text).as_integer_ratio()
    if not -_LIMIT < numerator // denominator < _LIMIT:
        return None
    return numerator if denominator == 1 else Fraction(numerator, denominator)
