"""Shared fixtures: a clean environment, and a real Postgres with a new schema for each test that needs one.

The tests start their own server; INTERCOM_SYNC_TEST_POSTGRES chooses its version: 15, 16, or 18 (the default).
INTERCOM_SYNC_TEST_DATABASE_URL uses another server instead.

Property tests use the same examples in every run; `--hypothesis-profile new` draws new ones (see the model's README).
"""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from intercom_sync.warehouse.errors import DatabaseBusyError
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.schema.migrate import create_schema, prepare
from intercom_sync_tests.survival.postgres.server import CHOICE, Server

_PATIENT = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], print_blob=True
)
settings.register_profile("same", _PATIENT, derandomize=True)
settings.register_profile("new", _PATIENT, derandomize=False)
settings.load_profile("same")
_OURS = ("INTERCOM_", "SLACK_", "DAGSTER_", "DATABASE_URL")
_KEPT = ("INTERCOM_OPENAPI", "INTERCOM_SYNC_TEST_DATABASE_URL", CHOICE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start long tests first, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove the machine's settings and .env file from every test's environment."""
    for name in list(os.environ):
        if name.startswith(_OURS) and name not in _KEPT:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """Return the URL of a real server."""
    named = os.environ.get("INTERCOM_SYNC_TEST_DATABASE_URL")
    if named:
        yield named
        return
    with Server() as server:
        yield server.url


@pytest.fixture
def schema(database_url: str) -> Iterator[str]:
    """Create an empty schema, and drop it after the test."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    create_schema(database_url, name)
    yield name
    try:
        _drop_schema(database_url, name)
    except DatabaseBusyError:  # autovacuum can deadlock with a drop of many tables
        _drop_schema(database_url, name)


def _drop_schema(url: str, name: str) -> None:
    with Session(url, name) as session, session.transaction():
        session.execute(f"DROP SCHEMA IF EXISTS {name}, dagster_{name} CASCADE")


@pytest.fixture
def connect(database_url: str, schema: str) -> Callable[[], Session]:
    """Return a function that opens sessions on a schema with all tables."""
    prepare(database_url, schema)
    return lambda: Session(database_url, schema)
