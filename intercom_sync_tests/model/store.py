"""The actual tables in the oracle's representation, and writes of other systems to the customers."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg2
from psycopg2 import sql

from intercom_sync.domain.schema import tables
from intercom_sync_tests.model.rows import COLUMNS
from intercom_sync_tests.model.words import DAY

_TIMES = {"signup_date", "last_payment_date", "last_seen_at", "intercom_deleted_at", "last_intercom_sync"}
# Columns of other systems: one that the sync does not use, and one that is required.
THEIRS = "ADD COLUMN crm_owner text, ADD COLUMN crm_grade integer NOT NULL DEFAULT 3"
# Their constraints: one that a contact with a changed email violates, and one that rejects some rows.
CONSTRAINTS = "ADD UNIQUE (intercom_contact_id), ADD CHECK (location_city <> 'Cork' OR external_id <> 'account-2')"


def refuses(row: dict[str, Any]) -> bool:
    """Return whether the second constraint rejects a row."""
    return bool(row["location_city"] == "Cork" and row["external_id"] == "account-2")


class Store:
    """A second connection to the database, as of another system."""

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
        """Empty every table."""
        self.query(f"TRUNCATE {', '.join(table.name for table in tables.TABLES)} RESTART IDENTITY")

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all rows of all tables as text."""
        return {table.name: sorted(self.query(f"SELECT t::text FROM {table.name} t")) for table in tables.TABLES}

    # Tables of the sync.

    def customers(self) -> dict[str, dict[str, Any]]:
        """Return every row by its key, with times in UNIX seconds."""
        names = (*COLUMNS, "last_intercom_sync", "crm_owner", "crm_grade")
        second = "CASE WHEN isfinite({0}) THEN extract(epoch FROM {0})::bigint::text ELSE {0}::text END"
        listed = ", ".join(second.format(n) if n in _TIMES else n for n in names)
        found = self.query(f"SELECT lower(email), {listed} FROM unified_customers")
        return {key: {n: _seen(n, value) for n, value in zip(names, row, strict=True)} for key, *row in found}

    def alerts(self) -> dict[str, list[tuple[str, str]]]:
        """Return kind and key of every alert, by run."""
        made: dict[str, list[tuple[str, str]]] = {}
        for run, kind, email in self.query("SELECT run, kind, lower(email) FROM customer_alerts ORDER BY id"):
            made.setdefault(run, []).append((kind, email))
        return made

    def movements(self, run: str) -> list[tuple[str, str, Decimal]]:
        """Customer, kind and change of a run's MRR movements, by customer."""
        found = "SELECT email, kind, mrr_change FROM mrr_movements WHERE run_id = %s"
        return self.query(f'{found} ORDER BY email COLLATE "C", movement_id', run)

    def moved(self) -> dict[str, Decimal]:
        """What each customer's movements add up to, where that is not 0."""
        return dict(
            self.query("SELECT email, sum(mrr_change) FROM mrr_movements GROUP BY 1 HAVING sum(mrr_change) <> 0")
        )

    def refused(self) -> set[tuple[str, str]]:
        """Return kind and id of every rejected record, with one marker for each without an id."""
        return set(self.query("SELECT kind, id FROM rejected_records"))

    def waiting(self, now: int) -> set[str]:
        """Return the conversations with pending parts; after an upgrade of the rules these are all recent ones."""
        found = self.query(
            "SELECT id FROM intercom_conversations WHERE parts_pending OR (updated_at >= to_timestamp(%s) "
            "AND EXISTS (SELECT FROM intercom_messages WHERE rules_hash = 'older'))",
            now - 30 * DAY,
        )
        return {name for (name,) in found}

    def upgrade(self) -> None:
        """Change the derived state to that of an older version: other results and rule fingerprints."""
        self.query("UPDATE revenue_metrics SET mrr = 7, ltv = NULL, currency = 'xxx', rules_hash = 'older'")
        self.query("UPDATE intercom_contacts SET email = NULL, name = 'older', location_city = 'older'")
        self.query("UPDATE intercom_messages SET mentions_cancel = NOT mentions_cancel, rules_hash = 'older'")
        self.query("UPDATE rejected_records SET rules_hash = 'older'")

    def judged_by_older_rules(self) -> set[str]:
        """Return the rejected conversations that the current rules have not validated."""
        found = self.query("SELECT id FROM rejected_records WHERE kind = 'conversation' AND rules_hash = 'older'")
        return {name for (name,) in found}

    def landed(self) -> dict[str, tuple[int, dict[str, Any]]]:
        """Return version and JSON of every landed contact."""
        found = self.query("SELECT id, extract(epoch FROM updated_at)::bigint, payload FROM intercom_contacts")
        return {name: (version, payload) for name, version, payload in found}

    def landed_talks(self) -> dict[str, tuple[int, list[str]]]:
        """Return version and contacts of every landed conversation."""
        found = self.query("SELECT id, extract(epoch FROM updated_at)::bigint, contact_ids FROM intercom_conversations")
        return {name: (version, people) for name, version, people in found}

    def merges(self) -> dict[str, str]:
        """Return the merge target of each merged contact."""
        return dict(self.query("SELECT source_id, contact_id FROM contact_merges"))

    def authors(self) -> dict[tuple[str, int], set[str]]:
        """Return the contact ids of messages, by conversation and second."""
        found = self.query(
            "SELECT conversation_id, extract(epoch FROM created_at)::bigint, author_id FROM intercom_messages"
        )
        authors: dict[tuple[str, int], set[str]] = {}
        for name, at, author in found:
            authors.setdefault((name, at), set()).add(author)
        return authors

    # Writes of other systems.

    def write(self, email: str, values: dict[str, Any]) -> None:
        """Write columns of a customer's row as another system, and insert the row if there is none."""
        names = [sql.Identifier(name) for name in values]
        given = [sql.SQL("to_timestamp(%s)") if name in _TIMES else sql.SQL("%s") for name in values]
        pairs = sql.SQL(", ").join(sql.SQL("{} = {}").format(n, v) for n, v in zip(names, given, strict=True))
        statement = sql.SQL(
            "INSERT INTO unified_customers (email, {}) VALUES (%s, {}) ON CONFLICT (lower(email)) DO UPDATE SET {}"
        )
        filled = statement.format(sql.SQL(", ").join(names), sql.SQL(", ").join(given), pairs)
        self.query(filled, email, *values.values(), *values.values())

    def delete(self, key: str) -> None:
        """Delete a customer's row as another system."""
        self.query("DELETE FROM unified_customers WHERE lower(email) = %s", key)


def _seen(name: str, value: Any) -> Any:
    """Return a value in the oracle's representation; values that the sync cannot represent become text."""
    if name in _TIMES and value is not None:
        return int(value) if value.lstrip("-").isdigit() else value
    return str(value) if isinstance(value, Decimal) and not value.is_finite() else value


Write = Callable[[Store], None]
