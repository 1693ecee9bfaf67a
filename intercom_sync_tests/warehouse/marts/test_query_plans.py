"""How a sync's statements join tables: no table that the run has filled is gone through once for each row of another.

The plans are those of the statements that a real sync makes, with the statistics it has then. Autovacuum is off, which
elsewhere comes too late; what the statistics knew last is another, small sync.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl
import pytest

from intercom_sync.domain.rules import Rules
from intercom_sync.domain.window import Window
from intercom_sync.intercom.reader import Reader
from intercom_sync.pipeline.run_plan import RunRequest, get_or_start_run
from intercom_sync.pipeline.run_sync import run_sync
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.end_to_end.scenario import person, talk
from intercom_sync_tests.intercom.scenario import client_of

_NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
_FEW, _MANY = 40, 3_000
_EXPLAINED = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")


class ExplainingSession(Session):
    """A session that tries each statement before it runs it, and notes how that went."""

    plans: ClassVar[list[tuple[str, dict[str, Any]]]] = []

    def execute(self, statement: str, *values: object) -> None:
        """Explain and run it."""
        self._explain(statement, *values)
        super().execute(statement, *values)

    def frame(self, query: str, *values: object) -> pl.DataFrame:
        """Explain and run it."""
        self._explain(query, *values)
        return super().frame(query, *values)

    def _explain(self, statement: str, *values: object) -> None:
        if statement.startswith(_EXPLAINED) and "pg_" not in statement:
            super().execute("SAVEPOINT explained")
            with self._connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})  # it only takes queries
                cursor.execute(
                    f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", self._encode_values(values) or None
                )
                found = pl.DataFrame(cursor.fetch_arrow())
            super().execute("ROLLBACK TO explained")
            self.plans.append((statement, json.loads(found.item())[0]["Plan"]))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All nodes of a plan."""
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


def compared_in_vain(plan: dict[str, Any]) -> int:
    """How many pairs of rows the joins of a plan compared that did not match."""
    return sum(node.get("Rows Removed by Join Filter", 0) * node["Actual Loops"] for node in nodes(plan))


@pytest.fixture
def explaining(database_url: str, schema: str, connect: Callable[[], Session]) -> Callable[[], Session]:
    """Opens explaining sessions on tables that autovacuum leaves alone."""
    with connect() as session, session.transaction():
        for table in session.frame("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()").rows():
            session.execute(f"ALTER TABLE {table[0]} SET (autovacuum_enabled = off)")
    ExplainingSession.plans.clear()
    return lambda: ExplainingSession(database_url, schema)


def company(people: int) -> Workspace:
    made = Workspace()
    for n in range(people):
        made.put_contact(person(f"c{n:05}", f"p{n}@example.com", updated=_NOW - timedelta(days=40, minutes=n)))
        made.put_conversation(talk(f"{10_000 + n}", f"c{n:05}", "I cancel", created=_NOW - timedelta(days=1)))
    return made


def sync(connect: Callable[[], Session], held: Workspace, name: str, at: datetime) -> None:
    """One full sync."""
    request, window = RunRequest(full=True, as_of=at), Window(at - timedelta(hours=6), at)
    with Sandbox(held) as sandbox, client_of(sandbox.url) as client:
        with connect() as session:
            run = get_or_start_run(session, name, request, window, at)
        run_sync(run, Reader(client), connect, Rules(), overlap=timedelta(), clock=lambda: at)


def test_no_statement_of_a_large_sync_after_a_small_one_compares_all_rows_with_all(
    explaining: Callable[[], Session], connect: Callable[[], Session]
) -> None:
    sync(connect, company(_FEW), "first", _NOW)
    with connect() as session, session.transaction():
        session.execute("ANALYZE")
    large = company(_MANY)
    for number, at in enumerate((_NOW + timedelta(days=1), _NOW + timedelta(days=2), _NOW + timedelta(days=3))):
        sync(explaining, large, f"large {number}", at)
        large.archive_contact(f"c{number:05}")
    assert len(ExplainingSession.plans) > 100
    found = {statement: compared_in_vain(plan) for statement, plan in ExplainingSession.plans}
    assert {statement: pairs for statement, pairs in found.items() if pairs > 2 * _MANY} == {}
