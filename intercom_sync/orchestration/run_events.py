"""What Dagster's records say of runs that ended (why one failed, what its checks found), into the outbox.

Read from the runs themselves and not as events arrive, so that runs in the foreground and runs that died are among
them, and reading the same ones again does no harm. What is news is decided in `domain.incidents` and the outbox.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from intercom_sync.domain.incidents import Incident, failed_run
from intercom_sync.domain.window import Window
from intercom_sync.orchestration.jobs import sync_job
from intercom_sync.orchestration.partitions import six_hour_partitions, window_containing
from intercom_sync.orchestration.resources import SCHEMA_TAG
from intercom_sync.pipeline.run_plan import RunRequest, get_or_start_run
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.alerts.check_states import Evaluation, record_evaluation
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import runs

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_STATES = {dg.DagsterRunStatus.FAILURE: runs.FAILED, dg.DagsterRunStatus.CANCELED: runs.CANCELED}
_MAX_RUNS = 1_000
_RETRIED_TAG = "dagster/will_retry"


def ended_since(
    instance: dg.DagsterInstance, since: datetime, location: str | None, schema: str
) -> tuple[Sequence[dg.RunRecord], datetime | None]:
    """Return the runs of our job and our assets that ended after a moment, the first to end first.

    Args:
        instance: where the runs are.
        since: the moment.
        location: the code location that asks; runs of others are not ours.
        schema: the schema of our tables; runs in the foreground for others are not ours.

    Returns:
        The runs, and the moment up to which they are all there; None when there are no more.
    """
    records = instance.get_run_records(
        dg.RunsFilter(statuses=_ENDED, updated_after=since),
        limit=_MAX_RUNS,
        order_by="update_timestamp",
        ascending=True,
    )
    ours = [record for record in records if is_ours(record.dagster_run, location, schema)]
    return ours, records[-1].update_timestamp if len(records) == _MAX_RUNS else None


def record_ended(instance: dg.DagsterInstance, session: Session, record: dg.RunRecord, *, crashed: bool = False) -> int:
    """Put into the outbox what is news of a run that ended, and close it in `sync_runs`; return how much news it was.

    Args:
        instance: where its events are.
        session: the warehouse.
        record: the run.
        crashed: whether its process ended without a word.
    """
    run = record.dagster_run
    _close(session, record, crashed=crashed)
    with session.transaction():
        failed = run.status is dg.DagsterRunStatus.FAILURE
        news = int(failed and outbox.enqueue_once(session, _failure(instance, record)))
        return news + sum(record_evaluation(session, one) for one in _evaluations(instance, run.run_id))


def _close(session: Session, record: dg.RunRecord, *, crashed: bool) -> None:
    """Close a run in `sync_runs`; one that did not succeed is kept there also when it ended before it began to read."""
    run, at = record.dagster_run, _ended_at(record)
    begun = datetime.fromtimestamp(record.start_time, UTC) if record.start_time else at
    succeeded = run.status is dg.DagsterRunStatus.SUCCESS
    with session.transaction():
        is_noted = runs.is_noted(session, run.run_id)
    if not is_noted and not succeeded and _is_sync(run):
        get_or_start_run(session, run.run_id, _request(run), _window(run.tags.get("dagster/partition"), begun), begun)
    with session.transaction():
        if succeeded:
            runs.end_partial(session, run.run_id, at)
        else:
            runs.end(session, run.run_id, runs.CRASHED if crashed else _STATES[run.status], at)


def _request(run: dg.DagsterRun) -> RunRequest:
    config: Any = run.run_config
    return RunRequest(full=config.get("ops", {}).get("raw", {}).get("config", {}).get("full") is True)


def _window(key: str | None, begun: datetime) -> Window:
    if key is None or not six_hour_partitions.has_partition_key(key):
        return window_containing(begun)
    window = six_hour_partitions.time_window_for_partition_key(key)
    return Window(window.start, window.end)


def _is_sync(run: dg.DagsterRun) -> bool:
    """Whether a run is one of the sync job."""
    return run.job_name == sync_job.name


def _ended_at(record: dg.RunRecord) -> datetime:
    """Return when a run ended."""
    return datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp


def _failure(instance: dg.DagsterInstance, record: dg.RunRecord) -> Incident:
    """Return the note of a failed run."""
    run = record.dagster_run
    return failed_run(
        run.run_id,
        run.root_run_id or run.run_id,
        run.job_name if _is_sync(run) else "assets",
        _reason(instance, run.run_id),
        _ended_at(record),
        # Without an origin, as in the foreground, the daemon cannot start it.
        retried=run.tags.get(_RETRIED_TAG) == "true" and run.remote_job_origin is not None,
    )


def _evaluations(instance: dg.DagsterInstance, run_id: str) -> Iterator[Evaluation]:
    """Yield what a run's checks found, in the order of their evaluation."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        found = entry.get_dagster_event().asset_check_evaluation_data
        yield Evaluation(
            f"{found.asset_key.to_user_string()}/{found.check_name}",
            found.passed,
            found.severity.value,
            found.description or "",
            run_id,
            datetime.fromtimestamp(entry.timestamp, UTC),
        )


def is_ours(run: dg.DagsterRun, location: str | None, schema: str) -> bool:
    """Whether a run is one of our job or of our assets, of this location where that is known, and of this schema."""
    origin = run.remote_job_origin
    if origin and location and origin.location_name != location:
        return False
    if run.tags.get(SCHEMA_TAG, schema) != schema:
        return False
    return _is_sync(run) or run.job_name.startswith("__ASSET_JOB")


def _reason(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return the sentence of the first failure; of an unforeseen error only its name, for its text may hold data."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        failure = entry.get_dagster_event().step_failure_data
        if failure.user_failure_data and failure.user_failure_data.description:
            return str(failure.user_failure_data.description)
        if failure.error:
            error = failure.error.cause or failure.error
            return f"{error.cls_name or 'an error'} in {entry.step_key or 'a step'}. The run's log says more."
    ends = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    said = next((entry.get_dagster_event().message for entry in ends), None)
    return said or "it ended without a word. The run's log may say more."
