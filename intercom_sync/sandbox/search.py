"""Execute searches: select records by a condition, sort them, and render one page.

Sort orders and results are cached until the next change. If the query is a span of the sort field, the result is found
by bisection, otherwise by a scan. A page joins the JSON that was serialized when the records were stored.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from intercom_sync.sandbox.conditions import Condition, Row, one_span
from intercom_sync.sandbox.errors import ApiError
from intercom_sync.sandbox.fields import field_path, values
from intercom_sync.sandbox.paging import Cursor, pages_object, read_cursor
from intercom_sync.sandbox.query import Language
from intercom_sync.sandbox.record_store import Order, Value, View
from intercom_sync.sandbox.stored_record import CONTACT, NULL, UNUSABLE, Record, load, usable_time

_MAX_CACHED_RESULTS = 512


@dataclass(frozen=True)
class Sort:
    """A sort field and direction, with a function that reads the field from a record."""

    field: str
    ascending: bool
    value: Callable[[Record], Value]
    column: int | None
    example: Value

    @property
    def name(self) -> str:
        """The name of the sort, which its cursors contain."""
        return f"{self.field} {'ascending' if self.ascending else 'descending'}"


def read_sort(requested: Any, language: Language) -> Sort:
    """Parse the sort of a request; by default contacts by last seen and conversations by last update, descending.

    Raises:
        ApiError: 400 `invalid_sort_order` for an unknown field or direction.
    """
    default = "last_seen_at" if language.kind is CONTACT else "updated_at"
    requested = {} if requested is None else requested
    if not isinstance(requested, dict):
        raise ApiError(400, "invalid_sort_order", "sort needs a field and an order")
    order = requested.get("order", "descending")
    if order not in ("ascending", "descending"):
        raise ApiError(400, "invalid_sort_order", f"Invalid sort order '{order}'. Use ascending or descending")
    field = requested.get("field", default)
    try:
        return sort_by(field, language.type_of(field), language, ascending=order == "ascending")
    except ApiError:
        raise ApiError(400, "invalid_sort_order", f"Invalid sort field '{field}'") from None


def sort_by(field: str, kind: str, language: Language, *, ascending: bool) -> Sort:
    """Return the sort by a field of a known type."""
    if field in language.kind.columns:
        column = language.kind.columns.index(field)
        return Sort(field, ascending, lambda record: record.times[column], column, 0)
    path = field_path(field)
    if kind in ("string", "tag"):
        return Sort(field, ascending, lambda record: _text(record, path), None, "")
    return Sort(field, ascending, lambda record: _number(record, path, kind), None, 0)


def _text(record: Record, path: tuple[str, ...]) -> str:
    found = values(load(record.body), path)
    return found[0] if found and isinstance(found[0], str) else ""


def _number(record: Record, path: tuple[str, ...], kind: str) -> float:
    found = values(load(record.body), path)
    if not found:
        return NULL
    if kind == "date":
        return usable_time(found[0], nullable=True)
    return found[0] if isinstance(found[0], int | float) else UNUSABLE


def find(view: View, condition: Condition | None, sort: Sort, token: object) -> Order:
    """Return all records that meet the condition, ascending; cached under `token` until the next change."""
    everything = view.order(sort.field, sort.value)
    if condition is None:
        return everything
    key = (token, sort.field)
    if key not in view.found:
        if len(view.found) >= _MAX_CACHED_RESULTS:
            view.found.clear()
        view.found[key] = _select(view, everything, condition, sort)
    return view.found[key]


def _select(view: View, everything: Order, condition: Condition, sort: Sort) -> Order:
    span = None if sort.column is None else one_span(condition, sort.column)
    if span is None:
        return [each for each in everything if condition.met(Row(view.records[each[1]]))]
    unusable = everything[bisect_left(everything, (UNUSABLE, "")) : bisect_left(everything, (1, ""))]
    low, high = (bisect_left(everything, (max(edge, 1), "")) for edge in span)
    return unusable + everything[low : max(low, high)]


def page(view: View, found: Order, sort: Sort, per_page: int, after: Any) -> tuple[list[bytes], dict[str, Any], int]:
    """Return one page: the JSON of its records, the `pages` object and the total count.

    Raises:
        ApiError: 400 `client_error` if `after` is not a cursor of this sort.
    """
    cursor = read_cursor(after, sort.name, sort.example)
    keys, has_more = _slice(found, sort.ascending, cursor, per_page)
    number = cursor.page if cursor else 1
    next_cursor = Cursor(*keys[-1], number + 1).text(sort.name) if has_more else None
    bodies = [view.records[key].body for _, key in keys]
    return bodies, pages_object(number, per_page, len(found), next_cursor), len(found)


def _slice(found: Order, ascending: bool, cursor: Cursor | None, per_page: int) -> tuple[Order, bool]:
    if ascending:
        start = bisect_right(found, (cursor.value, cursor.key)) if cursor else 0
        return found[start : start + per_page], start + per_page < len(found)
    end = bisect_left(found, (cursor.value, cursor.key)) if cursor else len(found)
    return found[max(0, end - per_page) : end][::-1], end > per_page


def envelope(kind: str, key: str, bodies: list[bytes], pages: dict[str, Any], total: int) -> bytes:
    """Return the JSON of a page: type, records under `key`, total count and `pages` object."""
    head = f'{{"type":"{kind}","{key}":['.encode()
    return b"".join((head, b",".join(bodies), b'],"total_count":%d,"pages":' % total, orjson.dumps(pages), b"}"))
