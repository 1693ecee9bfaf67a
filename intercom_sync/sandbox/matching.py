"""Tests of the search operators on string, number and boolean fields.

A test gets all values at the field's path (none for null) and returns whether the record matches. `query` defines
which operators a type has.
"""

from collections.abc import Callable
from typing import Any

from intercom_sync.sandbox.errors import invalid

Passes = Callable[[list[Any]], bool]


def string_test(operator: str, value: Any) -> Passes:
    """Return a case-insensitive string test; null matches a missing value."""
    if operator in ("IN", "NIN"):
        wanted = {_text(each) for each in _list(value)}
        return _inclusion({each for each in wanted if each is not None}, operator == "IN", _fold)
    text = _text(value)
    if operator in ("=", "!="):
        return _equality(text, operator == "=", _fold)
    if text is None:
        raise invalid(f"operator {operator!r} needs a string", "value")
    tests: dict[str, Callable[[str], bool]] = {
        "~": lambda found: text in found,
        "!~": lambda found: text not in found,
        "^": lambda found: found.startswith(text),
        "$": lambda found: found.endswith(text),
    }
    test = tests[operator]
    if operator == "!~":
        return lambda found: all(test(_fold(each)) for each in found)
    return lambda found: any(test(_fold(each)) for each in found)


def boolean_test(operator: str, value: Any) -> Passes:
    """Return a boolean test; string and number operands are rejected."""
    operands = _list(value) if operator in ("IN", "NIN") else [value]
    if not all(isinstance(each, bool) for each in operands):
        raise invalid(f"{value!r} is not a boolean", "value")
    return _inclusion(set(operands), operator in ("IN", "="), _number_or_none)


def number_test(operator: str, value: Any) -> Passes:
    """Return a number test; the query may have a string of digits, the record may not."""
    if operator in ("IN", "NIN"):
        return _inclusion({_number(each) for each in _list(value)}, operator == "IN", _number_or_none)
    if operator in ("=", "!="):
        return _equality(None if value is None else _number(value), operator == "=", _number_or_none)
    limit = _number(value)
    tests: dict[str, Callable[[float], bool]] = {
        "<": lambda found: found < limit,
        "<=": lambda found: found <= limit,
        ">": lambda found: found > limit,
        ">=": lambda found: found >= limit,
    }
    test = tests[operator]
    return lambda found: any(isinstance(each, int | float) and test(each) for each in found)


def _equality(value: Any, equal: bool, key: Callable[[Any], Any]) -> Passes:
    if value is None:
        return lambda found: (not found) is equal
    return _inclusion({value}, equal, key)


def _inclusion(wanted: set[Any], inside: bool, key: Callable[[Any], Any]) -> Passes:
    return lambda found: any(key(each) in wanted for each in found) is inside


def _number_or_none(value: Any) -> Any:
    return value if isinstance(value, int | float) else None


def _fold(value: Any) -> str:
    return str(value).casefold()


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise invalid("operators IN and NIN need a list of values", "value")
    return value


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise invalid(f"{value!r} is not a string", "value")
    return None if value is None else value.casefold()


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise invalid(f"{value!r} is not a number", "value")
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        raise invalid(f"{value!r} is not a number", "value") from None
