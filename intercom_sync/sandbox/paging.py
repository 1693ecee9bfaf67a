"""Page sizes and cursors.

A cursor is base64 of `[sort value, record id, next page, sort]`. It is opaque to clients and has no server state, so a
record edited between two pages may appear twice or not at all. With another sort it is rejected (400 `client_error`).
"""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

import orjson

from intercom_sync.sandbox.errors import ApiError, invalid
from intercom_sync.sandbox.record_store import Value

MAX_PER_PAGE = 150


@dataclass(frozen=True)
class Cursor:
    """The start of the next page, after this sort value and record, and its number."""

    value: Value
    key: str
    page: int

    def text(self, sort: str) -> str:
        """Return the encoded cursor."""
        return b64encode(orjson.dumps([self.value, self.key, self.page, sort])).decode()


def read_cursor(text: Any, sort: str, example: Value) -> Cursor | None:
    """Parse the cursor of a request; None for the first page.

    Args:
        text: the cursor that the client sent.
        sort: the sort of this request.
        example: a value of the sort's type.

    Raises:
        ApiError: 400 `client_error` for an invalid cursor or one of another sort.
    """
    if text is None or text == "":
        return None
    try:
        value, key, page, cursor_sort = orjson.loads(b64decode(text, validate=True))
    except (ValueError, TypeError):
        raise _invalid_cursor() from None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if (
        cursor_sort != sort
        or is_number is isinstance(example, str)
        or not isinstance(key, str)
        or not isinstance(page, int)
    ):
        raise _invalid_cursor()
    return Cursor(value, key, page)


def _invalid_cursor() -> ApiError:
    return ApiError(400, "client_error", "starting_after is not a valid cursor", field="starting_after")


def page_size(value: Any, default: int) -> int:
    """Return the requested `per_page`, 1 to 150.

    Raises:
        ApiError: 400 `parameter_invalid`.
    """
    if value is None:
        return default
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_PER_PAGE:
        raise invalid(f"per_page must be between 1 and {MAX_PER_PAGE}", "per_page")
    return value


def pages_object(page: int, per_page: int, total: int, next_cursor: str | None) -> dict[str, Any]:
    """Return the `pages` object of a response; the last page has no `next`."""
    pages: dict[str, Any] = {
        "type": "pages",
        "page": page,
        "per_page": per_page,
        "total_pages": -(-total // per_page),
    }
    if next_cursor is not None:
        pages["next"] = {"page": page + 1, "starting_after": next_cursor}
    return pages
