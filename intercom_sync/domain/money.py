"""Exact numbers and amounts: what counts as a number, and the one place where an amount is rounded.

No floats: integers where possible, fractions otherwise, `Decimal` with six decimals as the result. Amounts are added in
thousandths of a major unit ("dollars" in the names here), which all of Stripe's minor units are made of. Which amounts
are added up belongs in `revenue`.
"""

import re
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

from intercom_sync.domain.currencies import LONGEST_CODE, minor_units, read_currency
from intercom_sync.domain.rejection import RejectionError

Number = int | Fraction

PARTS = 1000
"""Parts of a major unit in which amounts are added."""

LARGEST_AMOUNT = 10**18
"""Major units. No customer pays as much, and sums over any number of customers fit numeric(38, 6)."""

_MICROS = 10**6
_LIMIT = 10**34  # beyond it nothing is an amount or a quantity
_MAX_MICROS = LARGEST_AMOUNT * _MICROS
_EXACT = Context(prec=40)
_NUMERIC = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?").fullmatch
_WHOLE_FLOATS = 2.0**53  # below, a whole float is the integer that was written
_LONGEST = 400  # characters of a number's text


def exact_number(value: object) -> Number | None:
    """Return the number that a JSON number or a numeric text says, exactly; None where it says none.

    A float says its shortest decimal text. Booleans, NaN, infinities and magnitudes that no table holds are no numbers.
    """
    if type(value) is int:
        return value if -_LIMIT < value < _LIMIT else None
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) < _WHOLE_FLOATS else _parsed(repr(value))
    return _parsed(value.strip()) if type(value) is str and len(value) <= _LONGEST else None


def dollars(number: Number, per_dollar: int, field: str) -> Decimal:
    """Return number / per_dollar, rounded half up (away from zero) to six decimals.

    Raises:
        RejectionError: where the result is `LARGEST_AMOUNT` or more.
    """
    micros, rest = divmod(abs(number.numerator) * _MICROS, scale := number.denominator * per_dollar)
    micros += 2 * rest >= scale
    if micros >= _MAX_MICROS:
        raise RejectionError("amount is too large", field)
    return _EXACT.scaleb(-micros if number < 0 else micros, -6)


def read_amount(value: object, per_dollar: int, field: str) -> Decimal | None:
    """Return a flat amount as dollars, or None for null and blank.

    Raises:
        RejectionError: where it is not a number.
    """
    if value is None or (type(value) is str and not value.strip()):
        return None
    number = exact_number(value)
    if number is None:
        raise RejectionError("amount is not a number", field, value)
    return dollars(number, per_dollar, field)


def currency_unit(value: object) -> tuple[str | None, int]:
    """Return the currency that a value names, if it is one, and how many parts its minor unit is."""
    return _unit_of(value) if type(value) is str and len(value) <= LONGEST_CODE else _UNNAMED


@lru_cache(maxsize=512)
def _unit_of(text: str | None) -> tuple[str | None, int]:
    code = read_currency(text)
    return code, PARTS // minor_units(code)


_UNNAMED = _unit_of(None)


def _parsed(text: str) -> Number | None:
    if not _NUMERIC(text):
        return None
    numerator, denominator = Decimal(text).as_integer_ratio()
    if not -_LIMIT < numerator // denominator < _LIMIT:
        return None
    return numerator if denominator == 1 else Fraction(numerator, denominator)
