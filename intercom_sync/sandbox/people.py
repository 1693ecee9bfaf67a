"""Who an invented company's contacts are: names, addresses, places, and when they came and were last seen.

Money is the business of `money`, conversations of `talk`.
"""

from random import Random
from typing import Any

from intercom_sync.sandbox import vocabulary
from intercom_sync.sandbox.builders import Json, contact, hex_id, location

DAY = 86_400
_ROUND = 25
_AWKWARD = frozenset({3, 7, 11, 15, 19, 21, 23, 24})


def person(rng: Random, at: int, now: int, name: str) -> Json:
    """Contact number `at`: a user with an address of their own. `name` makes ids differ between seeds."""
    first, last = rng.choice(vocabulary.FIRST), rng.choice(vocabulary.LAST)
    created = now - int(rng.uniform(1, 1000) * DAY)
    updated = now - int(min(now - created, rng.expovariate(1 / 45) * DAY + 60))
    return contact(
        id=hex_id(created, f"{name} contact {at}"),
        external_id=f"account-{at}",
        email=_address(rng, first, last, at),
        name=f"{first} {last}",
        created_at=created,
        updated_at=updated,
        signed_up_at=created + rng.randrange(600),
        last_seen_at=_seen(rng, created, updated),
        location=_location(rng),
        owner_id=rng.choice((None, None, "7001", "7002")),
    )


def _address(rng: Random, first: str, last: str, at: int) -> str:
    local = f"{first}.{last}{at}".replace("'", "").lower()
    plain = local.translate({ord("å"): "a", ord("ü"): "u", ord("ú"): "u", ord("ñ"): "n"})
    return f"{plain}@{rng.choice(vocabulary.COMPANIES)}.{rng.choice(vocabulary.ENDINGS)}"


def _seen(rng: Random, created: int, updated: int) -> int | None:
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
    """Turn a contact into a lead: no sign-up, an id that Intercom made up, often no address."""
    contact.update(role="lead", email=email, signed_up_at=None, external_id=contact["id"][::-1])
    contact["email_domain"] = email.rpartition("@")[2] if email else ""


def is_plain(at: int) -> bool:
    """Whether `vary` leaves contact `at` as it is."""
    return at % _ROUND not in _AWKWARD


def vary(rng: Random, one: Json, at: int, now: int, earlier: str | None) -> None:
    """Make contact `at` one of the awkward ones, by its number, so that a company of any size has them all.

    `earlier` is the address of a contact before it, to share.
    """
    match at % _ROUND:
        case 3:
            make_lead(one, None)
        case 7:
            make_lead(one, "")
        case 11 if earlier:
            make_lead(one, earlier)
        case 15 if earlier:
            one["email"] = earlier.upper()
        case 19 if earlier:
            one["email"] = f"  {earlier.title()} "
        case 21:
            one["email"] = one["email"].title()
        case 23:
            one.update(name=None, signed_up_at=now + 20 * 365 * DAY)
        case 24:
            one.update(name="", phone="", last_seen_at=None)
