"""The expected tables: a simple recomputation from the extracted records and the writes of other systems.

Holds the last good version of every record that a sync has met, and the rows as they must stand; `support` and `rows`
work the values out. Which records a sync meets is told by the caller: a window meets what was updated in it, a full
sync everything.
"""

from collections.abc import Callable, Iterable
from typing import Any

from intercom_sync_tests.model import rows
from intercom_sync_tests.model.ledger import Ledger, Movement
from intercom_sync_tests.model.money import Broken
from intercom_sync_tests.model.support import support_of
from intercom_sync_tests.model.valid_records import Json, mentions, name_of, read_contact, read_talk, usable


class Oracle:
    """The state that the rules require.

    Attributes:
        contacts: the last good version of each contact, by id.
        talks: the same of conversations.
        said: who mentioned leaving in each conversation, and when, as far as it was read.
        merged: which contact took in which, as far as a sync could learn of it.
        refused: the version of each record that is rejected, by kind and id; None where it has no version.
        refuses: whether a constraint of the table refuses a row.
        rows: unified_customers by key.
        wrote: what the sync itself wrote last, by key.
        alerts: kind and key of every alert decided, in the order of runs.
        ledger: the counted MRR of every customer.
        moved: the MRR movements, in the order of runs.
    """

    def __init__(self, refuses: Callable[[Json], bool] = lambda row: False) -> None:
        self.contacts: dict[str, Json] = {}
        self.talks: dict[str, Json] = {}
        self.said: dict[str, list[tuple[str, int]]] = {}
        self.merged: dict[str, str] = {}
        self.refused: dict[tuple[str, str], int | None] = {}
        self.refuses = refuses
        self.rows: dict[str, Json] = {}
        self.wrote: dict[str, Json] = {}
        self.alerts: list[list[tuple[str, str]]] = []
        self.ledger = Ledger()
        self.moved: list[list[Movement]] = []

    def meet_contacts(self, records: Iterable[Any]) -> None:
        """Apply the contacts that a sync extracted, and their merge history."""
        for record in records:
            if self._meet("contact", record, read_contact, self.contacts):
                history = record.get("merge_history") or []
                self.merged |= {merge["source_contact_id"]: record["id"] for merge in history}

    def meet_talks(self, records: Iterable[Json], live: dict[str, Json], waiting: set[str]) -> None:
        """Apply the conversations that a sync extracted; the parts of pending ones could not be fetched."""
        for record in records:
            if self._meet("conversation", record, read_talk, self.talks):
                name = record["id"]
                known = self.said.get(name, []) if name in waiting else mentions(record, parts_of(live.get(name)))
                self.said[name] = [*{*known, *mentions(record, [])}]

    def fetch(self, names: Iterable[str], live: dict[str, Json]) -> None:
        """Apply the fetched parts of pending conversations."""
        for name in names:
            if name in self.talks and isinstance(live.get(name, {}).get("contacts"), dict):
                self.said[name] = mentions(live[name], parts_of(live[name]))

    def written_under(self, authors: dict[tuple[str, int], set[str]], ends_in: Callable[[str], str]) -> None:
        """Set the contact ids that messages are stored under here, which may precede a merge.

        Parts are not read again for a merge. Every author must be one whom an id that is stored has become.
        """
        for name, said in self.said.items():
            stored: dict[tuple[str, int], None] = {}
            for author, at in said:
                ids = sorted(authors.get((name, at), {author}))
                became = [id for id in ids if ends_in(id) == ends_in(author)]
                assert became, (name, author, ids)
                stored |= dict.fromkeys((id, at) for id in became)
            self.said[name] = [*stored]

    def _meet(self, kind: str, record: Any, read: Any, good: dict[str, Json]) -> bool:
        name = name_of(record)
        version = usable(record.get("updated_at")) if isinstance(record, dict) else None
        known = good.get(name)["updated_at"] if name in good else 0  # type: ignore[index]
        try:
            made = read(record)
        except Broken:
            key = (kind, name or f"nameless {record!r}")
            before = self.refused.get(key)
            if version is None or version >= max(known, before or 0):
                self.refused[key] = version
            return False
        if self.refused.get((kind, name), 0) is None or (self.refused.get((kind, name)) or 0) <= made["updated_at"]:
            self.refused.pop((kind, name), None)
        if made["updated_at"] < known:
            return False
        good[name] = made  # type: ignore[index]
        return True

    def forget(self, kind: str, met: set[str]) -> None:
        """Delete the records that a full sync did not find."""
        good = self.contacts if kind == "contact" else self.talks
        for name in set(good) - met:
            del good[name]
            self.said.pop(name, None)
        for key in [key for key in self.refused if key[0] == kind and key[1] not in met]:
            del self.refused[key]

    def finish(self, now: int, read: set[str]) -> dict[str, Any]:
        """Write the customers as of an instant and return the run's statistics.

        Args:
            now: the run's instant.
            read: ids of the contacts that the run met.
        """
        support = support_of(self.contacts, self.talks, self.said, self.merged, now)
        deleted = {key for key, row in self.rows.items() if row["intercom_deleted_at"] is not None}
        made = rows.write(self.contacts, support, self.rows, self.wrote, now, read, self.refuses)
        self.alerts.append(made.alerts)
        self.moved.append(
            self.ledger.sync(rows.winners(self.contacts), self.wrote, deleted, {*made.refused}, self._merged_into)
        )
        for key in [key for key in self.refused if key[0] == "customer"]:
            del self.refused[key]
        self.refused |= {("customer", contact): None for contact, _ in made.refused.values()}
        skipped = {
            name
            for name in read
            if ("contact", name) in self.refused or name not in self.contacts or not self.contacts[name]["key"]
        }
        scores = [self.rows[key]["quality_score"] for key in made.new | made.updated]
        return {
            "contacts_synced": len(scores),
            "new_contacts": len(made.new),
            "updated_contacts": len(made.updated),
            "skipped_contacts": len(skipped) + sum(was_read for _, was_read in made.refused.values()),
            "alerts_generated": len(made.alerts),
            "avg_quality_score": sum(scores) / len(scores) if scores else None,
        }

    def _merged_into(self, name: str) -> list[str]:
        """The contacts that one was merged into, over those that are gone, at most three."""
        found: list[str] = []
        while len(found) < 3 and name not in self.contacts and name in self.merged:
            name = self.merged[name]
            found.append(name)
        return found


def parts_of(record: Json | None) -> list[Json]:
    return record["conversation_parts"]["conversation_parts"] if record else []
