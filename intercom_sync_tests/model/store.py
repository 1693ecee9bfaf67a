"""The tables as they are, in the oracle's terms; and what other systems do to the customers."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg2
from psycopg2 import sql

from intercom_sync.domain.schema import tables
from intercom_sync_tests.model.rows import COLUMNS
from intercom_sync_tests.model.words import DAY

_TIMES = {"signup_date", "last_payment_date", "last_seen_at", "intercom_deleted_at", "last_intercom_sync"}
# Columns of others: one that the sync knows nothing of, and one that is required.
THEIRS = "ADD COLUMN crm_owner text, ADD COLUMN crm_grade integer NOT NULL DEFAULT 3"
# Constraints of theirs: one that a contact breaks that moves to another email, and one that refuses some rows.
CONSTRAINTS = "ADD UNIQUE (intercom_contact_id), ADD CHECK (location_city <> 'Cork' OR external_id <> 'account-2')"


def refuses(row: dict[str, Any]) -> bool:
    """Whether the second of the constraints refuses a row."""
    return bool(row["location_city"] == "Cork" and row["external_id"] == "account-2")


class Store:
    """A second connection to the database, as another system has one."""

    def __init__(self, url: str, schema: str) -> None:
        self._connection = psycopg2.connect(url, options=f"-c search_path={schema} -c timezone=UTC")
        self._connection.autocommit = True

    def close(self) -> None:
        self._connection.close()

    def query(self, statement: Any, *values: Any) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def empty(self) -> None:
        """Make every table as new."""
        self.query(f"TRUNCATE {', '.join(table.name for table in tables.TABLES)} RESTART IDENTITY")

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table, as text."""
        return {table.name: sorted(self.query(f"SELECT t::text FROM {table.name} t")) for table in tables.TABLES}

    # What the sync made.

    def customers(self) -> dict[str, dict[str, Any]]:
        """Every row by its key; times as UNIX seconds."""
        names = (*COLUMNS, "last_intercom_sync", "crm_owner", "crm_grade")
        second = "CASE WHEN isfinite({0}) THEN extract(epoch FROM {0})::bigint::text ELSE {0}::text END"
        listed = ", ".join(second.format(n) if n in _TIMES else n for n in names)
        found = self.query(f"SELECT lower(email), {listed} FROM unified_customers")
        return {key: {n: _seen(n, value) for n, value in zip(names, row, strict=True)} for key, *row in found}

    def alerts(self) -> dict[str, list[tuple[str, str]]]:
        """Kind and key of every alert, by run."""
        made: dict[str, list[tuple[str, str]]] = {}
        for run, kind, email in self.query("SELECT run, kind, lower(email) FROM customer_alerts ORDER BY id"):
            made.setdefault(run, []).append((kind, email))
        return made

    def refused(self) -> set[tuple[str, str]]:
        """Kind and id of every rejected record; those without an id as one marker each."""
        return set(self.query("SELECT kind, id FROM rejected_records"))

    def waiting(self, now: int) -> set[str]:
        """Conversations whose parts wait to be fetched; after an upgrade of the rules all recent ones do."""
        found = self.query(
            "SELECT id FROM intercom_conversations WHERE parts_pending OR (updated_at >= to_timestamp(%s) "
            "AND EXISTS (SELECT FROM intercom_messages WHERE rules_hash = 'older'))",
            now - 30 * DAY,
        )
        return {name for (name,) in found}

    def upgrade(self) -> None:
        """Make the derived state that of an older version: other results, under the fingerprints of its rules."""
        self.query("UPDATE revenue_metrics SET mrr = 7, ltv = NULL, currency = 'xxx', rules_hash = 'older'")
        self.query("UPDATE intercom_contacts SET email = NULL, name = 'older', location_city = 'older'")
        self.query("UPDATE intercom_messages SET mentions_cancel = NOT mentions_cancel, rules_hash = 'older'")
        self.query("UPDATE rejected_records SET rules_hash = 'older'")

    def judged_by_older_rules(self) -> set[str]:
        """Rejected conversations that the present rules have not judged."""
        found = self.query("SELECT id FROM rejected_records WHERE kind = 'conversation' AND rules_hash = 'older'")
        return {name for (name,) in found}

    def landed(self) -> dict[str, tuple[int, dict[str, Any]]]:
        """Version and JSON of every landed contact."""
        found = self.query("SELECT id, extract(epoch FROM updated_at)::bigint, payload FROM intercom_contacts")
        return {name: (version, payload) for name, version, payload in found}

    def landed_talks(self) -> dict[str, tuple[int, list[str]]]:
        """Version and contacts of every landed conversation."""
        found = self.query("SELECT id, extract(epoch FROM updated_at)::bigint, contact_ids FROM intercom_conversations")
        return {name: (version, people) for name, version, people in found}

    def merges(self) -> dict[str, str]:
        """Which contact took in which."""
        return dict(self.query("SELECT source_id, contact_id FROM contact_merges"))

    def authors(self) -> dict[tuple[str, int], set[str]]:
        """The ids that messages are stored under, by their conversation and second."""
        found = self.query(
            "SELECT conversation_id, extract(epoch FROM created_at)::bigint, author_id FROM intercom_messages"
        )
        authors: dict[tuple[str, int], set[str]] = {}
        for name, at, author in found:
            authors.setdefault((name, at), set()).add(author)
        return authors

    # What others do.

    def write(self, email: str, values: dict[str, Any]) -> None:
        """Another system writes columns of a customer's row; makes the row when there is none."""
        names = [sql.Identifier(name) for name in values]
        given = [sql.SQL("to_timestamp(%s)") if name in _TIMES else sql.SQL("%s") for name in values]
        pairs = sql.SQL(", ").join(sql.SQL("{} = {}").format(n, v) for n, v in zip(names, given, strict=True))
        statement = sql.SQL(
            "INSERT INTO unified_customers (email, {}) VALUES (%s, {}) ON CONFLICT (lower(email)) DO UPDATE SET {}"
        )
        filled = statement.format(sql.SQL(", ").join(names), sql.SQL(", ").join(given), pairs)
        self.query(filled, email, *values.values(), *values.values())

    def delete(self, key: str) -> None:
        """Another system deletes a customer's row."""
        self.query("DELETE FROM unified_customers WHERE lower(email) = %s", key)


def _seen(name: str, value: Any) -> Any:
    """A value in the oracle's terms: what the sync cannot represent as text."""
    if name in _TIMES and value is not None:
        return int(value) if value.lstrip("-").isdigit() else value
    return str(value) if isinstance(value, Decimal) and not value.is_finite() else value


Write = Callable[[Store], None]
