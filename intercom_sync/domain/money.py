"""Exact numbers and dollars: what counts as a number, and the one place where an amount is rounded.

No floats: integers where possible, fractions otherwise, `Decimal` with six decimals as the result. Which amounts are
added up belongs in `revenue`.
"""

import re
from decimal import Context, Decimal
from fractions import Fraction

from intercom_sync.domain.rejection import RejectionError

Number = int | Fraction

CENTS = 100
_MICROS = 10**6
_LIMIT = 10**34  # cents; 10**32 dollars no longer fit numeric(38, 6)
_MAX_MICROS = 10**38
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
        RejectionError: where the result does not fit numeric(38, 6).
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


def _parsed(text: str) -> Number | None:
    if not _NUMERIC(text):
        return None
    numerator, denominator = Decimal(text).as_integer_ratio()
    if not -_LIMIT < numerator // denominator < _LIMIT:
        return None
    return numerator if denominator == 1 else Fraction(numerator, denominator)
