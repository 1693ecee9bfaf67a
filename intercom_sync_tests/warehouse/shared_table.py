"""A customers table that another system created, and syncs that land contacts and write customers to it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg2
import psycopg2.extras

from intercom_sync.domain.contacts import parse_contact
from intercom_sync.domain.parse_records import parse_records
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.window import Window
from intercom_sync.pipeline.compute import compute_revenue, compute_support
from intercom_sync.pipeline.publish import PublishResult, publish_customers
from intercom_sync.sandbox.builders import contact, subscription
from intercom_sync.warehouse.landing.land_contacts import LandingContext, land_contacts
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.postgres.urls import plain_url
from intercom_sync.warehouse.schema.migrate import prepare
from intercom_sync.warehouse.state import extractions, runs
from intercom_sync.warehouse.state.runs import SyncRun

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = Rules()
Row = dict[str, Any]


def person(id: str, email: str | None, *, day: int = 0, mrr: int | None = None, **fields: Any) -> Row:
    """Build a contact on a day, optionally with an MRR in dollars; `stripe` has further attributes."""
    stripe = dict(fields.pop("stripe", {}))
    if mrr is not None:
        stripe["Stripe Subscriptions"] = [subscription(amount=100 * mrr, interval="month")]
    updated = int((NOW + day * DAY).timestamp())
    times = {"created_at": updated - 86_400 * 100, "updated_at": updated}
    return contact(id=id, email=email, **({"custom_attributes": stripe} | times | fields))


class SharedTable:
    """`unified_customers` of another system in a schema, and syncs that write to it."""

    def __init__(self, url: str, schema: str) -> None:
        self._url, self._schema = url, schema
        self._connection = psycopg2.connect(plain_url(url), options=f"-c search_path={schema} -c timezone=UTC")
        self._connection.autocommit = True
        self._runs = 0

    def close(self) -> None:
        self._connection.close()

    def rows(self, statement: str, *values: Any) -> list[Row]:
        """Run a statement as another system and return its rows."""
        with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(statement, values or None)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def customer(self, email: str) -> Row:
        (row,) = self.rows("SELECT * FROM unified_customers WHERE lower(email) = lower(%s)", email)
        return row

    def written(self, *columns: str) -> dict[str, Any]:
        """Return some columns of every row as text, by email."""
        texts = ", ".join(f"CAST({c} AS text) AS {c}" for c in columns)
        found = self.rows(f"SELECT lower(email) AS email, {texts} FROM unified_customers ORDER BY 1")
        return {row.pop("email"): tuple(row.values()) if len(row) > 1 else next(iter(row.values())) for row in found}

    def places(self) -> dict[str, Any]:
        """Return the physical position of each row, which changes with every write."""
        return {
            row["email"]: row["place"] for row in self.rows("SELECT email, ctid::text AS place FROM unified_customers")
        }

    def alerts(self) -> list[tuple[str, str]]:
        return [(row["kind"], row["email"]) for row in self.rows("SELECT kind, email FROM customer_alerts ORDER BY id")]

    def rejects(self) -> dict[str, tuple[str, str, Any]]:
        """Return reason, field and value of every rejected record, by kind and id."""
        found = self.rows("SELECT * FROM rejected_records ORDER BY kind, id")
        return {f"{row['kind']} {row['id']}": (row["reason"], row["field"], row["value"]) for row in found}

    def sync(self, *records: Row, day: int = 1, gone: Iterable[str] = ()) -> PublishResult:
        """Land some contacts, delete others, and write the customers as of a day."""
        self._runs += 1
        prepare(self._url, self._schema)
        moment = NOW + day * DAY
        run = SyncRun(f"run-{self._runs}", moment, Window(moment - DAY, moment), full=False, started_at=moment)
        with Session(self._url, self._schema) as session:
            runs.start(session, run)
            with session.transaction():
                for id in gone:
                    session.execute("DELETE FROM intercom_contacts WHERE id = $1", id)
                sifted = parse_records(records, partial(parse_contact, rules=RULES))
                land_contacts(session, sifted, LandingContext(run.id, run.as_of, RULES))
                extractions.record_seen_ids(session, run.id, RecordKind.CONTACT, sifted.ids)
            compute_revenue(session, run, RULES)
            compute_support(session, run, RULES)
            return publish_customers(session, run, RULES, lambda: moment)
