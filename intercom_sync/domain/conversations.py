"""What a conversation is: when it began, who takes part, how it was rated, and whether its parts are worth a request.

Shapes as in the Intercom API's conversation object. What contacts wrote belongs in `messages`, counting in `support`.
"""

from typing import Any, NamedTuple

from intercom_sync.domain.messages import (
    Message,
    opening_message,
    parts_missing,
    parts_truncated,
    read_identity,
    read_messages,
)
from intercom_sync.domain.records import read_timestamp, usable_id, usable_timestamp
from intercom_sync.domain.rules import DAY, RECENT_DAYS

__all__ = [
    "Conversation",
    "Message",
    "needs_parts",
    "parts_missing",
    "parts_truncated",
    "read_conversation",
    "read_messages",
]

_RATINGS = range(1, 6)


class Conversation(NamedTuple):
    """One usable conversation as the search gives it, without its parts.

    Attributes:
        id: Intercom's conversation id.
        created_at: UNIX seconds.
        updated_at: UNIX seconds; the version.
        open: open or snoozed.
        contact_ids: the contacts that take part, each once; may be none.
        rating: 1 to 5; None where unrated.
        rating_contact_id: who rated it, where named.
        last_contact_reply_at: UNIX seconds of what a contact wrote last, the opening message included.
        parts_count: parts and the opening message, by the statistics.
        statistics_known: whether the statistics say when a contact wrote last, null meaning never.
        messages: the opening message, if a contact wrote it.
        ignored_rating: whether there is a rating that is none of 1 to 5.
    """

    id: str
    created_at: int
    updated_at: int
    open: bool
    contact_ids: tuple[str, ...]
    rating: int | None
    rating_contact_id: str | None
    last_contact_reply_at: int | None
    parts_count: int | None
    statistics_known: bool
    messages: tuple[Message, ...]
    ignored_rating: bool


def read_conversation(record: object) -> Conversation:
    """Read one conversation.

    Raises:
        RejectionError: for a wrong shape, id, list of contacts or timestamp; a broken rating or message is passed over.
    """
    fields, conversation_id, contact_ids = read_identity(record)
    created_at = read_timestamp(fields.get("created_at"), "created_at")
    updated_at = read_timestamp(fields.get("updated_at"), "updated_at")
    messages = tuple(opening_message(fields, conversation_id, contact_ids))
    rating, rated_by, ignored = _rating(fields.get("conversation_rating"))
    replied_at, parts_count, known = _statistics(fields, bool(messages))
    return Conversation(
        conversation_id,
        created_at,
        updated_at,
        _is_open(fields),
        contact_ids,
        rating,
        rated_by,
        replied_at,
        parts_count,
        known,
        messages,
        ignored,
    )


def needs_parts(conversation: Conversation, fetched_version: int | None, now: int) -> bool:
    """Return whether the parts can hold words of a contact of the last 30 days that were not fetched yet.

    The statistics decide; where they are unknown, whatever changed in the last 30 days is worth a look.

    Args:
        conversation: the version at hand.
        fetched_version: `updated_at` of the version whose parts were fetched last; None when none was.
        now: the sync's instant, UNIX seconds.
    """
    if fetched_version is not None and conversation.updated_at <= fetched_version:
        return False
    since = now - RECENT_DAYS * DAY
    if not conversation.statistics_known:
        return conversation.updated_at >= since
    replied_at = conversation.last_contact_reply_at
    if replied_at is None or replied_at < since or conversation.parts_count == 1:
        return False
    # A reply as old as the conversation is the opening message, unless somebody else opened it.
    if replied_at <= conversation.created_at and conversation.messages:
        return False
    return fetched_version is None or replied_at >= fetched_version


def _is_open(record: dict[str, Any]) -> bool:
    given, state = record.get("open"), record.get("state")
    return state == "snoozed" or (given if type(given) is bool else state == "open")


def _rating(rating: object) -> tuple[int | None, str | None, bool]:
    """Return the rating, who gave it, and whether one was ignored; asked and unanswered is unrated."""
    value = rating.get("rating") if type(rating) is dict else None
    if type(rating) is not dict or value is None:
        return None, None, False
    if type(value) not in (int, float) or value not in _RATINGS:
        return None, None, True
    contact = rating.get("contact")
    return int(value), usable_id(contact.get("id")) if type(contact) is dict else None, False


def _statistics(record: dict[str, Any], opened_by_contact: bool) -> tuple[int | None, int | None, bool]:
    """Return when a contact wrote last, the count of parts, and whether the first of them is to be believed.

    Statistics may be null as a whole or field by field. A null reply means "never" only where nothing else says that a
    contact wrote and the count of parts shows that the statistics were taken at all.
    """
    statistics = record.get("statistics")
    if type(statistics) is not dict:
        return None, None, False
    replied_at = usable_timestamp(statistics.get("last_contact_reply_at"))
    count = statistics.get("count_conversation_parts")
    parts_count = count if type(count) is int and count >= 0 else None
    if replied_at is not None:
        return replied_at, parts_count, True
    wrote = opened_by_contact or statistics.get("first_contact_reply_at") or record.get("first_contact_reply")
    never = statistics.get("last_contact_reply_at") is None and parts_count is not None and not wrote
    return None, parts_count, never or parts_count == 1
