"""The schedules: an incremental sync every six hours for the window that just closed, and a full sync on Sundays.

Both also cover changes that earlier runs missed. Minute 7 gives the search index time to show the last changes of a
window, and avoids the load peak on the hour.
"""

from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from intercom_sync.orchestration.jobs import run_config
from intercom_sync.orchestration.partitions import WINDOW, partition_key, window_containing


def build_schedules(
    job: UnresolvedAssetJobDefinition, partitions: dg.TimeWindowPartitionsDefinition
) -> list[dg.ScheduleDefinition]:
    """Return the schedules of the sync job."""

    @dg.schedule(
        cron_schedule="7 */6 * * *",
        job=job,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Syncs all changes from the watermark to the end of the six-hour window that just closed.",
    )
    def every_six_hours(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Request a sync up to the end of the window that just closed."""
        key = _window_just_closed(context.scheduled_execution_time)
        return _request(context, partitions, key, key, catch_up=True)

    @dg.schedule(
        cron_schedule="0 2 * * 0",
        job=job,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Extracts all records once a week, and detects deleted and merged ones.",
    )
    def weekly_full(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Request a full sync in the partition of the window that just closed."""
        key = _window_just_closed(context.scheduled_execution_time)
        return _request(context, partitions, key, f"full-{key}", full=True)

    return [every_six_hours, weekly_full]


def _window_just_closed(tick: datetime) -> str:
    return partition_key(window_containing(tick.astimezone(UTC) - WINDOW))


def _request(
    context: dg.ScheduleEvaluationContext,
    partitions: dg.TimeWindowPartitionsDefinition,
    key: str,
    run_key: str,
    **config: bool | str,
) -> dg.RunRequest | dg.SkipReason:
    # Use the time of the tick, which may be in the future when the UI tests a schedule.
    with dg.partition_loading_context(effective_dt=context.scheduled_execution_time):
        if not partitions.has_partition_key(key):
            return dg.SkipReason(f"The window {key} is before the first one; see INTERCOM_SYNC_PARTITIONS_START.")
    return dg.RunRequest(run_key=run_key, partition_key=key, run_config=run_config(**config))
