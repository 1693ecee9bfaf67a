"""A workspace that was synced once and has changed since, and the expected result of a second sync after any fault."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import psycopg2.extras
import pytest

from intercom_sync.domain.schema import tables
from intercom_sync.sandbox.builders import subscription
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync_tests.end_to_end.scenario import HOUR, NOW, Row, Scenario, person, talk
from intercom_sync_tests.survival.postgres.server import Server

THEN = NOW + 6 * HOUR
_PEOPLE = 40
_PATIENCE = 60
_OWN = {"run", "time", "landed_at", "revision", "id", "delivered_at"}
"""Columns that differ from run to run, and the alerts' ids, which a run that is rolled back uses up."""

_COMPARED = (
    tables.UNIFIED_CUSTOMERS, tables.CUSTOMER_ALERTS, tables.CUSTOMER_LAST_WRITTEN, tables.INTERCOM_CONTACTS,
    tables.INTERCOM_CONVERSATIONS, tables.INTERCOM_MESSAGES, tables.REVENUE_METRICS, tables.SUPPORT_METRICS,
    tables.REJECTED_RECORDS,
)  # fmt: skip
WRITTEN = (tables.UNIFIED_CUSTOMERS, tables.CUSTOMER_ALERTS, tables.CUSTOMER_LAST_WRITTEN)


def company() -> Workspace:
    """Return the workspace before the changes."""
    made = Workspace()
    for number in range(_PEOPLE):
        made.put_contact(_person(number, 10_000))
        made.put_conversation(talk(f"5{number:02}", f"c{number:02}", "Hello", "Thanks", created=NOW - 9 * HOUR))
    return made


def change(made: Workspace) -> None:
    """Double every customer's MRR, add customers, and add cancel mentions."""
    for number in range(_PEOPLE + 5):
        made.put_contact(_person(number, 20_000 + number, hours=1))
    for number in range(0, _PEOPLE, 4):
        made.put_conversation(talk(f"9{number:02}", f"c{number:02}", "Hi", "I will cancel", created=NOW + HOUR))


def _person(number: int, amount: int, hours: int = -1) -> Any:
    stripe = {"Stripe Subscriptions": [subscription(amount=amount)]}
    return person(f"c{number:02}", f"p{number:02}@example.com", updated=NOW + hours * HOUR, stripe=stripe)


class FaultyScenario(Scenario):
    """A scenario on a server that restarts: every query has its own connection."""

    def __init__(self, sandbox: Sandbox, server: Server, database: str, instance: dg.DagsterInstance) -> None:
        self.sandbox, self.company, self.instance = sandbox, sandbox.workspace, instance
        self.server, self.database, self._resources = server, database, {}

    def rows(self, query: str, *values: Any) -> list[Row]:
        connection = self.server.connect(self.database)
        try:
            with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(query, values or None)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            connection.close()

    def kept(self, *which: Any) -> dict[str, list[Row]]:
        """Return the rows of the tables, without columns that differ from run to run."""
        return {table.name: self._kept(table) for table in which or _COMPARED}

    def _kept(self, table: Any) -> list[Row]:
        own = _OWN if table == tables.CUSTOMER_ALERTS else _OWN - {"id"}
        columns = ", ".join(f"{name}::text" for name in table.names if name not in own)
        # The outbox also has the incident of the failed run.
        where = "WHERE email IS NOT NULL" if table == tables.CUSTOMER_ALERTS else ""
        return self.rows(f"SELECT {columns} FROM {table.name} {where} ORDER BY {columns}")

    def sessions(self) -> int:
        """Return the number of other open connections; the server takes some time to close them."""
        end = time.monotonic() + _PATIENCE
        while (there := self._sessions()) and time.monotonic() < end:
            time.sleep(0.05)
        return there

    def _sessions(self) -> int:
        open_ones = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
        return int(self.rows(open_ones, self.database)[0]["n"])


@contextmanager
def struck(sandbox: Sandbox, server: Server, template: str | None, url: str = "") -> Iterator[FaultyScenario]:
    """Create a database, optionally from a template, and configure syncs to use it."""
    name = f"d_{uuid.uuid4().hex[:12]}"
    server.ask(f"CREATE DATABASE {name} {f'TEMPLATE {template}' if template else ''}")
    settings = {
        "INTERCOM_API_KEY": "an invented token",
        "INTERCOM_BASE_URL": sandbox.url,
        "INTERCOM_SYNC_DATABASE_URL": url.format(database=name) or server.url_of(name),
    }
    with pytest.MonkeyPatch.context() as environment, dg.DagsterInstance.ephemeral() as instance:
        for setting, value in settings.items():
            environment.setenv(setting, value)
        yield FaultyScenario(sandbox, server, name, instance)
