"""What a conversation is: when it began, who takes part, how it was rated, and whether its parts are worth a request.

Shapes as in the Intercom API's conversation object. What contacts wrote belongs in `messages`, counting in `support`.
"""

from typing import Any, NamedTuple

from intercom_sync.domain.messages import (
    Message,
    opened_by_contact,
    opening_message,
    parse_identity,
    parse_messages,
    parts_missing,
    parts_truncated,
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
    "parts_truncated",
]

_RATINGS = range(1, 6)
_TIMES_OF_OTHERS = ("first_admin_reply_at", "last_admin_reply_at", "first_close_at", "last_close_at")


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
        last_contact_reply_at: UNIX seconds of what a contact wrote last, the opening message included; None where the
            statistics do not say.
        only_others_replied: whether there is positive evidence that no part is a contact's.
        source_known: whether the version says who opened the conversation.
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
    only_others_replied: bool
    source_known: bool
    messages: tuple[Message, ...]
    ignored_rating: bool


def parse_conversation(record: object) -> Conversation:
    """Read one conversation.

    Raises:
        RejectionError: for a wrong shape, id, list of contacts or timestamp; a broken rating or message is passed over.
    """
    fields, conversation_id, contact_ids = parse_identity(record)
    created_at = parse_timestamp(fields.get("created_at"), "created_at")
    updated_at = parse_timestamp(fields.get("updated_at"), "updated_at")
    messages = tuple(opening_message(fields, conversation_id, contact_ids))
    rating, rated_by, ignored = _rating(fields.get("conversation_rating"))
    statistics = _object(fields.get("statistics"))
    return Conversation(
        conversation_id,
        created_at,
        updated_at,
        _is_open(fields),
        contact_ids,
        rating,
        rated_by,
        usable_timestamp(statistics.get("last_contact_reply_at")),
        _only_others_replied(fields, statistics, created_at),
        opened_by_contact(fields) is not None,
        messages,
        ignored,
    )


def needs_parts(
    conversation: Conversation, fetched_version: int | None, now: int, *, has_parts_stored: bool = False
) -> bool:
    """Return whether what contacts wrote in the parts in the last 30 days can differ from what is stored.

    A version is fetched once. Stored parts are fetched again with every newer version: one may have been redacted, and
    older ones appear when another conversation is merged in. Without stored parts only evidence that no contact wrote
    any in the last 30 days spares the request.

    Args:
        conversation: the version at hand.
        fetched_version: `updated_at` of the version whose parts were fetched last; None when none was.
        now: the sync's instant, UNIX seconds.
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


def _only_others_replied(record: dict[str, Any], statistics: dict[str, Any], created_at: int) -> bool:
    """Return whether there is positive evidence that no part is a contact's; what is null or absent is none."""
    by_contact, count = opened_by_contact(record), statistics.get("count_conversation_parts")
    if by_contact is None or type(count) is not int:
        return False
    times = {usable_timestamp(statistics.get(name)) for name in _TIMES_OF_OTHERS} - {None}
    if by_contact:
        # The last reply is the opening message. Another one may be of the same second, so every part (the count has the
        # opening message too) must be one of another second.
        replied_at = usable_timestamp(statistics.get("last_contact_reply_at"))
        return replied_at == created_at and count - 1 <= len(times - {created_at})
    silent = (statistics.get(name, 0) is None for name in ("first_contact_reply_at", "last_contact_reply_at"))
    # Statistics that are null throughout were not taken, unless there is nothing to take them of.
    return all(silent) and record.get("first_contact_reply", 0) is None and (bool(times) or count == 1)


def _object(value: object) -> dict[str, Any]:
    return value if type(value) is dict else {}
