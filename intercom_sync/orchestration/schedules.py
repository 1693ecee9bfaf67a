"""When syncs run by themselves: every six hours for the window just closed, and a full one on Sundays.

Both catch up on what earlier runs left out. Minute 7 gives the search index time to show a window's last changes, and
keeps clear of the rush on the hour.
"""

from collections.abc import Iterator
from datetime import UTC

import dagster as dg

from intercom_sync.orchestration.jobs import run_config, sync_job
from intercom_sync.orchestration.partitions import WINDOW, partition_key, six_hour_partitions, window_containing


def _window_just_closed(context: dg.ScheduleEvaluationContext) -> str:
    return partition_key(window_containing(context.scheduled_execution_time.astimezone(UTC) - WINDOW))


def _request(
    context: dg.ScheduleEvaluationContext, key: str, run_key: str, **config: bool | str
) -> dg.RunRequest | dg.SkipReason:
    # At the time of the tick, which the UI's "Test schedule" may put into the future.
    with dg.partition_loading_context(effective_dt=context.scheduled_execution_time):
        if not six_hour_partitions.has_partition_key(key):
            return dg.SkipReason(f"The window {key} is before the first one; see INTERCOM_SYNC_PARTITIONS_START.")
    return dg.RunRequest(run_key=run_key, partition_key=key, run_config=run_config(**config))


@dg.schedule(
    cron_schedule="7 */6 * * *",
    job=sync_job,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Syncs what changed up to the end of the six-hour window just closed, without a gap.",
)
def every_six_hours(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for the window just closed."""
    key = _window_just_closed(context)
    yield _request(context, key, key, catch_up=True)


@dg.schedule(
    cron_schedule="0 2 * * 0",
    job=sync_job,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Reads everything once a week, and finds what was deleted or merged.",
)
def weekly_full(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for everything, on the window just closed."""
    key = _window_just_closed(context)
    yield _request(context, key, f"full-{key}", full=True)
