"""Several deployments in one database: each has Dagster's tables to itself, and a schema of its own."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from intercom_sync.commands.up import up
from intercom_sync.settings import Settings
from intercom_sync.warehouse.errors import DatabaseRefusedError
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.postgres.urls import plain_url
from intercom_sync.warehouse.schema.dagster_schema import choose_schema, claim_schema, hold_schema
from intercom_sync.warehouse.schema.migrate import create_schema, prepare
from intercom_sync_tests.warehouse.plain_connection import direct


@pytest.fixture
def database(database_url: str) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    name = f"d_{uuid.uuid4().hex[:12]}"
    with direct(database_url, "public") as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        yield plain_url(database_url).replace("/postgres?", f"/{name}?")
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _chosen(url: str, schema: str) -> str:
    with Session(url, schema) as session, session.transaction():
        return choose_schema(session, schema)


def _uses(url: str, schema: str) -> str:
    """A deployment with its tables and Dagster's, made as this version makes them."""
    prepare(url, schema)
    name = _chosen(url, schema)
    create_schema(url, name)
    with Session(url, schema) as session, session.transaction():
        session.execute(f'CREATE TABLE IF NOT EXISTS "{name}".runs (run_id text PRIMARY KEY)')
        claim_schema(session, name, schema)
    return name


def _from_before(url: str, schema: str, *runs: str) -> None:
    """A deployment of the version before, whose Dagster used the schema `dagster`, with these runs."""
    prepare(url, schema)
    with direct(url, schema) as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS dagster")
        cursor.execute("CREATE TABLE IF NOT EXISTS dagster.runs (run_id text PRIMARY KEY)")
        for run in runs:
            cursor.execute("INSERT INTO dagster.runs VALUES (%s)", (run,))
            cursor.execute(
                "INSERT INTO sync_runs (run_id, mode, status, as_of, window_end, started_at) "
                "VALUES (%s, 'full', 'succeeded', now(), now(), now())",
                (run,),
            )


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ("public", "dagster"),
        ("us", "dagster_us"),
        ("Us", "dagster_Us"),
        ("user", "dagster_user"),
        ("dagster", "dagster_dagster"),
        ("x" * 63, f"dagster_{'x' * 46}_"),
    ],
)
def test_dagsters_schema_follows_ours(database: str, schema: str, name: str) -> None:
    assert _chosen(database, schema).startswith(name)
    assert len(_chosen(database, schema)) <= 63
    assert _uses(database, schema) == _chosen(database, schema)


def test_a_deployment_that_is_alone_keeps_the_schema_that_holds_its_runs(database: str) -> None:
    _from_before(database, "us", "r1")
    assert _chosen(database, "us") == "dagster"
    assert _uses(database, "us") == "dagster"
    # Another one comes: it has its own, and the first keeps what it has.
    assert _uses(database, "eu") == "dagster_eu"
    assert _uses(database, "public") == "dagster_public"
    assert [_chosen(database, schema) for schema in ("us", "eu", "public")] == [
        "dagster", "dagster_eu", "dagster_public",
    ]  # fmt: skip


def test_deployments_that_shared_a_schema_are_parted(database: str) -> None:
    _from_before(database, "us", "r1")
    _from_before(database, "eu", "r2")
    assert _uses(database, "us") == "dagster_us"
    assert _uses(database, "eu") == "dagster_eu"
    with direct(database, "us") as cursor:
        cursor.execute("SELECT count(*) FROM dagster.runs")
        assert cursor.fetchall() == [(2,)]


def test_the_public_deployment_keeps_its_runs_beside_others(database: str) -> None:
    _from_before(database, "public", "r1")
    _from_before(database, "us", "r2")
    assert _uses(database, "us") == "dagster_us"
    assert _uses(database, "public") == "dagster"


def test_the_dagster_of_another_program_is_left_alone(database: str) -> None:
    _from_before(database, "public")
    with direct(database, "dagster") as cursor:
        cursor.execute("INSERT INTO runs VALUES ('theirs')")
    assert _chosen(database, "public") == "dagster_public"
    assert _chosen(database, "us") == "dagster_us"


def test_a_second_up_in_one_schema_is_refused(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERCOM_SYNC_DATABASE_URL", database)
    monkeypatch.setenv("INTERCOM_SYNC_HOME", str(tmp_path / "second"))
    with hold_schema(database, "public"):
        with pytest.raises(DatabaseRefusedError, match=r"schema public .* since .* INTERCOM_SYNC_SCHEMA"):
            up(Settings.load(), "127.0.0.1", None)
        with hold_schema(database, "eu"):
            pass
    with hold_schema(database, "public"):
        pass


def test_a_deployment_that_was_killed_leaves_its_schema_free(database: str) -> None:
    code = (
        "import sys, time; from intercom_sync.warehouse.schema.dagster_schema import hold_schema\n"
        "with hold_schema(sys.argv[1], 'public'): print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, database], stdout=subprocess.PIPE, env=os.environ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(DatabaseRefusedError), hold_schema(database, "public"):
            pass
        other.kill()
        other.wait()
    for attempt in range(100):
        try:
            with hold_schema(database, "public"):
                break
        except DatabaseRefusedError:
            assert attempt < 99
