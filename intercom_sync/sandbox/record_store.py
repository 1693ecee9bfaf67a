"""The contacts or the conversations of a workspace: their present state, and what the search index shows of it.

The index lags by the workspace's delay: until then it shows a record's earlier state, or nothing of a new one. What is
removed leaves it at once. What a query means is the business of `query`.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from intercom_sync.sandbox.stored_record import Kind, Record, record

Value = int | float | str
Order = list[tuple[Value, str]]


class View:
    """Records by key, and what has been derived from them since the last change."""

    def __init__(self, records: dict[str, Record]) -> None:
        self.records = records
        self._orders: dict[str, Order] = {}
        self.found: dict[object, Order] = {}

    def changed(self) -> None:
        """Forget every order and every answer."""
        self._orders.clear()
        self.found.clear()

    def order(self, name: str, value: Callable[[Record], Value]) -> Order:
        """All records by one value, ascending, then by key; worked out once a change."""
        if name not in self._orders:
            self._orders[name] = sorted((value(each), key) for key, each in self.records.items())
        return self._orders[name]


class RecordStore:
    """Records of one kind. `delay` gives the index's lag in seconds, `clock` the time in UNIX seconds."""

    def __init__(self, kind: Kind, *, delay: Callable[[], float], clock: Callable[[], float]) -> None:
        self.kind = kind
        self.live = View({})
        self._index = self.live  # one and the same until something is put with a delay
        self._late: deque[tuple[float, str, Record]] = deque()
        self._delay = delay
        self._clock = clock
        self._nameless = 0

    def put(self, value: Any) -> str:
        """Store the value under its id, replacing what is there; a value without a usable id gets a hidden key."""
        key = value.get("id") if isinstance(value, dict) else None
        if not isinstance(key, str) or not key:
            self._nameless += 1
            key = f"\0{self._nameless:09d}"
        stored = record(self.kind, value)
        if self._delay() > 0:
            self._put_late(key, stored)
        else:
            self._forget_late(key)
            self._index.records[key] = stored
            self._index.changed()
        self.live.records[key] = stored
        self.live.changed()
        return key

    def _put_late(self, key: str, stored: Record) -> None:
        if self._index is self.live:
            self._index = View(dict(self.live.records))
        self._late.append((self._clock() + self._delay(), key, stored))

    def _forget_late(self, key: str) -> None:
        if self._late:
            self._late = deque(each for each in self._late if each[1] != key)

    def drop(self, key: str) -> Record | None:
        """Remove a record at once, also from the index; None when there is none."""
        self._forget_late(key)
        gone = self.live.records.pop(key, None)
        self._index.records.pop(key, None)
        self.live.changed()
        self._index.changed()
        return gone

    def searchable(self) -> View:
        """What the index shows now."""
        now = self._clock()
        while self._late and self._late[0][0] <= now:
            _, key, stored = self._late.popleft()
            self._index.records[key] = stored
            self._index.changed()
        return self._index
