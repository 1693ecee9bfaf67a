"""A small, slow sandbox, a temporary home folder, and an environment that configures both."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from intercom_sync.sandbox.generate import generate
from intercom_sync.sandbox.server import Sandbox
from intercom_sync_tests.homes import passing


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(generate(contacts=600, conversations=40)) as made:
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Return the home folder of `settings`, for tests that use its embedded server."""
    with passing(tmp_path / "home") as folder:
        yield folder


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """Return an environment in which an extraction is slow enough to be interrupted."""
    return os.environ | {
        "INTERCOM_API_KEY": "tok_invented",
        "INTERCOM_BASE_URL": sandbox.url,
        "INTERCOM_SYNC_HOME": str(tmp_path / "home"),
        "INTERCOM_SYNC_CONTACT_SEARCHES_PER_SECOND": "1",
    }


@pytest.fixture
def named(settings: dict[str, str], database_url: str, schema: str) -> dict[str, str]:
    """Return the same environment with an external server."""
    return settings | {"INTERCOM_SYNC_DATABASE_URL": database_url, "INTERCOM_SYNC_SCHEMA": schema}
