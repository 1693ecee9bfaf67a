"""What contacts wrote in a conversation: its opening message and parts, as visible text with their author.

Teammates, bots, notes and events are nobody's words here. Whether the parts are worth a request belongs in
`conversations`, what the text says in `cancel`.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from intercom_sync.domain.html_text import visible_text
from intercom_sync.domain.parsing import InvalidRecordError, record_id, usable_id, usable_timestamp

OPENING = "source"  # id of the opening message: Intercom gives it none in searches
PARTS_LIMIT = 500  # Intercom returns the newest 500 parts and no more
_LARGEST_COUNT = 2**31 - 1  # that a column holds
_CONTACT_TYPES = ("user", "lead", "contact")


class Message(NamedTuple):
    """One message that a contact wrote.

    Attributes:
        conversation_id: the conversation.
        message_id: id of the part; "source" for the opening message.
        author_id: the contact who wrote it; None where nobody can tell.
        created_at: UNIX seconds.
        text: visible text, never empty.
    """

    conversation_id: str
    message_id: str
    author_id: str | None
    created_at: int
    text: str


def parse_messages(detail: object) -> tuple[Message, ...]:
    """Read all messages by contacts from a conversation with its parts, the opening one first, each id once.

    An author who is not among the contacts (a lead who became a user) is the sole contact where there is only one.
    Parts that cannot be read, are redacted or have no text give nothing.

    Raises:
        RejectionError: where the detail is no conversation, or its contacts or parts are no lists.
    """
    record, conversation_id, contacts = parse_identity(detail)
    found = {message.message_id: message for message in opening_message(record, conversation_id, contacts)}
    for part in _parts(record):
        message_id, created_at = record_id(part), usable_timestamp(part.get("created_at"))
        if message_id and created_at and not _is_note(part):
            for author_id, text in _words(part, contacts):
                found[message_id] = Message(conversation_id, message_id, author_id, created_at, text)
    return tuple(found.values())


def opening_message(record: dict[str, Any], conversation_id: str, contacts: tuple[str, ...]) -> Iterator[Message]:
    """Yield the message that opened the conversation, if a contact wrote it; it is as old as the conversation."""
    source, created_at = record.get("source"), usable_timestamp(record.get("created_at"))
    if type(source) is dict and created_at:
        for author_id, text in _words(source, contacts):
            yield Message(conversation_id, OPENING, author_id, created_at, text)


def opened_by_contact(record: dict[str, Any]) -> bool | None:
    """Return whether a contact opened the conversation; None where the record does not say who did."""
    kind = _object(_object(record.get("source")).get("author")).get("type")
    return kind in _CONTACT_TYPES if type(kind) is str else None


def parts_missing(detail: object) -> int:
    """Return how many parts exist that the detail does not hold (Intercom returns the newest 500).

    `total_count` says how many there are. Where 500 came and it may itself be capped, the statistics say it too: they
    count the opening message as one.
    """
    if type(detail) is not dict:
        return 0
    received = len(_parts(detail))
    known = [received, _count(_object(detail.get("conversation_parts")), "total_count")]
    if received >= PARTS_LIMIT:
        known.append(_count(_object(detail.get("statistics")), "count_conversation_parts") - 1)
    return max(known) - received


def oldest_part_at(detail: object) -> int | None:
    """Return when the oldest of the parts that the detail holds was written; None where there is none."""
    times = (usable_timestamp(part.get("created_at")) for part in _parts(detail)) if type(detail) is dict else ()
    return min(filter(None, times), default=None)


def parts_truncated(detail: object) -> bool:
    """Return whether more parts exist than were returned."""
    return parts_missing(detail) > 0


def parse_identity(record: object) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """Return the conversation as an object, its id, and the ids of its contacts, each once, in order.

    Raises:
        RejectionError: where the record, its id or its list of contacts has the wrong shape; no contacts are fine.
    """
    if type(record) is not dict:
        raise InvalidRecordError("record of the wrong shape", "conversation", record)
    conversation_id = record_id(record)
    if conversation_id is None:
        raise InvalidRecordError("record without a usable id", "id", record.get("id"))
    return record, conversation_id, _contact_ids(record.get("contacts"))


def _contact_ids(contacts: object) -> tuple[str, ...]:
    listed = contacts.get("contacts") if type(contacts) is dict else contacts
    if listed is None:
        return ()
    if type(listed) is not list:
        raise InvalidRecordError("contacts of the wrong shape", "contacts", contacts)
    ids = dict.fromkeys(record_id(contact) for contact in listed)
    if None in ids:
        raise InvalidRecordError("contacts of the wrong shape", "contacts", contacts)
    return tuple(contact_id for contact_id in ids if contact_id)


def _parts(detail: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts that are objects.

    Raises:
        RejectionError: where there is something else than a list of parts.
    """
    parts = detail.get("conversation_parts")
    listed = parts.get("conversation_parts") if type(parts) is dict else parts
    if listed is None:
        return []
    if type(listed) is not list:
        raise InvalidRecordError("parts of the wrong shape", "conversation_parts", parts)
    return [part for part in listed if type(part) is dict]


def _is_note(part: dict[str, Any]) -> bool:
    """Return whether teammates wrote it to each other (note, note_and_reopen and the like)."""
    part_type = part.get("part_type")
    return type(part_type) is str and part_type.startswith("note")


def _words(said: dict[str, Any], contacts: tuple[str, ...]) -> Iterator[tuple[str | None, str]]:
    """Yield author and text where a contact said something."""
    author, body = said.get("author"), said.get("body")
    if type(author) is not dict or author.get("type") not in _CONTACT_TYPES:
        return
    if type(body) is not str or said.get("redacted") is True:
        return
    text = visible_text(body)
    if text:
        author_id = usable_id(author.get("id"))
        known = author_id in contacts or len(contacts) != 1
        yield (author_id if known else contacts[0]), text


def _object(value: object) -> dict[str, Any]:
    return value if type(value) is dict else {}


def _count(holder: dict[str, Any], name: str) -> int:
    value = holder.get(name)
    return min(value, _LARGEST_COUNT) if type(value) is int else 0
