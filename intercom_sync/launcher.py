"""The run launcher of our instance: Dagster's own, and a note of the process that launched each run."""

from dagster import DefaultRunLauncher
from dagster._core.launcher import LaunchRunContext

from intercom_sync.sync.workers import this_worker

LAUNCHER_TAG = "intercom_sync/launcher"


class NotingRunLauncher(DefaultRunLauncher):
    """Launches runs by the code server, and notes where: a run that dies before it begins to read is found by that."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """Launch a run."""
        self._instance.add_run_tags(context.dagster_run.run_id, {LAUNCHER_TAG: this_worker().as_text()})
        super().launch_run(context)
