"""The Dagster instance of the commands: made once, however many start at the same moment."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from intercom_sync.warehouse.postgres.urls import plain_url

_USE = """
import dagster as dg
from intercom_sync.commands.dagster_instance import use_instance
from intercom_sync.settings import Settings
use_instance(Settings.load())
with dg.DagsterInstance.get() as instance:
    print(instance.get_runs_count())
"""


@pytest.fixture
def empty_database(database_url: str) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    name = f"d_{uuid.uuid4().hex[:12]}"
    connection = psycopg2.connect(plain_url(database_url))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        yield database_url.replace("/postgres?", f"/{name}?")
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    connection.close()


def test_processes_that_start_at_once_on_an_empty_database_all_find_dagsters_tables(
    empty_database: str, tmp_path: Path
) -> None:
    homes = [tmp_path / f"home-{number}" for number in range(4)]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _USE],
            env=os.environ | {"INTERCOM_SYNC_DATABASE_URL": empty_database, "INTERCOM_SYNC_HOME": str(home)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for home in homes
    ]  # fmt: skip
    assert [process.communicate(timeout=120)[0].strip() for process in started] == ["0"] * 4
