"""The sync job, and a run launcher that tags each run with the process that launched it."""

import dagster as dg
from dagster import DefaultRunLauncher
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.launcher import LaunchRunContext

from intercom_sync.pipeline.worker_processes import this_worker

SYNC_JOB = "sync"
LAUNCHER_TAG = "intercom_sync/launcher"


class NotingRunLauncher(DefaultRunLauncher):
    """Launch runs and tag them with the launcher process, so that a run that dies before it starts can be detected."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """Tag and launch a run."""
        self._instance.add_run_tags(context.dagster_run.run_id, {LAUNCHER_TAG: this_worker().as_text()})
        super().launch_run(context)


def build_sync_job() -> UnresolvedAssetJobDefinition:
    """Return the job that syncs all assets."""
    return dg.define_asset_job(
        SYNC_JOB,
        selection=dg.AssetSelection.all(),
        description="Extracts changes from Intercom and updates the customers. `full: true` extracts all records.",
        # After a worker crash the extraction resumes from its checkpoint, and the statistics cover the whole run.
        tags={"dagster/retry_strategy": "ALL_STEPS"},
    )


def run_config(**config: bool | str) -> dict[str, object]:
    """Return the run configuration for the given extraction options."""
    return {"ops": {"raw": {"config": config}}}
