"""The expected result of parsing contacts and conversations, as plain dictionaries."""

from typing import Any
from unicodedata import category

from intercom_sync_tests.model.money import Broken, moment, revenue
from intercom_sync_tests.model.words import BAD_EMAILS, BODIES, CUSTOMERS, NO_EMAILS

Json = dict[str, Any]


def usable(value: Any) -> int | None:
    """Return a time in UNIX seconds, if it is valid."""
    try:
        return moment(value)
    except Broken:
        return None


def name_of(record: Any) -> str | None:
    found = record.get("id") if isinstance(record, dict) else None
    return found if isinstance(found, str) and found.strip() else None


def read_contact(record: Any) -> Json:
    """Return the contact's email and its columns of `unified_customers`.

    Raises:
        Broken: it breaks a rule.
    """
    if name_of(record) is None:
        raise Broken("shape")
    email = record.get("email")
    if any(email == bad and type(email) is type(bad) for bad in BAD_EMAILS):
        raise Broken("email")
    place = record.get("location")
    if place is not None and not isinstance(place, dict):
        raise Broken("location")
    seen = record.get("last_seen_at")
    name = (record.get("name") or "").replace("\0", "")
    return {
        "id": record["id"],
        "key": None if email in NO_EMAILS else _shown(email).lower(),
        "created_at": moment(record.get("created_at")),
        "updated_at": moment(record.get("updated_at")),
        "name": name if name.strip() else None,
        "external_id": record.get("external_id"),
        "location_country": (place or {}).get("country"),
        "location_city": (place or {}).get("city"),
        "last_seen_at": None if seen is None else moment(seen),
        **revenue(record.get("custom_attributes")),
    }


def _shown(email: str) -> str:
    """Strip spaces and Unicode format characters from an email."""
    shown = [place for place, each in enumerate(email) if not each.isspace() and category(each) != "Cf"]
    return email[shown[0] : shown[-1] + 1]


def read_talk(record: Any) -> Json:
    """Return the participants of a conversation, whether it is open, and its rating.

    Raises:
        Broken: it breaks a rule.
    """
    listed = record.get("contacts") if name_of(record) is not None else "nobody"
    if not isinstance(listed, dict):
        raise Broken("shape")
    rating = record.get("conversation_rating") or {}
    score = rating.get("rating")
    return {
        "id": record["id"],
        "created_at": moment(record.get("created_at")),
        "updated_at": moment(record.get("updated_at")),
        "people": list(dict.fromkeys(one["id"] for one in listed["contacts"])),
        "open": record["open"] or record["state"] == "snoozed",
        "score": score if type(score) is int and 1 <= score <= 5 else None,
        "by": (rating.get("contact") or {}).get("id"),
    }


def mentions(record: Json, parts: list[Json]) -> list[tuple[str, int]]:
    """Return the authors and times of cancel mentions in the opening message and the parts."""
    opens = isinstance(record["source"], dict) and usable(record["created_at"])
    opening = [(record["source"], record["created_at"])] if opens else []
    said = [*opening, *((part, part["created_at"]) for part in parts)]
    return [
        (each["author"]["id"], at)
        for each, at in said
        if each["author"]["type"] in CUSTOMERS and BODIES[each["body"]] and each.get("part_type") != "note"
    ]
