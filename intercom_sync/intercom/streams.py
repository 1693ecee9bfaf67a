"""The streams of Intercom's search, contacts and conversations, and the body of a search."""

from enum import Enum
from typing import Any, Literal

_EXACT_SINCE = (2, 17)


class Stream(Enum):
    """Name a stream: one kind of record that Intercom's search lists."""

    CONTACTS = "contacts"
    CONVERSATIONS = "conversations"

    @property
    def path(self) -> str:
        """Return the search endpoint, relative to the API's host."""
        return f"/{self.value}/search"

    def search_path(self, version: str) -> str:
        """Return the search endpoint with its query: contacts include their merge history, at no extra call."""
        has_merge_history = self is Stream.CONTACTS and is_at_least(version, MERGE_HISTORY_SINCE)
        return f"{self.path}?include_merge_history=true" if has_merge_history else self.path

    @property
    def key(self) -> str:
        """Return the key of the records in a response."""
        return "data" if self is Stream.CONTACTS else "conversations"

    def dates_are_exact(self, version: str) -> bool:
        """Tell whether searches compare this stream's dates by the second, not by the workspace's calendar day.

        Conversations always; contacts from API 2.17 on (Intercom's change log). An unknown version counts as by day.
        This only affects the granularity of shards, never completeness.
        """
        return self is Stream.CONVERSATIONS or is_at_least(version, _EXACT_SINCE)


CONTACTS = Stream.CONTACTS
CONVERSATIONS = Stream.CONVERSATIONS


MERGE_HISTORY_SINCE = (2, 16)
"""Since this version a merged contact returns 410 with its target, and users have a merge history."""
DELETED_LIST_SINCE = (2, 16)
"""Since this version deleted conversations are listed."""


def is_at_least(version: str, minimum: tuple[int, int]) -> bool:
    """Compare a version with a minimum; `Preview` and other names count as older."""
    numbers = version.split(".")
    return all(number.isdecimal() for number in numbers) and tuple(map(int, numbers)) >= minimum


Field = Literal["created_at", "updated_at"]

DAY_MARGIN = 26 * 3600
"""Seconds of the longest local day (a clock set back by two hours)."""
EPOCH_FLOOR = 1
"""Lower bound of a full scan; Intercom rejects an empty query."""
MAX_PAGE_SIZE = 150
"""Maximum page size (Intercom's reference for search paging)."""


def lower_bound(stream: Stream, second: int) -> int:
    """Return V such that `> V` matches every record at or after `second`, with dates by the second or by day."""
    margin = 1 if stream is Stream.CONVERSATIONS else DAY_MARGIN
    return max(EPOCH_FLOOR, second - margin)


def upper_bound(stream: Stream, second: int) -> int:
    """Return V such that `< V` matches every record at or before `second`, with dates by the second or by day."""
    return second + (1 if stream is Stream.CONVERSATIONS else DAY_MARGIN)


def search(
    field: Field,
    *,
    descending: bool,
    after: int = EPOCH_FLOOR,
    before: int | None = None,
    cursor: str | None = None,
    per_page: int = MAX_PAGE_SIZE,
) -> dict[str, Any]:
    """Return the body of a search for records whose `field` is between two exclusive bounds.

    The order is explicit, because Intercom's default, last seen, changes during a scan. The cursor is in the body,
    because Intercom ignores it in the URL and would return the first page forever.
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
