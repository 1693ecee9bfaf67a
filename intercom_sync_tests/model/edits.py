"""Hypothesis strategies for edits of a workspace.

An edit is a function of the world; it does nothing if there is no record to edit.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from intercom_sync_tests.model.corruptions import CONTACT_CORRUPTIONS, CONVERSATION_CORRUPTIONS, JUNK
from intercom_sync_tests.model.stripe import attributes
from intercom_sync_tests.model.words import AUTHORS, BODIES, DAY, EMAILS, NO_EMAILS, SPELLINGS
from intercom_sync_tests.model.world import START, World


@dataclass(frozen=True)
class Edit:
    """One edit with a readable representation for failure reports."""

    act: Callable[..., None]
    given: tuple[Any, ...]

    def __call__(self, world: World) -> None:
        """Apply the edit."""
        self.act(world, *self.given)

    def __repr__(self) -> str:
        return f"{self.act.__name__}{self.given!r}"


_spellings = [spell(email) for email in EMAILS for spell in SPELLINGS]
emails = st.sampled_from([*EMAILS, *EMAILS, *EMAILS, *_spellings, *NO_EMAILS])
_places = st.sampled_from([None, {}, {"country": "Ireland", "city": None}, {"country": None, "city": "Cork"}])
_seen = st.sampled_from([None, START - 40 * DAY, START - 6 * DAY, START + 3 * DAY, START + 20 * DAY, 4_000_000_000])
_fields = {
    "email": emails,
    "name": st.sampled_from([None, "", " ", "Ada", "  Ada ", "B\0ob ", "Zoë"]),
    "external_id": st.sampled_from([None, "account-1", "account-2"]),
    "role": st.sampled_from(["user", "lead"]),
    "location": _places,
    "last_seen_at": _seen,
    "custom_attributes": attributes,
}
_required = {name: _fields[name] for name in ("email", "custom_attributes")}
_new = st.fixed_dictionaries(
    _required, optional={name: value for name, value in _fields.items() if name not in _required}
)
_some = st.fixed_dictionaries({}, optional=_fields)
_which = st.integers(0, 50)
_customer = st.sampled_from(("user", "lead", "contact"))
_bodies = st.sampled_from([*BODIES, "<p>I want to <b>cancel</b> my plan.</p>", "<p>I won&#8217;t renew this year</p>"])
_ages = st.sampled_from([0, 0, 0, 5 * DAY, 29 * DAY, 31 * DAY, 400 * DAY])


def some(of: st.SearchStrategy[Edit], least: int) -> st.SearchStrategy[list[Edit]]:
    """Return a strategy for lists of edits."""
    return st.lists(of, min_size=least, max_size=least + 6)


def _pick(names: Iterable[str], which: int) -> str | None:
    found = sorted(names)
    return found[which % len(found)] if found else None


def add_contact(world: World, fields: Any, age: int) -> None:
    world.add_contact(fields, age=age)


def change_contact(world: World, which: int, fields: Any, corrupt: int | None = None) -> None:
    if name := _pick(world.people, which):
        world.change_contact(name, fields, None if corrupt is None else CONTACT_CORRUPTIONS[corrupt])


def archive(world: World, which: int) -> None:
    if name := _pick(world.people, which):
        world.archive(name)


def merge(world: World, which: int, other: int) -> None:
    source = _pick(world.people, which)
    target = _pick(set(world.people) - {source}, other)
    if source and target:
        world.merge(source, target)


def merge_in_group(world: World, which: int, speaker: int, other: int) -> None:
    """Merge a participant of a group conversation into any other contact."""
    newest_first = sorted(world.talks, key=int, reverse=True)
    taking_part = [_people(world.talks[name]) & set(world.people) for name in newest_first]
    if found := [people for people in taking_part if len(people) > 1]:
        source = _pick(found[which % len(found)], speaker)
        target = _pick(set(world.people) - {source}, other)
        if source and target:
            world.merge(source, target)


def _people(talk: Any) -> set[str]:
    return {one["id"] for one in talk["contacts"]["contacts"]}


def junk(world: World, thing: Any) -> None:
    world.add_junk(thing)


def talk(world: World, which: int, other: int | None, kind: str, body: str | None, age: int, counted: bool) -> None:
    if first := _pick(world.people, which):
        people = [first] if other is None else list(dict.fromkeys([first, _pick(world.people, other)]))
        world.add_talk(people, kind, body, age=age, counted=counted)


def reply(world: World, which: int, kind: str, body: str | None, part_type: str, speaker: int) -> None:
    if name := _pick(world.talks, which):
        world.reply(name, kind, body, part_type, speaker=speaker)


def talk_of_unknown(world: World, which: int, age: int) -> None:
    """Add a conversation without the author of its opening message."""
    if first := _pick(world.people, which):
        world.add_talk([first], "user", None, age=age, counted=True, known=False)


def appear(world: World, which: int, body: str | None, back: int | None) -> None:
    if name := _pick(world.talks, which):
        world.appear(name, body, back)


def redact(world: World, which: int, part: int) -> None:
    if name := _pick(world.talks, which):
        world.redact(name, part)


def rate(world: World, which: int, score: int | None, named: bool) -> None:
    if name := _pick(world.talks, which):
        world.rate(name, score, named=named)


def change_talk(world: World, which: int, fields: Any, corrupt: int | None = None) -> None:
    if name := _pick(world.talks, which):
        world.change_talk(name, fields, None if corrupt is None else CONVERSATION_CORRUPTIONS[corrupt])


def delete_talk(world: World, which: int) -> None:
    if name := _pick(world.talks, which):
        world.delete_talk(name)


def _edit(act: Callable[..., None], *given: st.SearchStrategy[Any]) -> st.SearchStrategy[Edit]:
    return st.builds(Edit, st.just(act), st.tuples(*given))


_both = st.one_of(st.none(), st.none(), _which)
_writers = st.one_of(_customer, st.sampled_from(AUTHORS))
_nothing = st.just({})
_states = st.sampled_from(
    [{"open": False, "state": "closed"}, {"open": True, "state": "open"}, {"open": True, "state": "snoozed"}]
)
contact_edits = st.one_of(
    _edit(add_contact, _new, _ages),
    _edit(add_contact, _new, _ages),
    _edit(change_contact, _which, _some),
    _edit(change_contact, _which, _some),
    _edit(change_contact, _which, st.fixed_dictionaries({"custom_attributes": attributes})),
    _edit(change_contact, _which, st.fixed_dictionaries({"email": emails})),
    _edit(change_contact, _which, _some, st.integers(0, len(CONTACT_CORRUPTIONS) - 1)),
    _edit(change_contact, _which, _nothing),
    _edit(archive, _which),
    _edit(merge, _which, _which),
    _edit(merge_in_group, _which, _which, _which),
    _edit(junk, st.sampled_from(JUNK)),
)
talk_edits = st.one_of(
    _edit(talk, _which, _both, _customer, _bodies, _ages, st.booleans()),
    _edit(talk, _which, _both, _writers, _bodies, _ages, st.booleans()),
    _edit(reply, _which, _writers, _bodies, st.sampled_from(["comment", "note", "close"]), st.integers(0, 2)),
    _edit(reply, _which, _customer, _bodies, st.just("comment"), st.integers(0, 2)),
    _edit(talk_of_unknown, _which, _ages),
    _edit(appear, _which, _bodies, st.sampled_from([None, None, 60, 5 * DAY, 29 * DAY])),
    _edit(redact, _which, _which),
    _edit(rate, _which, st.sampled_from([None, 0, 1, 2, 5, 5, 6]), st.booleans()),
    _edit(change_talk, _which, _states),
    _edit(change_talk, _which, _nothing, st.integers(0, len(CONVERSATION_CORRUPTIONS) - 1)),
    _edit(delete_talk, _which),
)
edits = some(st.one_of(contact_edits, talk_edits), 1)


def group(world: World, emails: Any, body: str) -> None:
    """Add contacts, a conversation of the first two, and a reply of one of them."""
    before = set(world.people)
    for email in emails:
        world.add_contact({"email": email})
    people = sorted(set(world.people) - before)[:2]
    world.add_talk(people, "user", None, age=0, counted=True)
    world.reply(max(world.talks, key=int), "lead", body, "comment", speaker=len(emails))


groups = _edit(group, st.lists(st.sampled_from(EMAILS), min_size=3, max_size=4), _bodies)
mergers = _edit(merge_in_group, st.integers(0, 1), _which, _which)
