"""The expected support metrics of each customer, computed one conversation at a time."""

from fractions import Fraction
from typing import Any

from intercom_sync_tests.model.money import six
from intercom_sync_tests.model.valid_records import Json
from intercom_sync_tests.model.words import DAY

NONE = {
    "intercom_convos_total": 0, "intercom_convos_30d": 0, "open_tickets": 0, "mentioned_cancel": False,
    "csat_score": None,
}  # fmt: skip


def support_of(
    contacts: dict[str, Json],
    talks: dict[str, Json],
    said: dict[str, list[tuple[str, int]]],
    merged: dict[str, str],
    now: int,
) -> dict[str, dict[str, Any]]:
    """Return the support columns of every customer with a conversation or a message."""
    figures: dict[str, dict[str, Any]] = {}
    scores: dict[str, list[int]] = {}
    whose = {one: _key(one, contacts, merged) for one in {*contacts, *merged}}
    for name, talk in talks.items():
        for key in {whose.get(one) for one in talk["people"]} - {None}:
            mine = figures.setdefault(key, dict(NONE))
            mine["intercom_convos_total"] += 1
            mine["intercom_convos_30d"] += _recent(talk["created_at"], now)
            mine["open_tickets"] += talk["open"]
            if talk["score"] and (talk["by"] is None or whose.get(_person(talk["by"], talk)) == key):
                scores.setdefault(key, []).append(talk["score"])
        # Not only participants: after a merge, a conversation lists the target before the author is deleted.
        for key in {whose.get(_person(author, talk)) for author, at in said.get(name, []) if _recent(at, now)} - {None}:
            figures.setdefault(key, dict(NONE))["mentioned_cancel"] = True
    for key, given in scores.items():
        figures[key]["csat_score"] = six(Fraction(sum(given), len(given)))
    return figures


def _key(person: str, contacts: dict[str, Json], merged: dict[str, str]) -> str | None:
    """Return the customer of a contact id, or of its merge target if the contact is deleted."""
    for _ in range(3):
        if person in contacts:
            break
        person = merged.get(person, person)
    return contacts[person]["key"] if person in contacts else None


def _person(named: str, talk: Json) -> str:
    """Return the author of a message or rating: the only participant, or else the one in the record."""
    return talk["people"][0] if len(talk["people"]) == 1 else named


def _recent(at: int, now: int) -> bool:
    return now - 30 * DAY <= at <= now
