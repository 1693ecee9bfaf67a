"""A whole invented company, the same for the same arguments.

It has every case that the sync's rules tell apart, whatever its size, and from 200 records on a few broken ones.
"""

import time
from random import Random

from intercom_sync.sandbox import invalid_records
from intercom_sync.sandbox.builders import Json
from intercom_sync.sandbox.conversations_generator import ConversationGenerator
from intercom_sync.sandbox.people import is_plain, person, vary
from intercom_sync.sandbox.stripe_amounts import stripe_data
from intercom_sync.sandbox.workspace import Workspace

_BROKEN_FROM = 200
_HOUR = 3600
_TALKERS = 100_000  # contacts that hold conversations


def generate(
    *,
    contacts: int,
    conversations: int,
    seed: int = 7,
    now: int | None = None,
    timezone: str = "America/Los_Angeles",
) -> Workspace:
    """An invented company.

    Args:
        contacts: how many, broken ones and leads included.
        conversations: how many; with contacts only.
        seed: another number is another company, of another workspace.
        now: the company's present in UNIX seconds; by default the hour just begun.
        timezone: IANA name of the workspace's zone.
    """
    present = int(time.time()) // _HOUR * _HOUR if now is None else now
    company = Workspace(timezone=timezone, workspace_id=f"sandbox{seed}")
    rng = Random(f"{seed} people")
    people = _put_people(company, rng, contacts, present, seed)
    if people:
        _put_talk(company, Random(f"{seed} talk"), conversations, present, people)
    return company


def _put_people(company: Workspace, rng: Random, count: int, now: int, seed: int) -> list[Json]:
    """Store the contacts one by one, as a million at once would not fit; keep of some what conversations need."""
    talkers: list[Json] = []
    spoilt = _spoilt(count, len(invalid_records.CONTACTS))
    users = 0
    for at in range(count):
        one = person(rng, at, now, str(seed))
        vary(rng, one, at, now, rng.choice(talkers)["email"] if talkers else None)
        if one["role"] == "user":
            one["custom_attributes"] = stripe_data(rng, users, now)
            users += 1
        if at in spoilt:
            invalid_records.CONTACTS[spoilt[at]](one)
        elif len(talkers) < _TALKERS:
            talkers.append({name: one[name] for name in ("id", "role", "name", "email")})
        company.put_contact(one)
    return talkers


def _put_talk(company: Workspace, rng: Random, count: int, now: int, people: list[Json]) -> None:
    spoilt = _spoilt(count, len(invalid_records.CONVERSATIONS))
    for at in range(count):
        made = ConversationGenerator(rng, at, now, people).build()
        if at in spoilt:
            invalid_records.CONVERSATIONS[spoilt[at]](made)
        company.put_conversation(made)


def _spoilt(count: int, kinds: int) -> dict[int, int]:
    """Which records are spoilt, and how: spread over the company, past those that stand for a case.

    Only plain ones, as a lead without an address would be left out before anyone looked at what is wrong with it.
    """
    if count < _BROKEN_FROM:
        return {}
    step = (count - 100) // kinds
    wanted = (100 + number * step for number in range(kinds))
    return {next(at for at in range(start, start + step) if is_plain(at)): kind for kind, start in enumerate(wanted)}
