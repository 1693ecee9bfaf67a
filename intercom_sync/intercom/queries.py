"""The bodies of searches: pure functions, right under every documented reading of a date.

Up to API 2.16 a contact's dates are matched by calendar day in the workspace's time zone: `>` begins with the day after
the value's day, `<` ends before it, and `>=` is an error. From 2.17 on, and for conversations, they are exact, with
some doubt whether the equal second is included. Bounds here are therefore widened until the answer holds at least what
was wanted in any zone; the caller cuts. No paging rules here: those are in `pages`.
"""

from typing import Any, Literal

from intercom_sync.intercom.streams import Stream

Field = Literal["created_at", "updated_at"]

WIDENING = 26 * 3600
"""Seconds: the longest local day there is (a clock put back two hours)."""
EVER = 1
"""The bound below which no record lies; an empty query is refused."""
MAX_PER_PAGE = 150
"""The most records a search gives at once (Intercom's reference for search paging)."""


def lower_bound(stream: Stream, second: int) -> int:
    """The value V for which `> V` finds every record at or after `second`, however V is read."""
    widening = 1 if stream is Stream.CONVERSATIONS else WIDENING
    return max(EVER, second - widening)


def upper_bound(stream: Stream, second: int) -> int:
    """The value V for which `< V` finds every record at or before `second`, however V is read."""
    return second + (1 if stream is Stream.CONVERSATIONS else WIDENING)


def search(
    field: Field,
    *,
    descending: bool,
    after: int = EVER,
    before: int | None = None,
    cursor: str | None = None,
    per_page: int = MAX_PER_PAGE,
) -> dict[str, Any]:
    """The body of a search for records whose `field` lies after one second and, if given, before another.

    The order is always stated (without one Intercom sorts by last seen, which reshuffles under the reader), and the
    cursor goes into the body (in the URL it is ignored and page one comes back for ever).
    """
    bounds = [{"field": field, "operator": ">", "value": after}]
    if before is not None:
        bounds.append({"field": field, "operator": "<", "value": before})
    pagination: dict[str, Any] = {"per_page": per_page}
    if cursor is not None:
        pagination["starting_after"] = cursor
    return {
        "query": bounds[0] if len(bounds) == 1 else {"operator": "AND", "value": bounds},
        "sort": {"field": field, "order": "descending" if descending else "ascending"},
        "pagination": pagination,
    }
