"""Fixtures of the end-to-end tests: a scenario with an empty workspace, and scenarios that share one."""

from collections.abc import Iterator

import dagster as dg
import pytest

from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync_tests.end_to_end.faulty import begun, clean, company  # noqa: F401  (fixtures)
from intercom_sync_tests.end_to_end.scenario import Scenario, set_environment


@pytest.fixture
def scenario(database_url: str, schema: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scenario]:
    """Create a scenario with an empty workspace and a new schema, and configure syncs to use them."""
    with Sandbox(Workspace()) as sandbox, dg.DagsterInstance.ephemeral() as instance:
        set_environment(monkeypatch, sandbox, database_url, schema)
        made = Scenario(sandbox, database_url, schema, instance)
        yield made
        made.close()
