"""A workspace on a sandbox, and syncs of it by the Dagster job."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest

from intercom_sync.definitions import build_definitions
from intercom_sync.orchestration.jobs import SYNC_JOB, run_config
from intercom_sync.orchestration.partitions import partition_key, window_containing
from intercom_sync.sandbox.builders import contact
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync.settings import Settings

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Syncs:
    """Runs syncs of one workspace on one Dagster instance."""

    def __init__(self, company: Workspace, instance: dg.DagsterInstance) -> None:
        self.company = company
        self.instance = instance

    def put(self, first: int, last: int, **fields: object) -> None:
        """Store contacts that changed a day before now."""
        at = int(NOW.timestamp()) - 86_400
        for number in range(first, last):
            made = contact(id=f"{number:024x}", email=f"n{number}@example.com", created_at=at, updated_at=at)
            self.company.put_contact(made | fields)

    def run(self, **config: bool | str) -> dg.ExecuteInProcessResult:
        """Run the sync job as of now."""
        return (
            build_definitions(Settings.load())
            .resolve_job_def(SYNC_JOB)
            .execute_in_process(
                run_config=run_config(as_of=NOW.isoformat(), **config) | QUIET,
                partition_key=partition_key(window_containing(NOW)),
                instance=self.instance,
                raise_on_error=False,
            )
        )


@pytest.fixture
def syncs(database_url: str, schema: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Syncs]:
    with Sandbox(Workspace()) as sandbox, dg.DagsterInstance.ephemeral() as instance:
        settings = {
            "INTERCOM_API_KEY": "invented",
            "INTERCOM_BASE_URL": sandbox.url,
            "INTERCOM_SYNC_DATABASE_URL": database_url,
            "INTERCOM_SYNC_SCHEMA": schema,
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield Syncs(sandbox.workspace, instance)


def verdicts(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Return whether each check passed, by asset and name."""
    found = result.get_asset_check_evaluations()
    return {f"{one.asset_key.to_user_string()}.{one.check_name}": one.passed for one in found}
