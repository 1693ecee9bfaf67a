"""Generate contacts: names, emails, locations and times, without Stripe data."""

from random import Random
from typing import Any

from intercom_sync.sandbox import vocabulary
from intercom_sync.sandbox.builders import Json, contact, hex_id, location

DAY = 86_400
_CYCLE = 25
_EDGE_CASES = frozenset({3, 7, 11, 15, 19, 21, 23, 24})


def person(rng: Random, at: int, now: int, name: str) -> Json:
    """Generate contact number `at`: a user with a unique email. `name` makes ids differ between seeds."""
    first, last = rng.choice(vocabulary.FIRST), rng.choice(vocabulary.LAST)
    created = now - int(rng.uniform(1, 1000) * DAY)
    updated = now - int(min(now - created, rng.expovariate(1 / 45) * DAY + 60))
    return contact(
        id=hex_id(created, f"{name} contact {at}"),
        external_id=f"account-{at}",
        email=_email(rng, first, last, at),
        name=f"{first} {last}",
        created_at=created,
        updated_at=updated,
        signed_up_at=created + rng.randrange(600),
        last_seen_at=_last_seen(rng, created, updated),
        location=_location(rng),
        owner_id=rng.choice((None, None, "7001", "7002")),
    )


def _email(rng: Random, first: str, last: str, at: int) -> str:
    local = f"{first}.{last}{at}".replace("'", "").lower()
    ascii_local = local.translate({ord("å"): "a", ord("ü"): "u", ord("ú"): "u", ord("ñ"): "n"})
    return f"{ascii_local}@{rng.choice(vocabulary.COMPANIES)}.{rng.choice(vocabulary.ENDINGS)}"


def _last_seen(rng: Random, created: int, updated: int) -> int | None:
    return None if rng.random() < 0.08 else rng.randrange(created, updated + 1)


def _location(rng: Random) -> Any:
    chance = rng.random()
    if chance < 0.06:
        return None
    country, region, city = rng.choice(vocabulary.PLACES)
    if chance < 0.12:
        return location()
    return location(country, None if chance < 0.2 else city, region)


def make_lead(contact: Json, email: Any) -> None:
    """Change a contact to a lead: no sign-up time, a generated external id, often no email."""
    contact.update(role="lead", email=email, signed_up_at=None, external_id=contact["id"][::-1])
    contact["email_domain"] = email.rpartition("@")[2] if email else ""


def is_plain(at: int) -> bool:
    """Return whether `vary` leaves contact `at` unchanged."""
    return at % _CYCLE not in _EDGE_CASES


def vary(record: Json, at: int, now: int, earlier: str | None) -> None:
    """Apply the edge case of contact `at`, chosen by its number, so that small workspaces have all of them.

    Args:
        record: the contact.
        at: its number.
        now: the current time in UNIX seconds.
        earlier: the email of an earlier contact, to share.
    """
    match at % _CYCLE:
        case 3:
            make_lead(record, None)
        case 7:
            make_lead(record, "")
        case 11 if earlier:
            make_lead(record, earlier)
        case 15 if earlier:
            record["email"] = earlier.upper()
        case 19 if earlier:
            record["email"] = f"  {earlier.title()} "
        case 21:
            record["email"] = record["email"].title()
        case 23:
            record.update(name=None, signed_up_at=now + 20 * 365 * DAY)
        case 24:
            record.update(name="", phone="", last_seen_at=None)
