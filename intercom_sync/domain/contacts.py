"""Parse and validate Intercom's contact objects (R6)."""

from dataclasses import dataclass

from intercom_sync.domain.emails import clean_email
from intercom_sync.domain.parsing import (
    InvalidRecordError,
    RejectionReason,
    clean_record,
    clean_text,
    parse_optional_timestamp,
    parse_text,
    parse_timestamp,
    record_id,
    record_updated_at,
    usable_id,
)
from intercom_sync.domain.revenue.contact_revenue import Revenue, parse_revenue
from intercom_sync.domain.rules import Rules

__all__ = ["Contact", "clean_record", "clean_text", "parse_contact", "record_id", "record_updated_at"]


# Immutable by convention: a frozen dataclass takes four times as long to create.
@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Contact:
    """Represent one valid contact, user or lead.

    Attributes:
        id: Intercom's contact id.
        email: trimmed, as spelled; None for contacts without one.
        external_id: the workspace's own user id.
        role: user or lead.
        name: as given; None when blank.
        location_country: country, by name.
        location_city: city.
        created_at: UNIX seconds.
        updated_at: UNIX seconds; the version.
        last_seen_at: UNIX seconds; None when never seen.
        revenue: parsed Stripe data.
        merged_ids: ids of the contacts that were merged into it, by its merge history.
    """

    id: str
    email: str | None
    external_id: str | None
    role: str | None
    name: str | None
    location_country: str | None
    location_city: str | None
    created_at: int
    updated_at: int
    last_seen_at: int | None
    revenue: Revenue
    merged_ids: tuple[str, ...] = ()


def parse_contact(record: object, rules: Rules) -> Contact:
    """Parse one contact of Intercom's search.

    Rules are checked in this order: shape, id, email, timestamps, texts, location, revenue.

    Raises:
        InvalidRecordError: the first rule that the contact breaks; no other error is raised.
    """
    if type(record) is not dict:
        raise InvalidRecordError(RejectionReason.RECORD_SHAPE, "contact", record)
    get = record.get
    contact_id = usable_id(get("id"))
    if contact_id is None:
        raise InvalidRecordError(RejectionReason.NO_ID, "id", get("id"))
    email = clean_email(get("email"))
    created_at = parse_timestamp(get("created_at"), "created_at")
    updated_at = parse_timestamp(get("updated_at"), "updated_at")
    last_seen_at = parse_optional_timestamp(get("last_seen_at"), "last_seen_at")
    external_id = parse_text(get("external_id"), "external_id")
    role = parse_text(get("role"), "role")
    name = parse_text(get("name"), "name")
    country, city = _location(get("location"))
    return Contact(
        id=contact_id,
        email=email,
        external_id=external_id,
        role=role,
        name=name,
        location_country=country,
        location_city=city,
        created_at=created_at,
        updated_at=updated_at,
        last_seen_at=last_seen_at,
        revenue=parse_revenue(get("custom_attributes"), rules),
        merged_ids=merged_ids(get("merge_history")),
    )


def _location(location: object) -> tuple[str | None, str | None]:
    if location is None:
        return None, None
    if type(location) is not dict:
        raise InvalidRecordError(RejectionReason.LOCATION_SHAPE, "location", location)
    country = parse_text(location.get("country"), "location.country")
    return country, parse_text(location.get("city"), "location.city")


def merged_ids(history: object) -> tuple[str, ...]:
    """Return the distinct ids of the contacts that a `merge_history` lists as merged into its owner.

    Only users have one, and only when the request includes it; unreadable entries are skipped.
    """
    if type(history) is not list:
        return ()
    ids = (usable_id(merge.get("source_contact_id")) for merge in history if type(merge) is dict)
    return tuple(dict.fromkeys(id for id in ids if id))
