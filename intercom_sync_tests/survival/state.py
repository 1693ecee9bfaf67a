"""The rows of a schema's tables, without run ids and times of the machine's clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2

_UNTOLD = ("landed_at", "revision", "run", "time", "last_intercom_sync")
_KEYS = {
    "unified_customers": "lower(email)",
    "customer_last_written": "email_key",
    "intercom_contacts": "id",
    "intercom_conversations": "id",
    "intercom_messages": "conversation_id || ' ' || message_id",
    "revenue_metrics": "contact_id",
    "support_metrics": "email_key",
    "rejected_records": "kind || ' ' || id",
}
_ALERTS = (
    "SELECT kind, lower(email), details::text, created_at FROM customer_alerts "
    "WHERE email IS NOT NULL ORDER BY 1, 2, 3, 4"
)
BOOKS = ("sync_extractions", "sync_seen_ids", "sync_checkpoints")


class State:
    """A connection to one schema that reconnects after a server restart."""

    def __init__(self, url: str, schema: str) -> None:
        self._url, self._schema = url, schema
        self._open()

    def _open(self) -> None:
        self._connection = psycopg2.connect(self._url, options=f"-c search_path={self._schema} -c timezone=UTC")
        self._connection.autocommit = True

    def close(self) -> None:
        self._connection.close()

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._query(statement, values)
        except psycopg2.OperationalError:
            self.close()
            self._open()
            return self._query(statement, values)

    def _query(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, *values: Any) -> Any:
        (row,) = self.query(statement, *values)
        return row[0]

    def tables(self) -> dict[str, Any]:
        """Return every row of every table of a sync by key; alerts with their counts."""
        found = {
            name: dict(self.query(f"SELECT {key}, to_jsonb(t) - %s::text[] FROM {name} t", [*_UNTOLD]))
            for name, key in _KEYS.items()
        }
        return found | {"customer_alerts": self.query(_ALERTS)}

    def books(self) -> dict[str, int]:
        """Return the number of rows of extractions in progress."""
        return {name: self.value(f"SELECT count(*) FROM {name}") for name in BOOKS}


@contextmanager
def opened(url: str, schema: str) -> Iterator[State]:
    """Open the state of a schema."""
    state = State(url, schema)
    try:
        yield state
    finally:
        state.close()


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the differences by table and key: actual and expected row."""
    told: dict[str, Any] = {}
    for name, rows in wanted.items():
        if found[name] == rows:
            continue
        if isinstance(rows, list):
            told[name] = (
                [row for row in found[name] if row not in rows],
                [row for row in rows if row not in found[name]],
            )
            continue
        told[name] = {
            key: (found[name].get(key), rows.get(key))
            for key in {*found[name], *rows}
            if found[name].get(key) != rows.get(key)
        }
    return told
