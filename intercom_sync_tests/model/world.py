"""A small workspace with its own clock, and every edit that can be made to it."""

import json
from collections.abc import Callable
from typing import Any

from intercom_sync.sandbox.builders import WORKSPACE, author, contact, conversation, message, part, part_list, rating
from intercom_sync.sandbox.record_store import RecordStore
from intercom_sync.sandbox.statistics import conversation_times, statistics_of
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync_tests.model.valid_records import Json, name_of

START = 1_772_323_200  # 2026-03-01, a month before the clocks change
CONTACTS, CONVERSATIONS = "contact", "conversation"


class World:
    """A workspace, its clock, and the valid form of every record, which later edits restore."""

    def __init__(self, zone: str, delay: int, workspace: str = WORKSPACE) -> None:
        self.now = START
        self.delay = delay
        self.company = Workspace(timezone=zone, index_delay=delay, clock=lambda: self.now, workspace_id=workspace)
        self.people: dict[str, Json] = {}
        self.talks: dict[str, Json] = {}
        self.merges: dict[str, str] = {}  # merged contact: target
        self._made = 0
        self._junk: list[Any] = []

    # Queries.

    def table(self, kind: str) -> RecordStore:
        return self.company.contact_table if kind == CONTACTS else self.company.conversation_table

    def shown(self, kind: str) -> dict[str, Any]:
        """Return what a search finds now by id (or by JSON text), users with their merge history."""
        bodies = [json.loads(record.body) for record in self.table(kind).searchable().records.values()]
        found = {name_of(body) or f"nameless {body!r}": body for body in bodies}
        for source, target in self.merges.items():
            if kind == CONTACTS and target in found and found[target].get("role") == "user":
                found[target].setdefault("merge_history", []).append({"source_contact_id": source})
        return found

    def ends_in(self, name: str, hops: int = 1_000) -> str:
        """Return the contact that a contact was finally merged into, over at most `hops` merges."""
        while hops and name in self.merges:
            name, hops = self.merges[name], hops - 1
        return name

    def live_talks(self) -> dict[str, Any]:
        """Return every conversation with its parts, as a fetch by id does."""
        return {body["id"]: body for body in self.company.conversations()}

    # Contacts.

    def add_contact(self, fields: Json, *, age: int = 0) -> None:
        self._made += 1
        made = contact(**{"id": f"{self._made:024x}", "external_id": None, "created_at": self.now - age, **fields})
        self.people[made["id"]] = made
        self._put_contact(made)

    def change_contact(self, name: str, fields: Json, corrupt: Callable[[Json], None] | None = None) -> None:
        """Change a contact and store its valid form, or a corrupted one."""
        made = self.people[name] | fields
        self.people[name] = made
        self._put_contact(made, corrupt)

    def _put_contact(self, made: Json, corrupt: Callable[[Json], None] | None = None) -> None:
        stamped = {"updated_at": self.now} | {k: v for k, v in made.items() if k != "updated_at"}
        if corrupt:
            stamped = json.loads(json.dumps(stamped))
            corrupt(stamped)
        self.company.put_contact(stamped)

    def add_junk(self, junk: Any) -> None:
        """Store a value that is not a record; equal values count as one."""
        if junk not in self._junk:
            self._junk.append(junk)
            self.company.put_contact(junk)

    def archive(self, name: str) -> None:
        self.company.archive_contact(name)
        del self.people[name]

    def merge(self, source: str, target: str) -> None:
        """Merge a contact; its conversations belong to the target, and no `updated_at` changes."""
        self.company.merge_contact(source, target)
        self.merges[source] = target
        del self.people[source]
        self.talks = {key: json.loads(json.dumps(talk).replace(source, target)) for key, talk in self.talks.items()}

    # Conversations. Their index does not lag behind edits: parts are fetched live, so what a lagging search says of
    # them has no single right answer. New ones do lag.

    def add_talk(
        self, people: list[str], kind: str, body: str | None, *, age: int, counted: bool, known: bool = True
    ) -> None:
        """Add a conversation, without statistics unless `counted`, and without a source unless `known`."""
        self._made += 1
        writer = author(kind, people[-1] if kind in ("user", "lead", "contact") else "7001")
        made = conversation(
            id=str(self._made), contact_ids=people, created_at=self.now - age, source=message(body=body, author=writer)
        )
        made["updated_at"] = self.now
        if not known:
            made |= {"source": None, "statistics": dict.fromkeys(made["statistics"]) | {"count_conversation_parts": 2}}
        self.talks[made["id"]] = made if counted else made | {"statistics": None}
        self.company.put_conversation(self.talks[made["id"]])

    def reply(self, name: str, kind: str, body: str | None, part_type: str, *, speaker: int = 0) -> None:
        talk = self.talks[name]
        people = [one["id"] for one in talk["contacts"]["contacts"]]
        person = people[speaker % len(people)] if kind in ("user", "lead", "contact") else "7001"
        self.now += 1  # versions are seconds: a change within the second of a sync would not be a new version
        self._add_part(name, part_type=part_type, body=body, author=author(kind, person), created_at=self.now)

    def appear(self, name: str, body: str | None, back: int | None) -> None:
        """Add an older message of a contact: `back` seconds old, or as old as the conversation."""
        talk = self.talks[name]
        person = talk["contacts"]["contacts"][-1]["id"]
        self.now += 1
        created_at = talk["created_at"] if back is None else self.now - back
        self._add_part(name, body=body, author=author("user", person), created_at=created_at)

    def redact(self, name: str, which: int) -> None:
        """Redact a part."""
        if parts := self.talks[name]["conversation_parts"]["conversation_parts"]:
            self.now += 1
            place = which % len(parts)
            redacted = parts[place] | {"body": None, "redacted": True}
            self.change_talk(name, {"conversation_parts": part_list([*parts[:place], redacted, *parts[place + 1 :]])})

    def _add_part(self, name: str, **fields: Any) -> None:
        talk = self.talks[name]
        self._made += 1
        parts = [*talk["conversation_parts"]["conversation_parts"], part(id=f"p{self._made}", **fields)]
        parts.sort(key=lambda each: each["created_at"])
        changed = {"conversation_parts": part_list(parts)}
        source, created = talk["source"], talk["created_at"]
        if source:
            changed |= conversation_times(created, source, parts)
        if source and talk["statistics"] is not None:
            changed["statistics"] = statistics_of(created, source, parts)
        self.change_talk(name, changed)

    def rate(self, name: str, score: int | None, *, named: bool) -> None:
        person = self.talks[name]["contacts"]["contacts"][-1]["id"]
        given = rating(score, by=person, at=self.now)
        self.change_talk(name, {"conversation_rating": given if named else given | {"contact": None}})

    def change_talk(self, name: str, fields: Json, corrupt: Callable[[Json], None] | None = None) -> None:
        """Change a conversation and store its valid form, or a corrupted one."""
        made = self.talks[name] | fields | {"updated_at": self.now}
        self.talks[name] = made
        if corrupt:
            made = json.loads(json.dumps(made))
            corrupt(made)
        self.company.index_delay = 0
        self.company.put_conversation(made)
        self.company.index_delay = self.delay

    def delete_talk(self, name: str) -> None:
        self.company.delete_conversation(name)
        del self.talks[name]
