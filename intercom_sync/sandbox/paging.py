"""Pages: how many records one holds, and the cursor to the next.

A cursor is base64 of `[sort value, record id, next page, sort]`: opaque to clients and kept nowhere, so a record edited
between two pages may come twice or not at all. It is refused under another sort than its own (400 `client_error`).
"""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

import orjson

from intercom_sync.sandbox.errors import ApiError, invalid
from intercom_sync.sandbox.record_store import Value

MOST_PER_PAGE = 150


@dataclass(frozen=True)
class Cursor:
    """Where the next page starts: after this sort value and record, and the number of that page."""

    value: Value
    key: str
    page: int

    def text(self, sort: str) -> str:
        """The cursor as clients carry it."""
        return b64encode(orjson.dumps([self.value, self.key, self.page, sort])).decode()


def read_cursor(text: Any, sort: str, example: Value) -> Cursor | None:
    """The cursor a client sent back, or None for the first page.

    `sort` is the sort of this request and `example` a value of its type.

    Raises:
        ApiError: 400 `client_error`, not a cursor of this sort.
    """
    if text is None or text == "":
        return None
    try:
        value, key, page, of_sort = orjson.loads(b64decode(text, validate=True))
    except (ValueError, TypeError):
        raise _refused() from None
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if of_sort != sort or numeric is isinstance(example, str) or not isinstance(key, str) or not isinstance(page, int):
        raise _refused()
    return Cursor(value, key, page)


def _refused() -> ApiError:
    return ApiError(400, "client_error", "starting_after is not a valid cursor", field="starting_after")


def page_size(value: Any, default: int) -> int:
    """The `per_page` asked for, 1 to 150.

    Raises:
        ApiError: 400 `parameter_invalid`.
    """
    if value is None:
        return default
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_PER_PAGE:
        raise invalid(f"per_page must be between 1 and {MOST_PER_PAGE}", "per_page")
    return value


def pages_object(page: int, per_page: int, total: int, following: str | None) -> dict[str, Any]:
    """The `pages` of an answer; on the last page `next` is absent."""
    pages: dict[str, Any] = {
        "type": "pages",
        "page": page,
        "per_page": per_page,
        "total_pages": -(-total // per_page),
    }
    if following is not None:
        pages["next"] = {"page": page + 1, "starting_after": following}
    return pages
