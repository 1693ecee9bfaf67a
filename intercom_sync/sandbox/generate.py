"""Generate a workspace; the same arguments give the same workspace.

It covers every case of the sync's rules, and from 200 records on it has a few invalid records.
"""

import time
from random import Random

from intercom_sync.sandbox import invalid_records
from intercom_sync.sandbox.builders import Json
from intercom_sync.sandbox.conversations_generator import ConversationGenerator
from intercom_sync.sandbox.people import is_plain, person, vary
from intercom_sync.sandbox.stripe_amounts import stripe_data
from intercom_sync.sandbox.workspace import Workspace

_MIN_RECORDS_FOR_INVALID = 200
_HOUR_SECONDS = 3600
_MAX_PARTICIPANTS = 100_000  # contacts that can have conversations


def generate(
    *,
    contacts: int,
    conversations: int,
    seed: int = 7,
    now: int | None = None,
    timezone: str = "America/Los_Angeles",
) -> Workspace:
    """Generate a workspace.

    Args:
        contacts: number of contacts, including leads and invalid ones.
        conversations: number of conversations; none without contacts.
        seed: the random seed; it also determines the workspace id.
        now: the current time in UNIX seconds; by default the start of this hour.
        timezone: IANA name of the time zone of the workspace.
    """
    present = int(time.time()) // _HOUR_SECONDS * _HOUR_SECONDS if now is None else now
    workspace = Workspace(timezone=timezone, workspace_id=f"sandbox{seed}")
    rng = Random(f"{seed} people")
    participants = _put_contacts(workspace, rng, contacts, present, seed)
    if participants:
        _put_conversations(workspace, Random(f"{seed} talk"), conversations, present, participants)
    return workspace


def _put_contacts(workspace: Workspace, rng: Random, count: int, now: int, seed: int) -> list[Json]:
    """Store the contacts one by one, since a million do not fit in memory, and return possible participants."""
    participants: list[Json] = []
    invalid = _invalid(count, len(invalid_records.CONTACTS))
    users = 0
    for at in range(count):
        record = person(rng, at, now, str(seed))
        vary(record, at, now, rng.choice(participants)["email"] if participants else None)
        if record["role"] == "user":
            record["custom_attributes"] = stripe_data(rng, users, now)
            users += 1
        if at in invalid:
            invalid_records.CONTACTS[invalid[at]](record)
        elif len(participants) < _MAX_PARTICIPANTS:
            participants.append({name: record[name] for name in ("id", "role", "name", "email")})
        workspace.put_contact(record)
    return participants


def _put_conversations(workspace: Workspace, rng: Random, count: int, now: int, people: list[Json]) -> None:
    invalid = _invalid(count, len(invalid_records.CONVERSATIONS))
    for at in range(count):
        record = ConversationGenerator(rng, at, now, people).build()
        if at in invalid:
            invalid_records.CONVERSATIONS[invalid[at]](record)
        workspace.put_conversation(record)


def _invalid(count: int, kinds: int) -> dict[int, int]:
    """Choose which records to make invalid, and how: spread over the workspace, after the first one of each case.

    Only ordinary contacts are chosen: a lead without an email is excluded before its invalid field is checked.
    """
    if count < _MIN_RECORDS_FOR_INVALID:
        return {}
    step = (count - 100) // kinds
    starts = (100 + number * step for number in range(kinds))
    return {next(at for at in range(start, start + step) if is_plain(at)): kind for kind, start in enumerate(starts)}
