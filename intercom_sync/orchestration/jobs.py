"""The run launcher of our instance: Dagster's own, and a note of the process that launched each run."""

import dagster as dg
from dagster import DefaultRunLauncher
from dagster._core.launcher import LaunchRunContext

from intercom_sync.pipeline.worker_processes import this_worker

LAUNCHER_TAG = "intercom_sync/launcher"


class NotingRunLauncher(DefaultRunLauncher):
    """Launches runs by the code server, and notes where: a run that dies before it begins to read is found by that."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """Launch a run."""
        self._instance.add_run_tags(context.dagster_run.run_id, {LAUNCHER_TAG: this_worker().as_text()})
        super().launch_run(context)


sync_job = dg.define_asset_job(
    "sync",
    selection=dg.AssetSelection.all(),
    description="Read what changed in Intercom, and make every customer right. `full: true` reads everything.",
    # A worker that died: the reading goes on where it stopped, and the figures are those of one whole run.
    tags={"dagster/retry_strategy": "ALL_STEPS"},
)


def run_config(**config: bool | str) -> dict[str, object]:
    """Return the run configuration that tells a sync what to read."""
    return {"ops": {"raw": {"config": config}}}
