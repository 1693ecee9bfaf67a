"""The query language of the two searches: what is allowed, and the condition it compiles to.

Strict where the API is: field, operator and value are each required, the operator must fit the field's type, the
value its kind; at most 15 filters in a group and two levels of groups. Every breach is a 400 `parameter_invalid`.
Finding and paging are the business of `search`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from intercom_sync.sandbox.conditions import Condition, Dates, Group, Test
from intercom_sync.sandbox.date_spans import Span, day_span, second_span
from intercom_sync.sandbox.errors import invalid
from intercom_sync.sandbox.fields import field_type, place
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
_MOST_FILTERS = 15
_MOST_LEVELS = 2


@dataclass(frozen=True)
class Language:
    """What a query is read against: the kind of record, the zone of its days, whether dates are exact seconds."""

    kind: Kind
    zone: ZoneInfo
    exact: bool
    attributes: dict[str, str]

    def type_of(self, name: object) -> str:
        """The type of a field that a filter or a sort names.

        Raises:
            ApiError: there is no such field to search.
        """
        found = field_type(self.kind, name, self.attributes) if isinstance(name, str) else None
        if found is None:
            raise invalid(f"{name} is not a valid search field", "field")
        return found

    def date_operators(self, own_attribute: bool) -> set[str]:
        """Contacts: `= < >` by day, all six by the second; conversations compare seconds and take lists."""
        if self.kind is not CONTACT:
            return {"=", "!=", "<", ">", "IN", "NIN"}
        return {"=", "!=", "<", ">", "<=", ">="} if self.exact and not own_attribute else {"=", "<", ">"}


def compile_query(query: Any, language: Language, level: int = 1) -> Condition:
    """The condition that a request's `query` stands for.

    Raises:
        ApiError: 400, saying which rule the query breaks.
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
    if len(inner) > _MOST_FILTERS:
        raise invalid(f"a group may hold at most {_MOST_FILTERS} filters", "value")
    if level > _MOST_LEVELS:
        raise invalid(f"filters may be nested at most {_MOST_LEVELS} levels deep", "value")
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
    return Test(place(field), _TESTS[kind](operator, value))


def _dates(field: str, operator: Any, value: Any, language: Language) -> Condition:
    own = field.startswith("custom_attributes.")
    if not isinstance(operator, str) or operator not in language.date_operators(own):
        raise invalid(f"operator {operator!r} is not valid for the date field {field}", "operator")
    moments = _moments(value, many=operator in ("IN", "NIN"))
    exact = language.kind is not CONTACT or (language.exact and not own)
    zone = ZoneInfo("UTC") if language.exact else language.zone
    plain = "=" if operator in ("IN", "NIN") else operator
    spans: list[Span] = [second_span(plain, each) if exact else day_span(plain, each, zone) for each in moments]
    column = language.kind.columns.index(field) if field in language.kind.columns else None
    return Dates(place(field), column, tuple(spans), operator in ("!=", "NIN"))


def _moments(value: Any, *, many: bool) -> list[int]:
    given = value if many and isinstance(value, list) else [value]
    if many is not isinstance(value, list) or not given:
        raise invalid(f"{value!r} is not a valid date", "value")
    return [_moment(each) for each in given]


def _moment(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise invalid(f"{value!r} is not a valid date: UNIX seconds are", "value")
    return value
