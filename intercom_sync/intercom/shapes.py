"""What a usable answer of each call looks like. Anything else that comes with status 200 is asked for again.

A search or a list ends where `pages.next` is absent or null; whatever else is no next page is not an end.
"""

from typing import Any

from intercom_sync.domain.records import record_id


def is_object(found: Any) -> bool:
    """Whether an answer is one object and no list of errors."""
    return isinstance(found, dict) and found.get("type") != "error.list" and not found.get("errors")


def has_list(key: str, found: Any) -> bool:
    """Whether an answer holds a list under its key."""
    return is_object(found) and _is_list_type(found.get("type")) and isinstance(found.get(key), list)


def is_search_page(key: str, found: Any) -> bool:
    """Whether an answer is a page of a search: records, and a cursor or no further page."""
    return has_list(key, found) and _is_next(found, cursor)


def is_numbered_page(key: str, found: Any) -> bool:
    """Whether an answer is a page of a list that is read by page numbers: there the next page is a URL."""
    return has_list(key, found) and _is_next(found, lambda following: following if isinstance(following, str) else None)


def is_contact(contact_id: str, found: Any) -> bool:
    """Whether an answer is the contact asked for: another's record says nothing of this one."""
    return is_object(found) and record_id(found) == contact_id


def is_conversation(conversation_id: str, found: Any) -> bool:
    """Whether an answer is the conversation asked for, with its parts: without them it does not say there are none."""
    if not is_object(found) or record_id(found) != conversation_id:
        return False
    parts = found.get("conversation_parts")
    return isinstance(parts.get("conversation_parts") if isinstance(parts, dict) else parts, list)


def next_page(found: dict[str, Any]) -> Any:
    """Return `pages.next` of a page; None after the last one."""
    pages = found.get("pages")
    return pages.get("next") if isinstance(pages, dict) else None


def cursor(following: Any) -> str | None:
    """Return the cursor in `pages.next`, or None where there is no usable one."""
    found = following.get("starting_after") if isinstance(following, dict) else None
    return found if isinstance(found, str) else None


def _is_next(found: dict[str, Any], usable: Any) -> bool:
    following = next_page(found)
    if following is None:
        return isinstance(found.get("pages"), dict | None)
    return bool(usable(following))


def _is_list_type(kind: Any) -> bool:
    """Whether a `type` is absent or a list's: `list`, `conversation.list`, `conversations.list`."""
    return kind is None or (isinstance(kind, str) and kind.endswith("list"))
