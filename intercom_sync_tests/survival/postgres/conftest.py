"""Shared fixtures: a server for faults, with a workspace that was synced once and has changed since."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from intercom_sync.sandbox.server import Sandbox
from intercom_sync_tests.end_to_end.scenario import Row
from intercom_sync_tests.survival.postgres import fixtures
from intercom_sync_tests.survival.postgres.server import Server


@dataclass(frozen=True)
class Base:
    """A server, a sandbox, a template database, and the result of a sync without faults."""

    server: Server
    sandbox: Sandbox
    database: str
    clean: dict[str, list[Row]]


@pytest.fixture(scope="module")
def base() -> Iterator[Base]:
    with Server() as server, Sandbox(fixtures.company()) as sandbox:
        with fixtures.struck(sandbox, server, None) as first:
            first.sync(full=True)
        fixtures.change(sandbox.workspace)
        with fixtures.struck(sandbox, server, first.database) as clean:
            clean.sync(fixtures.THEN)
            kept = clean.kept()
        assert len(kept["customer_alerts"]) > 40
        yield Base(server, sandbox, first.database, kept)


@pytest.fixture
def struck(base: Base) -> Iterator[fixtures.FaultyScenario]:
    """Return the scenario of the changed workspace on a new database."""
    with fixtures.struck(base.sandbox, base.server, base.database) as made:
        yield made
    base.sandbox.faults.clear()
