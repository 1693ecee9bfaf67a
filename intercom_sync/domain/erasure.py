"""What is left of Intercom's records when people who must be forgotten are taken out of them.

Works on records as they came, of any shape: also one that the rules refuse may name somebody. Who is forgotten is kept
and looked up by `warehouse.privacy.suppression_list`.
"""

from collections.abc import Collection, Iterator
from typing import Any

from intercom_sync.domain.emails import trim_email
from intercom_sync.domain.parsing import record_id

ERASED_CONTACT_ID = "forgotten"
"""Stands in place of a forgotten contact's id: a conversation of two stays one of two, and what is said of the other
customer in it stays right."""

_Json = dict[str, Any]


def claimed_email(contact: object) -> str | None:
    """Return the email that a contact claims to have, trimmed, be it valid or not."""
    email = contact.get("email") if type(contact) is dict else None
    return trim_email(email) or None if type(email) is str else None


def participant_ids(conversation: object) -> set[str]:
    """Return the ids of whom a conversation names as taking part, writing or rating."""
    if type(conversation) is not dict:
        return set()
    named = [*_contacts(conversation), _rater(conversation), *(said.get("author") for said in _said(conversation))]
    return {id for one in named if (id := record_id(one))}


def redact_contacts(conversation: _Json, gone: Collection[str]) -> _Json | None:
    """Return a conversation without these people and their words; None when nobody else takes part in it."""
    contacts = _contacts(conversation)
    # One that lists nobody readable is whose who opened it.
    if all(record_id(one) in gone for one in contacts or [_object(conversation.get("source")).get("author")]):
        return None
    left = dict(conversation)
    if contacts:
        kept = [contact if record_id(contact) not in gone else {"id": ERASED_CONTACT_ID} for contact in contacts]
        left["contacts"] = {"type": "contact.list", "contacts": kept}
    if record_id(_rater(conversation)) in gone:
        left["conversation_rating"] = conversation["conversation_rating"] | {"contact": {"id": ERASED_CONTACT_ID}}
    left["source"] = _silenced(conversation.get("source"), gone)
    if parts := _parts(conversation):
        # Each stays as an empty one: Intercom's counts of parts must go on being right.
        left["conversation_parts"] = _object(conversation["conversation_parts"]) | {
            "conversation_parts": [_silenced(part, gone) for part in parts]
        }
    return left


def _silenced(said: Any, gone: Collection[str]) -> Any:
    author = said.get("author") if type(said) is dict else None
    return {**said, "author": None, "body": None} if record_id(author) in gone else said


def _said(conversation: _Json) -> Iterator[_Json]:
    yield from (said for said in (conversation.get("source"), *_parts(conversation)) if type(said) is dict)


def _contacts(conversation: _Json) -> list[Any]:
    return _listed(conversation.get("contacts"), "contacts")


def _parts(conversation: _Json) -> list[Any]:
    return _listed(conversation.get("conversation_parts"), "conversation_parts")


def _listed(holder: Any, name: str) -> list[Any]:
    """Return a list that comes as it is or inside an object; none where something else stands."""
    listed = holder.get(name) if type(holder) is dict else holder
    return listed if type(listed) is list else []


def _object(value: Any) -> _Json:
    return value if type(value) is dict else {}


def _rater(conversation: _Json) -> Any:
    return _object(conversation.get("conversation_rating")).get("contact")
