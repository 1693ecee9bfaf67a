"""Compute the `statistics` and derived times of a conversation from its messages. Times are UNIX seconds."""

from typing import Any

CUSTOMERS = frozenset({"user", "lead", "contact"})
_MESSAGES = frozenset({"comment", "quick_reply", "open", "close", "assignment"})


def written_by(parts: list[dict[str, Any]], kinds: frozenset[str]) -> list[int]:
    """Return the times of the public messages by authors of these types."""
    return [
        each["created_at"]
        for each in parts
        if each.get("body") and each.get("part_type") in _MESSAGES and each["author"]["type"] in kinds
    ]


def _message_times(created: int, source: dict[str, Any], parts: list[dict[str, Any]]) -> tuple[list[int], list[int]]:
    by_contact = written_by(parts, CUSTOMERS)
    if source["author"]["type"] in CUSTOMERS:
        by_contact.insert(0, created)
    return by_contact, written_by(parts, frozenset({"admin", "team"}))


def conversation_times(created: int, source: dict[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return `updated_at` (of the latest part) and `first_contact_reply` (null without a customer message)."""
    by_contact, _ = _message_times(created, source, parts)
    first = {"created_at": by_contact[0], "type": source["type"], "url": None} if by_contact else None
    return {"updated_at": max((created, *(each["created_at"] for each in parts))), "first_contact_reply": first}


def statistics_of(created: int, source: dict[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the `statistics` object. The opening message counts as a part and as a contact's reply."""
    by_contact, by_admin = _message_times(created, source, parts)
    closes = [each["created_at"] for each in parts if each.get("part_type") == "close"]
    return {
        "type": "conversation_statistics",
        "time_to_assignment": None,
        "time_to_admin_reply": by_admin[0] - created if by_admin else None,
        "time_to_first_close": closes[0] - created if closes else None,
        "time_to_last_close": closes[-1] - created if closes else None,
        "first_contact_reply_at": by_contact[0] if by_contact else None,
        "first_admin_reply_at": by_admin[0] if by_admin else None,
        "first_close_at": closes[0] if closes else None,
        "last_contact_reply_at": by_contact[-1] if by_contact else None,
        "last_admin_reply_at": by_admin[-1] if by_admin else None,
        "last_close_at": closes[-1] if closes else None,
        "count_reopens": 0,
        "count_assignments": 0,
        "count_conversation_parts": len(parts) + 1,
    }
