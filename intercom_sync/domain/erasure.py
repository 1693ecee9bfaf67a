"""Redaction of erased people in Intercom's records (R9.2).

Works on raw records of any shape, because an invalid record may name an erased person too.
`warehouse.privacy.suppression_list` stores and matches the people.
"""

from collections.abc import Collection, Iterator
from typing import Any

from intercom_sync.domain.emails import trim_email
from intercom_sync.domain.parsing import record_id

ERASED_CONTACT_ID = "forgotten"
"""Replaces the id of an erased contact, so that a conversation keeps its number of contacts and the metrics of the
other contacts stay right."""

_Json = dict[str, Any]


def claimed_email(contact: object) -> str | None:
    """Return a contact's email, trimmed, valid or not."""
    email = contact.get("email") if type(contact) is dict else None
    return trim_email(email) or None if type(email) is str else None


def participant_ids(conversation: object) -> set[str]:
    """Return the ids of everybody who takes part in a conversation, wrote in it or rated it."""
    if type(conversation) is not dict:
        return set()
    people = [
        *_contacts(conversation),
        _rater(conversation),
        *(message.get("author") for message in _messages(conversation)),
    ]
    return {id for person in people if (id := record_id(person))}


def redact_contacts(conversation: _Json, erased: Collection[str]) -> _Json | None:
    """Remove erased people and their messages from a conversation; return None when no other contact takes part."""
    contacts = _contacts(conversation)
    # Without a readable contact the conversation belongs to the author of its source.
    if all(record_id(contact) in erased for contact in contacts or [_object(conversation.get("source")).get("author")]):
        return None
    redacted = dict(conversation)
    if contacts:
        kept = [contact if record_id(contact) not in erased else {"id": ERASED_CONTACT_ID} for contact in contacts]
        redacted["contacts"] = {"type": "contact.list", "contacts": kept}
    if record_id(_rater(conversation)) in erased:
        redacted["conversation_rating"] = conversation["conversation_rating"] | {"contact": {"id": ERASED_CONTACT_ID}}
    redacted["source"] = _redact_message(conversation.get("source"), erased)
    if parts := _parts(conversation):
        # Redacted parts stay as empty ones, so that Intercom's counts of parts still match.
        redacted["conversation_parts"] = _object(conversation["conversation_parts"]) | {
            "conversation_parts": [_redact_message(part, erased) for part in parts]
        }
    return redacted


def _redact_message(message: Any, erased: Collection[str]) -> Any:
    author = message.get("author") if type(message) is dict else None
    return {**message, "author": None, "body": None} if record_id(author) in erased else message


def _messages(conversation: _Json) -> Iterator[_Json]:
    yield from (message for message in (conversation.get("source"), *_parts(conversation)) if type(message) is dict)


def _contacts(conversation: _Json) -> list[Any]:
    return _listed(conversation.get("contacts"), "contacts")


def _parts(conversation: _Json) -> list[Any]:
    return _listed(conversation.get("conversation_parts"), "conversation_parts")


def _listed(holder: Any, name: str) -> list[Any]:
    """Return a list that is given directly or inside an object; an empty one for anything else."""
    listed = holder.get(name) if type(holder) is dict else holder
    return listed if type(listed) is list else []


def _object(value: Any) -> _Json:
    return value if type(value) is dict else {}


def _rater(conversation: _Json) -> Any:
    return _object(conversation.get("conversation_rating")).get("contact")
