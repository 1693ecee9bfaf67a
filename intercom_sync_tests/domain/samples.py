"""Valid Intercom records with invented values, for tests to vary."""

from typing import Any

NOW = 1_760_000_000
DAY = 86_400


def contact(**fields: Any) -> dict[str, Any]:
    """Build a valid contact without Stripe data."""
    return {
        "type": "contact",
        "id": "c1",
        "external_id": "u-1",
        "role": "user",
        "email": "Ann.Lee@Example.com",
        "name": "Ann Lee",
        "created_at": NOW - 400 * DAY,
        "updated_at": NOW - DAY,
        "last_seen_at": NOW - 2 * DAY,
        "location": {"type": "location", "country": "Ireland", "region": "Leinster", "city": "Dublin"},
        "custom_attributes": {},
    } | fields


def subscription(amount: Any = 29_900, interval: Any = "month", **fields: Any) -> dict[str, Any]:
    """Build an active subscription in the format of docs/requirements.md."""
    plan = {"amount": amount, "interval": interval, "nickname": "Pro Plan"}
    return {"id": "sub_1", "status": "active", "plan": plan, "quantity": 1} | fields


def payment(amount: Any = 29_900, **fields: Any) -> dict[str, Any]:
    """Build a succeeded payment in the format of docs/requirements.md."""
    return {"amount": amount, "created": NOW - DAY, "status": "succeeded"} | fields


def said(body: Any, author: str = "c1", kind: str = "user", **fields: Any) -> dict[str, Any]:
    """Build a message: a source, or a part if it has an id and a time."""
    return {"author": {"type": kind, "id": author}, "body": body} | fields


def part(number: int, body: Any, author: str = "c1", kind: str = "user", **fields: Any) -> dict[str, Any]:
    """Build a conversation part."""
    given = {"id": f"p{number}", "part_type": "comment", "created_at": NOW - DAY + number}
    return said(body, author, kind) | given | fields


def conversation(**fields: Any) -> dict[str, Any]:
    """Build a valid conversation that its only contact opened ten days ago."""
    return {
        "type": "conversation",
        "id": "v1",
        "created_at": NOW - 10 * DAY,
        "updated_at": NOW - DAY,
        "state": "open",
        "open": True,
        "contacts": {"type": "contact.list", "contacts": [{"type": "contact", "id": "c1"}]},
        "source": said("<p>Hello</p>"),
        "conversation_rating": None,
        "statistics": {"last_contact_reply_at": NOW - DAY, "count_conversation_parts": 4},
    } | fields
