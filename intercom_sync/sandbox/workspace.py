"""A workspace: contacts and conversations, and every edit that Intercom allows or a test needs.

Edits are safe while a server uses the same workspace.
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
        timezone: IANA name of the zone whose calendar days contact searches use (API 2.16). May be changed.
        index_delay: seconds until a search finds a change (documented as "a few minutes"). May be changed.
        clock: the time in UNIX seconds.
        workspace_id: the id in `/me` and in contacts.
        region: the region in `/me`.
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
        """Return the current version of every contact that is not archived or merged (the index may lag)."""
        with self.lock:
            return [load(each.body) for each in self.contact_table.live.records.values()]

    def conversations(self) -> list[Any]:
        """Return every conversation that is not deleted, with all parts."""
        with self.lock:
            return [load(each.whole()) for each in self.conversation_table.live.records.values()]

    def put_contact(self, contact: Any) -> Any:
        """Store a contact unchanged, replacing one with the same id. It may be invalid on purpose.

        Only the default workspace id is replaced by the id of this workspace.
        """
        if isinstance(contact, dict) and contact.get("workspace_id") == WORKSPACE != self.workspace_id:
            contact = contact | {"workspace_id": self.workspace_id}
        with self.lock:
            key = self.contact_table.put(contact)
            self.merges.pop(key, None)
            self.attributes.register(contact)
        return contact

    def put_conversation(self, conversation: Any) -> Any:
        """Store a conversation unchanged, replacing one with the same id. It may be invalid on purpose."""
        with self.lock:
            key = self.conversation_table.put(conversation)
            self.deleted_conversations.pop(key, None)
        return conversation

    def archive_contact(self, id: str) -> None:
        """Archive a contact: searches do not return it, and a fetch by id is a 404.

        Raises:
            KeyError: the contact does not exist.
        """
        with self.lock:
            if self.contact_table.drop(id) is None:
                raise KeyError(id)

    def merge_contact(self, source_id: str, into_id: str) -> None:
        """Merge a contact into another: a fetch by id is a 410, and its conversations belong to the target.

        The target's record is unchanged: the effect of a merge on `updated_at` is not documented.

        Raises:
            KeyError: one of the contacts does not exist.
        """
        with self.lock:
            if into_id not in self.contact_table.live.records or source_id == into_id:
                raise KeyError(into_id)
            source = self.contact_table.drop(source_id)
            if source is None:
                raise KeyError(source_id)
            role = str(load(source.body).get("role"))
            self.merges[source_id] = (into_id, "user" if role == "user" else "lead", int(self.clock()))
            self._move_conversations(source_id, into_id)

    def _move_conversations(self, source_id: str, into_id: str) -> None:
        """Replace the id of the source in conversations; a quoted id in JSON is always this id."""
        old, new = f'"{source_id}"'.encode(), f'"{into_id}"'.encode()
        for view in {self.conversation_table.live, self.conversation_table.searchable()}:
            for key, each in view.records.items():
                if old in each.body or (each.parts and old in each.parts):
                    view.records[key] = record(CONVERSATION, load(each.whole().replace(old, new)))
            view.invalidate()

    def delete_conversation(self, id: str) -> None:
        """Delete a conversation: a fetch by id is a 404, and the list of deleted conversations has it.

        Raises:
            KeyError: the conversation does not exist.
        """
        with self.lock:
            if self.conversation_table.drop(id) is None:
                raise KeyError(id)
            self.deleted_conversations[id] = int(self.clock())

    def merged_into(self, id: str) -> str | None:
        """Return the final contact of at most three merges, or None if the contact was not merged."""
        target = None
        for _ in range(3):
            if id not in self.merges:
                break
            target = id = self.merges[id][0]
        return target
