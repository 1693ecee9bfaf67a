"""A workspace: its contacts and conversations, and every edit that Intercom allows or that a test needs.

No HTTP and no queries here. Edits are safe while a server answers from the same company.
"""

import time
from collections.abc import Callable
from threading import RLock
from typing import Any

from intercom_sync.sandbox.attributes import Attributes
from intercom_sync.sandbox.builders import WORKSPACE
from intercom_sync.sandbox.record_store import RecordStore
from intercom_sync.sandbox.stored_record import CONTACT, CONVERSATION, load, record

Json = dict[str, Any]


class Workspace:
    """An empty workspace.

    Args:
        timezone: IANA name of the zone whose calendar days contact searches go by (API 2.16). May be changed.
        index_delay: seconds until a search sees what was put (documented as "a few minutes"). May be changed.
        clock: the time, in UNIX seconds.
        workspace_id: its id, which `/me` and contacts carry.
        region: where it lives, as `/me` says.
    """

    def __init__(
        self,
        *,
        timezone: str = "UTC",
        index_delay: int = 0,
        clock: Callable[[], float] = time.time,
        workspace_id: str = WORKSPACE,
        region: str = "US",
    ) -> None:
        self.workspace_id = workspace_id
        self.region = region
        self.timezone = timezone
        self.index_delay = index_delay
        self.clock = clock
        self.lock = RLock()
        self.attributes = Attributes()
        self.contact_table = RecordStore(CONTACT, delay=lambda: self.index_delay, clock=clock)
        self.conversation_table = RecordStore(CONVERSATION, delay=lambda: self.index_delay, clock=clock)
        self.merges: dict[str, tuple[str, str, int]] = {}  # source id: target id, source's role, UNIX seconds
        self.deleted_conversations: dict[str, int] = {}  # id: UNIX seconds

    def contacts(self) -> list[Any]:
        """Every contact neither archived nor merged away, as it stands now (the index may lag behind)."""
        with self.lock:
            return [load(each.body) for each in self.contact_table.live.records.values()]

    def conversations(self) -> list[Any]:
        """Every conversation not deleted, with all of its parts."""
        with self.lock:
            return [load(each.whole()) for each in self.conversation_table.live.records.values()]

    def put_contact(self, contact: Any) -> Any:
        """Store a contact exactly as given, replacing the one of this id. It may be broken on purpose.

        Only a default workspace id is replaced by that of this workspace.
        """
        if isinstance(contact, dict) and contact.get("workspace_id") == WORKSPACE != self.workspace_id:
            contact = contact | {"workspace_id": self.workspace_id}
        with self.lock:
            key = self.contact_table.put(contact)
            self.merges.pop(key, None)
            self.attributes.notice(contact)
        return contact

    def put_conversation(self, conversation: Any) -> Any:
        """Store a conversation exactly as given, replacing the one of this id. It may be broken on purpose."""
        with self.lock:
            key = self.conversation_table.put(conversation)
            self.deleted_conversations.pop(key, None)
        return conversation

    def archive_contact(self, id: str) -> None:
        """Archive a contact: gone from searches, 404 by id.

        Raises:
            KeyError: there is no such contact.
        """
        with self.lock:
            if self.contact_table.drop(id) is None:
                raise KeyError(id)

    def merge_contact(self, source_id: str, into_id: str) -> None:
        """Merge a contact away: gone from searches, 410 by id, its conversations and messages the target's.

        The target's own record is left as it is: what a merge does to `updated_at` is not documented.

        Raises:
            KeyError: one of the two is not there.
        """
        with self.lock:
            if into_id not in self.contact_table.live.records or source_id == into_id:
                raise KeyError(into_id)
            source = self.contact_table.drop(source_id)
            if source is None:
                raise KeyError(source_id)
            role = str(load(source.body).get("role"))
            self.merges[source_id] = (into_id, "user" if role == "user" else "lead", int(self.clock()))
            self._hand_over(source_id, into_id)

    def _hand_over(self, source_id: str, into_id: str) -> None:
        """Rewrite the id wherever the source took part; in JSON a quoted id is nothing else."""
        mark, new = f'"{source_id}"'.encode(), f'"{into_id}"'.encode()
        for view in {self.conversation_table.live, self.conversation_table.searchable()}:
            for key, each in view.records.items():
                if mark in each.body or (each.parts and mark in each.parts):
                    view.records[key] = record(CONVERSATION, load(each.whole().replace(mark, new)))
            view.changed()

    def delete_conversation(self, id: str) -> None:
        """Delete a conversation: gone from searches, 404 by id, listed among the deleted ones.

        Raises:
            KeyError: there is no such conversation.
        """
        with self.lock:
            if self.conversation_table.drop(id) is None:
                raise KeyError(id)
            self.deleted_conversations[id] = int(self.clock())

    def merged_into(self, id: str) -> str | None:
        """The contact that a merged one ended in, over at most three merges; None when it was not merged."""
        target = None
        for _ in range(3):
            if id not in self.merges:
                break
            target = id = self.merges[id][0]
        return target
