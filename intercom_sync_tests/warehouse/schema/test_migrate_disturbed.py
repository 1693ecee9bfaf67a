"""Migrations in unusual places, and disturbed ones: killed, kept waiting, several at once, by roles with few rights."""

import subprocess
import sys
import time
from pathlib import Path

import psycopg2
import pytest

from intercom_sync.domain.schema import tables
from intercom_sync.warehouse.errors import DatabaseBusyError, DatabaseRefusedError
from intercom_sync.warehouse.postgres.urls import plain_url
from intercom_sync.warehouse.schema.inspection import inspect
from intercom_sync.warehouse.schema.migrate import migrate, pending, prepare
from intercom_sync_tests.warehouse.plain_connection import definitions, direct

BEFORE_MARKS = (Path(__file__).with_name("before_marks.sql")).read_text()
_MIGRATE = "import sys; from intercom_sync.warehouse.schema.migrate import migrate; print(len(migrate(*sys.argv[1:])))"


def _with(url: str, **parameters: str) -> str:
    joint = "&" if "?" in url else "?"
    return plain_url(url) + joint + "&".join(f"{name}={value}" for name, value in parameters.items())


@pytest.mark.parametrize("name", ["Customers", "user", "select", "_", "x" * 63])
def test_any_name_of_a_schema_will_do(database_url: str, schema: str, name: str) -> None:
    name = (schema[:12] + name)[:63] if name not in {"user", "select"} else name
    try:
        prepare(database_url, name)
        assert pending(database_url, name) == []
        with direct(database_url, name) as cursor:
            cursor.execute(
                "INSERT INTO intercom_contacts (id, email, created_at, updated_at, payload) "
                "VALUES ('a', 'Ann@example.com', now(), now(), '{}') RETURNING email_key, revision"
            )
            assert cursor.fetchall() == [("ann@example.com", 1)]
    finally:
        with direct(database_url, schema) as cursor:
            cursor.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


@pytest.mark.parametrize("name", ["pg_customers", "information_schema", "pg_catalog"])
def test_a_schema_that_postgres_keeps_for_itself_is_a_sentence(database_url: str, name: str) -> None:
    with pytest.raises(DatabaseRefusedError, match="INTERCOM_SYNC_SCHEMA"):
        prepare(database_url, name)


def test_the_roles_search_path_changes_nothing(database_url: str, schema: str) -> None:
    with direct(database_url, schema) as cursor:
        cursor.execute(f"CREATE SCHEMA {schema}_other; CREATE TABLE {schema}_other.sync_runs (id int)")
        prepare(_with(database_url, options=f"-csearch_path%3D{schema}_other,public"), schema)
        cursor.execute(f"SELECT count(*) FROM {schema}.sync_runs")
        assert cursor.fetchall() == [(0,)]
        cursor.execute(f"DROP SCHEMA {schema}_other CASCADE")


def test_a_migration_that_waits_too_long_is_a_sentence_and_changes_nothing(database_url: str, schema: str) -> None:
    with direct(database_url, schema) as cursor:
        cursor.execute(BEFORE_MARKS.format(schema=schema))
    before = definitions(database_url, schema)
    holder = psycopg2.connect(plain_url(database_url), options=f"-c search_path={schema}")
    with holder, holder.cursor() as cursor:
        cursor.execute("SELECT * FROM unified_customers")
        with pytest.raises(DatabaseBusyError, match="unified_customers"):
            migrate(_with(database_url, options="-clock_timeout%3D300"), schema)
    holder.close()
    assert definitions(database_url, schema) == before
    assert migrate(database_url, schema)


def test_a_migration_that_was_killed_half_way_leaves_nothing_and_is_made_good(database_url: str, schema: str) -> None:
    with direct(database_url, schema) as cursor:
        cursor.execute(BEFORE_MARKS.format(schema=schema))
        cursor.execute("DROP TABLE check_verdicts, sync_runs")
    before = definitions(database_url, schema)
    # It has renamed tables by the time it waits for this one.
    holder = psycopg2.connect(plain_url(database_url), options=f"-c search_path={schema}")
    with holder, holder.cursor() as cursor:
        cursor.execute("LOCK TABLE forgotten IN ACCESS EXCLUSIVE MODE")
        process = subprocess.Popen([sys.executable, "-c", _MIGRATE, database_url, schema])
        with direct(database_url, schema) as watcher:
            end = time.monotonic() + 60
            while True:
                watcher.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s",
                    (f"%{schema}%forgotten%",),
                )
                if watcher.fetchall() == [(1,)]:
                    break
                assert time.monotonic() < end
                time.sleep(0.1)
        process.kill()
        process.wait()
    holder.close()
    assert definitions(database_url, schema) == before
    assert migrate(database_url, schema)
    assert pending(database_url, schema) == []
    assert {row[0] for row in definitions(database_url, schema)} >= {table.name for table in tables.TABLES}


def test_of_migrations_at_once_one_makes_the_changes(database_url: str, schema: str) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", _MIGRATE, database_url, schema], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    made = [int(one.communicate(timeout=120)[0]) for one in started]
    assert [one.returncode for one in started] == [0, 0, 0]
    assert sorted(made)[:2] == [0, 0]
    assert max(made) > len(tables.TABLES)


def test_a_role_that_may_only_look_is_told_everything_it_lacks(database_url: str, schema: str) -> None:
    role = f"{schema}_role"
    prepare(database_url, schema)
    with direct(database_url, schema) as cursor:
        cursor.execute(f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA {schema} TO {role}; "
                       f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")  # fmt: skip
        try:
            before = definitions(database_url, schema)
            found = inspect(_with(database_url, options=f"-crole%3D{role}"), schema, with_dagster=True)
            assert definitions(database_url, schema) == before
            assert any("SELECT, INSERT, UPDATE and DELETE" in problem for problem in found.problems)
            assert any("sequence" in problem and "intercom_revision" in problem for problem in found.problems)
            assert found.steps == []
            read_only = _with(database_url, options="-cdefault_transaction_read_only%3Don")
            assert "read-only" in inspect(read_only, schema, with_dagster=True).problems[0]
        finally:
            cursor.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_role_without_the_schema_is_told_so(database_url: str, schema: str) -> None:
    role = f"{schema}_role"
    with direct(database_url, schema) as cursor:
        cursor.execute(f"CREATE ROLE {role}")
        try:
            (problem,) = inspect(_with(database_url, options=f"-crole%3D{role}"), schema, with_dagster=True).problems
            assert f"USAGE and CREATE on the schema {schema}" in problem
            missing = inspect(_with(database_url, options=f"-crole%3D{role}"), f"{schema}_x", with_dagster=True)
            assert "CREATE on the database" in missing.problems[0]
        finally:
            cursor.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
