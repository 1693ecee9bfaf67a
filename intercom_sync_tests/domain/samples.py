"""Records in Intercom's shape, each of its values invented, to be varied by the tests."""

from typing import Any

NOW = 1_760_000_000
DAY = 86_400


def contact(**fields: Any) -> dict[str, Any]:
    """A good contact without Stripe data."""
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
    """An active subscription as the directive samples it."""
    plan = {"amount": amount, "interval": interval, "nickname": "Pro Plan"}
    return {"id": "sub_1", "status": "active", "plan": plan, "quantity": 1} | fields


def payment(amount: Any = 29_900, **fields: Any) -> dict[str, Any]:
    """A succeeded payment as the directive samples it."""
    return {"amount": amount, "created": NOW - DAY, "status": "succeeded"} | fields


def said(body: Any, author: str = "c1", kind: str = "user", **fields: Any) -> dict[str, Any]:
    """Something with an author and a body: a source, or a part when it gets an id and a time."""
    return {"author": {"type": kind, "id": author}, "body": body} | fields


def part(number: int, body: Any, author: str = "c1", kind: str = "user", **fields: Any) -> dict[str, Any]:
    """A part of a conversation."""
    given = {"id": f"p{number}", "part_type": "comment", "created_at": NOW - DAY + number}
    return said(body, author, kind) | given | fields


def conversation(**fields: Any) -> dict[str, Any]:
    """A good conversation opened by its one contact ten days ago."""
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
