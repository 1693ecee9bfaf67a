"""Storage of contacts or conversations: the current records, and a search index that lags behind.

The index lags by the workspace's delay: until then it has the previous version of a record, or not the new record.
Deletions apply to the index at once.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from intercom_sync.sandbox.stored_record import Kind, Record, record

Value = int | float | str
Order = list[tuple[Value, str]]


class View:
    """Records by key, with cached sort orders and search results."""

    def __init__(self, records: dict[str, Record]) -> None:
        self.records = records
        self._orders: dict[str, Order] = {}
        self.found: dict[object, Order] = {}

    def invalidate(self) -> None:
        """Clear the cached orders and results."""
        self._orders.clear()
        self.found.clear()

    def order(self, name: str, value: Callable[[Record], Value]) -> Order:
        """Return all records in ascending order of a value and then of the key; cached until the next change."""
        if name not in self._orders:
            self._orders[name] = sorted((value(each), key) for key, each in self.records.items())
        return self._orders[name]


class RecordStore:
    """Records of one kind. `delay` returns the lag of the index in seconds, `clock` the time in UNIX seconds."""

    def __init__(self, kind: Kind, *, delay: Callable[[], float], clock: Callable[[], float]) -> None:
        self.kind = kind
        self.live = View({})
        self._index = self.live  # the same view until a record is stored with a delay
        self._pending: deque[tuple[float, str, Record]] = deque()
        self._delay = delay
        self._clock = clock
        self._records_without_id = 0

    def put(self, value: Any) -> str:
        """Store a record under its id, replacing an existing one; a record without a valid id gets a hidden key."""
        key = value.get("id") if isinstance(value, dict) else None
        if not isinstance(key, str) or not key:
            self._records_without_id += 1
            key = f"\0{self._records_without_id:09d}"
        stored = record(self.kind, value)
        if self._delay() > 0:
            self._put_delayed(key, stored)
        else:
            self._drop_pending(key)
            self._index.records[key] = stored
            self._index.invalidate()
        self.live.records[key] = stored
        self.live.invalidate()
        return key

    def _put_delayed(self, key: str, stored: Record) -> None:
        if self._index is self.live:
            self._index = View(dict(self.live.records))
        self._pending.append((self._clock() + self._delay(), key, stored))

    def _drop_pending(self, key: str) -> None:
        if self._pending:
            self._pending = deque(each for each in self._pending if each[1] != key)

    def drop(self, key: str) -> Record | None:
        """Delete a record at once, also from the index, and return it; None if there is none."""
        self._drop_pending(key)
        dropped = self.live.records.pop(key, None)
        self._index.records.pop(key, None)
        self.live.invalidate()
        self._index.invalidate()
        return dropped

    def searchable(self) -> View:
        """Return the current view of the search index."""
        now = self._clock()
        while self._pending and self._pending[0][0] <= now:
            _, key, stored = self._pending.popleft()
            self._index.records[key] = stored
            self._index.invalidate()
        return self._index
