"""Build single valid API records from a few fields, for tests and the generator.

The records follow Intercom's schemas of API version 2.16 (contact, conversation, conversation_part).
"""

from collections.abc import Iterable
from hashlib import blake2b
from itertools import count
from typing import Any

from intercom_sync.sandbox.statistics import conversation_times, statistics_of
from intercom_sync.sandbox.stripe_objects import payment, subscription

Json = dict[str, Any]
__all__ = (
    "author", "contact", "conversation", "hex_id", "location", "message", "part", "part_list", "payment", "rating",
    "subscription",
)  # fmt: skip

WORKSPACE = "sandbox1"
"""The default workspace id."""

_numbers = count(1)
_DEFAULT_TIME = 1_700_000_000
_UNSET_NAMES = (
    "last_replied_at last_contacted_at last_email_opened_at last_email_clicked_at language_override browser "
    "browser_version browser_language os android_app_name android_app_version android_device android_os_version "
    "android_sdk_version android_last_seen_at ios_app_name ios_app_version ios_device ios_os_version "
    "ios_sdk_version ios_last_seen_at"
)
_UNSET = dict.fromkeys(_UNSET_NAMES.split())


def hex_id(timestamp: int, name: str) -> str:
    """Return a contact id like Intercom's: 24 hex digits, the first eight of them the creation time."""
    return f"{timestamp & 0xFFFFFFFF:08x}{blake2b(name.encode(), digest_size=8).hexdigest()}"


def contact(**fields: Any) -> Json:
    """Build a contact as GET /contacts/{id} returns it, with default values for fields that are not given.

    Times are UNIX seconds. `updated_at` follows `created_at`, and `email_domain` follows `email`, unless given.
    """
    number = next(_numbers)
    created = fields.get("created_at", _DEFAULT_TIME)
    key = fields.get("id") or hex_id(_DEFAULT_TIME, f"contact {number}")
    email = fields.get("email", f"person{number}@example.com")
    return {
        "type": "contact",
        "id": key,
        "workspace_id": WORKSPACE,
        "external_id": f"account-{number}",
        "role": "user",
        "email": email,
        "email_domain": email.strip().rpartition("@")[2] if isinstance(email, str) else "",
        "phone": None,
        "name": f"Person {number}",
        "avatar": None,
        "owner_id": None,
        "social_profiles": {"type": "list", "data": []},
        "has_hard_bounced": False,
        "marked_email_as_spam": False,
        "unsubscribed_from_emails": False,
        "created_at": created,
        "updated_at": created,
        "signed_up_at": created,
        "last_seen_at": None,
        **_UNSET,
        "location": location(),
        "custom_attributes": {},
        **{name: _sublist(key, name) for name in ("tags", "notes", "companies")},
        **fields,
    }


def location(country: str | None = None, city: str | None = None, region: str | None = None) -> Json:
    """Build the location of a contact; the country is a name, not a code."""
    return {"type": "location", "country": country, "region": region, "city": city}


def _sublist(key: object, name: str) -> Json:
    return {"type": "list", "data": [], "url": f"/contacts/{key}/{name}", "total_count": 0, "has_more": False}


def author(kind: str = "user", id: str = "1", name: str | None = "Ada Field", email: str = "ada@example.com") -> Json:
    """Build the author of a message; `kind` is user, lead, contact, admin, bot or team."""
    return {"type": kind, "id": id, "name": name, "email": email}


def message(**fields: Any) -> Json:
    """Build the opening message (`source`) of a conversation; by default HTML from a customer."""
    return {
        "type": "conversation",
        "id": str(400_000_000 + next(_numbers)),
        "delivered_as": "customer_initiated",
        "subject": "",
        "body": "<p>Hello, I have a question.</p>",
        "author": author(),
        "attachments": [],
        "url": None,
        "redacted": False,
        **fields,
    }


def part(**fields: Any) -> Json:
    """Build a reply, note or event of a conversation; by default a customer comment at `created_at` (UNIX seconds)."""
    created = fields.get("created_at", _DEFAULT_TIME)
    return {
        "type": "conversation_part",
        "id": str(next(_numbers)),
        "part_type": "comment",
        "body": "<p>Thank you.</p>",
        "created_at": created,
        "updated_at": created,
        "notified_at": created,
        "assigned_to": None,
        "author": author(),
        "attachments": [],
        "external_id": None,
        "redacted": False,
        **fields,
    }


def conversation(
    *, contact_ids: Iterable[str] | None = None, parts: Iterable[Json] | None = None, **fields: Any
) -> Json:
    """Build a conversation as GET /conversations/{id} returns it, with its parts.

    `contact_ids` and `parts` are short forms of `contacts` and `conversation_parts`. `updated_at`, `statistics` and
    `first_contact_reply` are computed from the opening message and the parts unless given.
    """
    all_parts = list(parts or ())
    source = fields.get("source") or message()
    created = fields.get("created_at", _DEFAULT_TIME)
    participant_ids = list(contact_ids) if contact_ids is not None else [source["author"]["id"]]
    return {
        "type": "conversation",
        "id": str(500_000 + next(_numbers)),
        "title": None,
        "created_at": created,
        **conversation_times(created, source, all_parts),
        "waiting_since": None,
        "snoozed_until": None,
        "source": source,
        "contacts": {"type": "contact.list", "contacts": [{"type": "contact", "id": key} for key in participant_ids]},
        "admin_assignee_id": 0,
        "team_assignee_id": 0,
        "open": fields.get("state", "open") != "closed",
        "state": "open" if fields.get("open", True) else "closed",
        "read": True,
        "tags": {"type": "tag.list", "tags": []},
        "priority": "none",
        "sla_applied": None,
        "statistics": statistics_of(created, source, all_parts),
        "conversation_rating": None,
        "teammates": {"type": "admin.list", "teammates": []},
        "custom_attributes": {},
        "ticket": None,
        "linked_objects": {"type": "list", "data": [], "total_count": 0, "has_more": False},
        "ai_agent": None,
        "ai_agent_participated": False,
        "conversation_parts": part_list(all_parts),
        **fields,
    }


def part_list(parts: list[Json]) -> Json:
    """Build the list object of a conversation's parts, oldest first."""
    return {"type": "conversation_part.list", "conversation_parts": parts, "total_count": len(parts)}


def rating(score: int | None, *, by: str, at: int, remark: str = "") -> Json:
    """Build the rating of a conversation, 1 to 5; None means requested but not given."""
    return {
        "rating": score,
        "remark": remark,
        "created_at": at,
        "updated_at": at,
        "contact": {"type": "contact", "id": by},
        "teammate": {"type": "admin", "id": "7001"},
    }
