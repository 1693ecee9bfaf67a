"""The query language of the searches: validation, and compilation to a condition.

Validation is as strict as Intercom's: field, operator and value are required, operator and value must fit the field's
type, a group has at most 15 filters, and groups nest at most two levels. Violations are a 400 `parameter_invalid`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from intercom_sync.sandbox.conditions import Condition, Dates, Group, Test
from intercom_sync.sandbox.date_spans import Span, day_span, second_span
from intercom_sync.sandbox.errors import invalid
from intercom_sync.sandbox.fields import field_path, field_type
from intercom_sync.sandbox.matching import Passes, boolean_test, number_test, string_test
from intercom_sync.sandbox.stored_record import CONTACT, Kind

_OPERATORS = {
    "string": {"=", "!=", "IN", "NIN", "~", "!~", "^", "$"},
    "boolean": {"=", "!=", "IN", "NIN"},
    "integer": {"=", "!=", "IN", "NIN", "<", ">", "<=", ">="},
    "tag": {"=", "!="},
}
_TESTS: dict[str, Callable[[str, Any], Passes]] = {
    "string": string_test,
    "tag": string_test,
    "boolean": boolean_test,
    "integer": number_test,
}
_MAX_FILTERS = 15
_MAX_LEVELS = 2


@dataclass(frozen=True)
class Language:
    """The context of a query: record kind, time zone of days, whether dates are exact seconds, custom attributes."""

    kind: Kind
    zone: ZoneInfo
    exact: bool
    attributes: dict[str, str]

    def type_of(self, name: object) -> str:
        """Return the type of a field in a filter or sort.

        Raises:
            ApiError: the field is not searchable.
        """
        found = field_type(self.kind, name, self.attributes) if isinstance(name, str) else None
        if found is None:
            raise invalid(f"{name} is not a valid search field", "field")
        return found

    def date_operators(self, is_custom: bool) -> set[str]:
        """Return the operators of dates: `= < >` by day and six by the second for contacts; lists for conversations."""
        if self.kind is not CONTACT:
            return {"=", "!=", "<", ">", "IN", "NIN"}
        return {"=", "!=", "<", ">", "<=", ">="} if self.exact and not is_custom else {"=", "<", ">"}


def compile_query(query: Any, language: Language, level: int = 1) -> Condition:
    """Compile the `query` of a request to a condition.

    Raises:
        ApiError: 400 with the rule that the query violates.
    """
    if not isinstance(query, dict) or not query:
        raise invalid("query is required: it needs a field, an operator and a value", "query")
    if "field" in query:
        return _filter(query, language)
    operator, inner = query.get("operator"), query.get("value")
    if operator not in ("AND", "OR"):
        raise invalid(f"operator {operator!r} is not valid for a group of filters", "operator")
    if not isinstance(inner, list) or not inner:
        raise invalid("a group of filters needs a list of them as its value", "value")
    if len(inner) > _MAX_FILTERS:
        raise invalid(f"a group may hold at most {_MAX_FILTERS} filters", "value")
    if level > _MAX_LEVELS:
        raise invalid(f"filters may be nested at most {_MAX_LEVELS} levels deep", "value")
    return Group(operator == "AND", [compile_query(each, language, level + 1) for each in inner])


def _filter(query: dict[str, Any], language: Language) -> Condition:
    for name in ("operator", "value"):
        if name not in query:
            raise invalid(f"{name} is required", name)
    field, operator, value = query["field"], query["operator"], query["value"]
    kind = language.type_of(field)
    if kind == "date":
        return _dates(field, operator, value, language)
    if not isinstance(operator, str) or operator not in _OPERATORS[kind]:
        raise invalid(f"operator {operator!r} is not valid for the {kind} field {field}", "operator")
    return Test(field_path(field), _TESTS[kind](operator, value))


def _dates(field: str, operator: Any, value: Any, language: Language) -> Condition:
    is_custom = field.startswith("custom_attributes.")
    if not isinstance(operator, str) or operator not in language.date_operators(is_custom):
        raise invalid(f"operator {operator!r} is not valid for the date field {field}", "operator")
    timestamps = _timestamps(value, many=operator in ("IN", "NIN"))
    exact = language.kind is not CONTACT or (language.exact and not is_custom)
    zone = ZoneInfo("UTC") if language.exact else language.zone
    base_operator = "=" if operator in ("IN", "NIN") else operator
    spans: list[Span] = [
        second_span(base_operator, each) if exact else day_span(base_operator, each, zone) for each in timestamps
    ]
    column = language.kind.columns.index(field) if field in language.kind.columns else None
    return Dates(field_path(field), column, tuple(spans), operator in ("!=", "NIN"))


def _timestamps(value: Any, *, many: bool) -> list[int]:
    operands = value if many and isinstance(value, list) else [value]
    if many is not isinstance(value, list) or not operands:
        raise invalid(f"{value!r} is not a valid date", "value")
    return [_timestamp(each) for each in operands]


def _timestamp(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise invalid(f"{value!r} is not a valid date: UNIX seconds are", "value")
    return value
