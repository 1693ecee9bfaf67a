"""Parse Intercom's conversation objects, and decide whether a conversation's parts must be fetched (R5.9)."""

from dataclasses import dataclass
from typing import Any

from intercom_sync.domain.messages import (
    Message,
    opened_by_contact,
    opening_message,
    parse_identity,
    parse_messages,
    parts_missing,
)
from intercom_sync.domain.parsing import parse_timestamp, usable_id, usable_timestamp
from intercom_sync.domain.rules import DAY, RECENT_DAYS

__all__ = [
    "Conversation",
    "Message",
    "needs_parts",
    "parse_conversation",
    "parse_messages",
    "parts_missing",
]

_RATINGS = range(1, 6)
_TEAMMATE_TIMES = ("first_admin_reply_at", "last_admin_reply_at", "first_close_at", "last_close_at")


# Immutable by convention: a frozen dataclass takes four times as long to create.
@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Conversation:
    """Represent one valid conversation of the search, without its parts.

    Attributes:
        id: Intercom's conversation id.
        created_at: UNIX seconds.
        updated_at: UNIX seconds; the version.
        open: open or snoozed.
        contact_ids: distinct ids of the contacts that take part; may be empty.
        rating: 1 to 5; None when unrated.
        rating_contact_id: id of the contact that rated it, when given.
        last_contact_reply_at: UNIX seconds of the last message by a contact, the opening message included; None when
            the statistics do not include it.
        only_others_replied: whether the record proves that no contact wrote a part.
        source_known: whether the record includes who opened the conversation.
        messages: the opening message, if a contact wrote it.
        ignored_rating: whether the rating is outside 1 to 5.
    """

    id: str
    created_at: int
    updated_at: int
    open: bool
    contact_ids: tuple[str, ...]
    rating: int | None
    rating_contact_id: str | None
    last_contact_reply_at: int | None
    only_others_replied: bool
    source_known: bool
    messages: tuple[Message, ...]
    ignored_rating: bool


def parse_conversation(record: object) -> Conversation:
    """Parse one conversation.

    Raises:
        InvalidRecordError: when shape, id, contacts or timestamps are invalid; an invalid rating or message is ignored.
    """
    fields, conversation_id, contact_ids = parse_identity(record)
    created_at = parse_timestamp(fields.get("created_at"), "created_at")
    updated_at = parse_timestamp(fields.get("updated_at"), "updated_at")
    messages = tuple(opening_message(fields, conversation_id, contact_ids))
    rating, rated_by, ignored = _rating(fields.get("conversation_rating"))
    statistics = _object(fields.get("statistics"))
    return Conversation(
        id=conversation_id,
        created_at=created_at,
        updated_at=updated_at,
        open=_is_open(fields),
        contact_ids=contact_ids,
        rating=rating,
        rating_contact_id=rated_by,
        last_contact_reply_at=usable_timestamp(statistics.get("last_contact_reply_at")),
        only_others_replied=_only_others_replied(fields, statistics, created_at),
        source_known=opened_by_contact(fields) is not None,
        messages=messages,
        ignored_rating=ignored,
    )


def needs_parts(
    conversation: Conversation, fetched_version: int | None, now: int, *, has_parts_stored: bool = False
) -> bool:
    """Return whether the parts that contacts wrote in the last 30 days can differ from the stored ones.

    A version is fetched once. A conversation with stored parts is fetched again at every newer version, because a part
    may have been redacted, or older ones merged in. One without stored parts is skipped only on evidence that no
    contact wrote a part in the last 30 days.

    Args:
        conversation: the current version.
        fetched_version: `updated_at` of the version whose parts were fetched last; None when none was.
        now: logical time of the sync, UNIX seconds.
        has_parts_stored: whether parts by contacts are stored.
    """
    if fetched_version is not None and conversation.updated_at <= fetched_version:
        return False
    if has_parts_stored:
        return True
    since, replied_at = now - RECENT_DAYS * DAY, conversation.last_contact_reply_at
    if max(conversation.updated_at, replied_at or 0) < since:
        return False
    if replied_at is not None and conversation.created_at <= replied_at < since:
        return False
    return not conversation.only_others_replied


def _is_open(record: dict[str, Any]) -> bool:
    is_open, state = record.get("open"), record.get("state")
    return state == "snoozed" or (is_open if type(is_open) is bool else state == "open")


def _rating(rating: object) -> tuple[int | None, str | None, bool]:
    """Return the rating, the contact that gave it, and whether a rating was ignored; a null rating is unrated."""
    value = rating.get("rating") if type(rating) is dict else None
    if type(rating) is not dict or value is None:
        return None, None, False
    if type(value) not in (int, float) or value not in _RATINGS:
        return None, None, True
    contact = rating.get("contact")
    return int(value), usable_id(contact.get("id")) if type(contact) is dict else None, False


def _only_others_replied(record: dict[str, Any], statistics: dict[str, Any], created_at: int) -> bool:
    """Return whether the statistics prove that no contact wrote a part; null or absent ones prove nothing."""
    by_contact, count = opened_by_contact(record), statistics.get("count_conversation_parts")
    if by_contact is None or type(count) is not int:
        return False
    times = {usable_timestamp(statistics.get(name)) for name in _TEAMMATE_TIMES} - {None}
    if by_contact:
        # The last reply is the opening message. A contact's part may have the same second, so every part (the count
        # includes the opening message) must have a different one.
        replied_at = usable_timestamp(statistics.get("last_contact_reply_at"))
        return replied_at == created_at and count - 1 <= len(times - {created_at})
    no_replies = (statistics.get(name, 0) is None for name in ("first_contact_reply_at", "last_contact_reply_at"))
    # All-null statistics were not collected, unless the conversation has no part to collect them from.
    return all(no_replies) and record.get("first_contact_reply", 0) is None and (bool(times) or count == 1)


def _object(value: object) -> dict[str, Any]:
    return value if type(value) is dict else {}
