"""The two things read by search, and how Intercom names them.

What a search asks for is in `queries`; what is done with the records is no business of this package.
"""

from enum import Enum
from typing import Any, Literal

_EXACT_SINCE = (2, 17)


class Stream(Enum):
    """One kind of record that Intercom's search can list: contacts or conversations."""

    CONTACTS = "contacts"
    CONVERSATIONS = "conversations"

    @property
    def path(self) -> str:
        """The search endpoint, relative to the API's host."""
        return f"/{self.value}/search"

    def asked(self, version: str) -> str:
        """The search endpoint with what else is wanted: of users, also who was merged into them; it costs no call."""
        wanted = self is Stream.CONTACTS and is_at_least(version, MERGE_HISTORY_SINCE)
        return f"{self.path}?include_merge_history=true" if wanted else self.path

    @property
    def key(self) -> str:
        """The key of the records in the answer: contacts come under `data`, conversations under their own name."""
        return "data" if self is Stream.CONTACTS else "conversations"

    def dates_are_exact(self, version: str) -> bool:
        """Whether a search compares this stream's dates by the second rather than by the workspace's calendar day.

        Conversations always; contacts from API 2.17 on (Intercom's change log). An unknown version counts as by day,
        the weaker reading. Completeness never depends on the answer, only how finely a large read may be cut.
        """
        return self is Stream.CONVERSATIONS or is_at_least(version, _EXACT_SINCE)


CONTACTS = Stream.CONTACTS
CONVERSATIONS = Stream.CONVERSATIONS


MERGE_HISTORY_SINCE = (2, 16)
"""From here on a merged contact answers 410 with its target, and users carry their merge history."""
DELETED_LIST_SINCE = (2, 16)
"""From here on deleted conversations are listed."""


def is_at_least(version: str, wanted: tuple[int, int]) -> bool:
    """Whether a version is a numbered one and as new as that; `Preview` and the like count as older."""
    numbers = version.split(".")
    return all(number.isdecimal() for number in numbers) and tuple(map(int, numbers)) >= wanted


Field = Literal["created_at", "updated_at"]

DAY_MARGIN = 26 * 3600
"""Seconds: the longest local day there is (a clock put back two hours)."""
EPOCH_FLOOR = 1
"""The bound below which no record lies; an empty query is refused."""
MAX_PAGE_SIZE = 150
"""The most records a search gives at once (Intercom's reference for search paging)."""


def lower_bound(stream: Stream, second: int) -> int:
    """The value V for which `> V` finds every record at or after `second`, however V is read."""
    widening = 1 if stream is Stream.CONVERSATIONS else DAY_MARGIN
    return max(EPOCH_FLOOR, second - widening)


def upper_bound(stream: Stream, second: int) -> int:
    """The value V for which `< V` finds every record at or before `second`, however V is read."""
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
