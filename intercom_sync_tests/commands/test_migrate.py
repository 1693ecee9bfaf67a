"""`intercom-sync migrate`, and that nothing else makes or changes anything where it should not."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from intercom_sync.cli import main
from intercom_sync.domain.schema import tables
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync.warehouse.postgres.urls import plain_url
from intercom_sync_tests.warehouse.plain_connection import definitions, direct


@pytest.fixture
def deployment(database_url: str, schema: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The environment of a deployment; its schema."""
    monkeypatch.setenv("INTERCOM_SYNC_DATABASE_URL", database_url)
    monkeypatch.setenv("INTERCOM_SYNC_SCHEMA", schema)
    monkeypatch.setenv("INTERCOM_SYNC_HOME", str(tmp_path / "home"))
    return schema


@pytest.fixture
def another_programs(database_url: str) -> Iterator[str]:
    """The URL of a database with a table of another program."""
    name = f"d_{uuid.uuid4().hex[:12]}"
    with direct(database_url, "public") as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        url = plain_url(database_url).replace("/postgres?", f"/{name}?")
        with direct(url, "public") as inside:
            inside.execute("CREATE TABLE orders (id int)")
        yield url
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _everything(url: str) -> list[tuple[object, ...]]:
    with psycopg2.connect(plain_url(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT oid, relname FROM pg_class UNION ALL SELECT oid, nspname FROM pg_namespace ORDER BY 1")
        return cursor.fetchall()


def test_a_dry_run_prints_what_a_migration_prints_and_changes_nothing(deployment, database_url, capsys):
    with direct(database_url, deployment) as cursor:
        cursor.execute("CREATE TABLE unified_customers (email text NOT NULL UNIQUE, mrr numeric)")
    before = definitions(database_url, deployment)
    assert main(["migrate", "--dry-run"]) == 0
    planned = capsys.readouterr().out.splitlines()
    assert definitions(database_url, deployment) == before
    assert "create table sync_runs" in planned
    assert "add column unified_customers.ltv (numeric)" in planned
    assert "use index unified_customers_email_key as the replica identity of unified_customers" in planned
    assert "unified_customers.mrr" not in "".join(planned)
    assert main(["migrate"]) == 0
    assert capsys.readouterr().out.splitlines()[:-1] == planned[:-1]
    for _ in range(2):
        assert main(["migrate"]) == 0
        assert capsys.readouterr().out == f"Schema {deployment} is up to date.\n"
    assert {row[0] for row in definitions(database_url, deployment)} >= {table.name for table in tables.TABLES}


def test_the_doctor_changes_nothing_and_counts_what_a_sync_would_change(deployment, database_url, monkeypatch, capsys):
    before = _everything(database_url)
    with Sandbox(Workspace()) as sandbox:
        monkeypatch.setenv("INTERCOM_API_KEY", "sandbox")
        monkeypatch.setenv("INTERCOM_BASE_URL", sandbox.url)
        assert main(["doctor"]) == 0
    assert f"pending changes in schema {deployment}" in capsys.readouterr().out
    assert _everything(database_url) == before


def test_the_doctor_makes_no_embedded_database(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("INTERCOM_SYNC_HOME", str(tmp_path / "home"))
    main(["doctor"])
    main(["migrate", "--dry-run"])
    assert main(["psql", "--url"]) == 2
    said = capsys.readouterr().out
    assert "database: none yet" in said
    assert "There is no database yet" in said
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("arguments", [["doctor"], ["migrate"], ["migrate", "--dry-run"], ["sync"], ["up"],
                                       ["forget", "ann@example.com"], ["psql", "--url"]])  # fmt: skip
def test_with_nothing_but_another_programs_database_named_nothing_is_made(another_programs, tmp_path, arguments):
    before = _everything(another_programs)
    done = subprocess.run(
        [sys.executable, "-m", "intercom_sync", *arguments],
        env=os.environ | {"DATABASE_URL": another_programs, "INTERCOM_SYNC_HOME": str(tmp_path / "home")},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert _everything(another_programs) == before
    if arguments[0] in {"migrate", "up", "forget"}:
        assert done.returncode == 2
        assert "INTERCOM_SYNC_DATABASE_URL" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_host_that_names_the_database_and_gives_a_token_is_served(another_programs, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DATABASE_URL", another_programs)
    monkeypatch.setenv("INTERCOM_SYNC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("INTERCOM_API_KEY", "sandbox")
    assert main(["migrate"]) == 0
    assert "the server of DATABASE_URL" in capsys.readouterr().out
    monkeypatch.delenv("INTERCOM_API_KEY")
    assert main(["migrate"]) == 0
