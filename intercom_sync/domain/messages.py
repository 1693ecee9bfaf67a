"""Parse the messages that contacts wrote in a conversation: the opening message and the parts, as visible text.

Messages of teammates and bots, notes and events are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from intercom_sync.domain.html_text import visible_text
from intercom_sync.domain.parsing import InvalidRecordError, RejectionReason, record_id, usable_id, usable_timestamp

OPENING = "source"  # id of the opening message, which has none in search results
PARTS_LIMIT = 500  # Intercom returns the newest 500 parts only
_MAX_COUNT = 2**31 - 1  # maximum of an integer column
_CONTACT_TYPES = ("user", "lead", "contact")


# Immutable by convention: a frozen dataclass takes four times as long to create.
@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Message:
    """Represent one message that a contact wrote.

    Attributes:
        conversation_id: the conversation.
        message_id: id of the part; "source" for the opening message.
        author_id: id of the contact that wrote it; None when unknown.
        created_at: UNIX seconds.
        text: visible text, never empty.
    """

    conversation_id: str
    message_id: str
    author_id: str | None
    created_at: int
    text: str


def parse_messages(detail: object) -> tuple[Message, ...]:
    """Parse all messages by contacts from a conversation with its parts, the opening one first, deduplicated by id.

    An author who is not among the contacts (a lead who became a user) counts as the only contact, when there is one.
    Unreadable, redacted and empty parts are skipped.

    Raises:
        InvalidRecordError: when the detail is no conversation, or its contacts or parts are no lists.
    """
    record, conversation_id, contacts = parse_identity(detail)
    messages = {message.message_id: message for message in opening_message(record, conversation_id, contacts)}
    for part in _parts(record):
        message_id, created_at = record_id(part), usable_timestamp(part.get("created_at"))
        if message_id and created_at and not _is_note(part):
            for author_id, text in _text_by_contact(part, contacts):
                messages[message_id] = Message(
                    conversation_id=conversation_id,
                    message_id=message_id,
                    author_id=author_id,
                    created_at=created_at,
                    text=text,
                )
    return tuple(messages.values())


def opening_message(record: dict[str, Any], conversation_id: str, contacts: tuple[str, ...]) -> Iterator[Message]:
    """Yield the opening message if a contact wrote it, with the creation time of the conversation."""
    source, created_at = record.get("source"), usable_timestamp(record.get("created_at"))
    if type(source) is dict and created_at:
        for author_id, text in _text_by_contact(source, contacts):
            yield Message(
                conversation_id=conversation_id,
                message_id=OPENING,
                author_id=author_id,
                created_at=created_at,
                text=text,
            )


def opened_by_contact(record: dict[str, Any]) -> bool | None:
    """Return whether a contact opened the conversation; None when the record does not include the author."""
    kind = _object(_object(record.get("source")).get("author")).get("type")
    return kind in _CONTACT_TYPES if type(kind) is str else None


def parts_missing(detail: object) -> int:
    """Count the parts that exist and are not in the detail, because Intercom returns the newest 500 only.

    `total_count` is the number of parts. With 500 parts it may itself be capped, so the statistics count as well; they
    include the opening message.
    """
    if type(detail) is not dict:
        return 0
    received = len(_parts(detail))
    counts = [received, _count(_object(detail.get("conversation_parts")), "total_count")]
    if received >= PARTS_LIMIT:
        counts.append(_count(_object(detail.get("statistics")), "count_conversation_parts") - 1)
    return max(counts) - received


def oldest_part_at(detail: object) -> int | None:
    """Return the creation time of the oldest part in the detail; None without parts."""
    times = (usable_timestamp(part.get("created_at")) for part in _parts(detail)) if type(detail) is dict else ()
    return min(filter(None, times), default=None)


def parse_identity(record: object) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """Return the conversation as an object, its id, and the distinct ids of its contacts in order.

    Raises:
        InvalidRecordError: when the record, its id or its list of contacts has the wrong shape; the list may be empty.
    """
    if type(record) is not dict:
        raise InvalidRecordError(RejectionReason.RECORD_SHAPE, "conversation", record)
    conversation_id = record_id(record)
    if conversation_id is None:
        raise InvalidRecordError(RejectionReason.NO_ID, "id", record.get("id"))
    return record, conversation_id, _contact_ids(record.get("contacts"))


def _contact_ids(contacts: object) -> tuple[str, ...]:
    listed = contacts.get("contacts") if type(contacts) is dict else contacts
    if listed is None:
        return ()
    if type(listed) is not list:
        raise InvalidRecordError(RejectionReason.CONTACTS_SHAPE, "contacts", contacts)
    ids = dict.fromkeys(record_id(contact) for contact in listed)
    if None in ids:
        raise InvalidRecordError(RejectionReason.CONTACTS_SHAPE, "contacts", contacts)
    return tuple(contact_id for contact_id in ids if contact_id)


def _parts(detail: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts that are objects.

    Raises:
        InvalidRecordError: when the parts are not a list.
    """
    parts = detail.get("conversation_parts")
    listed = parts.get("conversation_parts") if type(parts) is dict else parts
    if listed is None:
        return []
    if type(listed) is not list:
        raise InvalidRecordError(RejectionReason.PARTS_SHAPE, "conversation_parts", parts)
    return [part for part in listed if type(part) is dict]


def _is_note(part: dict[str, Any]) -> bool:
    """Return whether the part is an internal note of teammates (note, note_and_reopen and the like)."""
    part_type = part.get("part_type")
    return type(part_type) is str and part_type.startswith("note")


def _text_by_contact(message: dict[str, Any], contacts: tuple[str, ...]) -> Iterator[tuple[str | None, str]]:
    """Yield author and visible text when a contact wrote the message and it has a text."""
    author, body = message.get("author"), message.get("body")
    if type(author) is not dict or author.get("type") not in _CONTACT_TYPES:
        return
    if type(body) is not str or message.get("redacted") is True:
        return
    text = visible_text(body)
    if text:
        author_id = usable_id(author.get("id"))
        keep_author = author_id in contacts or len(contacts) != 1
        yield (author_id if keep_author else contacts[0]), text


def _object(value: object) -> dict[str, Any]:
    return value if type(value) is dict else {}


def _count(holder: dict[str, Any], name: str) -> int:
    value = holder.get(name)
    return min(value, _MAX_COUNT) if type(value) is int else 0
