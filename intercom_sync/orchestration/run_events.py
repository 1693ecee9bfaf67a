"""Record ended Dagster runs: failures and check evaluations go to the outbox, end states to `sync_runs`.

It reads run records instead of handling events as they arrive, so it also covers foreground runs and dead runs.
Recording a run twice is idempotent: `domain.incidents` and the outbox deduplicate.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.incidents import Evaluation, Incident, failed_run
from intercom_sync.domain.window import Window
from intercom_sync.orchestration.jobs import SYNC_JOB
from intercom_sync.orchestration.partitions import window_containing, window_of_key
from intercom_sync.orchestration.resources import SCHEMA_TAG
from intercom_sync.pipeline.record_incidents import record_evaluation
from intercom_sync.pipeline.run_plan import RunRequest, get_or_start_run
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import runs

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_STATES = {dg.DagsterRunStatus.FAILURE: runs.FAILED, dg.DagsterRunStatus.CANCELED: runs.CANCELED}
_MAX_RUNS = 1_000
_RETRIED_TAG = "dagster/will_retry"


def ended_since(
    instance: dg.DagsterInstance, since: datetime, location: str | None, schema: str
) -> tuple[Sequence[dg.RunRecord], datetime | None]:
    """Return the runs of our job and assets that ended after an instant, oldest first.

    Args:
        instance: the Dagster instance.
        since: the instant.
        location: our code location; runs of other locations are excluded.
        schema: our schema; foreground runs with another schema are excluded.

    Returns:
        The runs, and the instant up to which they are complete; None if there are no more runs.
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
    """Close an ended run in `sync_runs` and enqueue its new incidents.

    Args:
        instance: the Dagster instance with the run's events.
        session: a warehouse session.
        record: the run.
        crashed: whether its process died.

    Returns:
        The number of new incidents.
    """
    run = record.dagster_run
    _close(session, record, crashed=crashed)
    with session.transaction():
        failed = run.status is dg.DagsterRunStatus.FAILURE
        enqueued = int(failed and outbox.enqueue_once(session, _failure(instance, record)))
        return enqueued + sum(
            record_evaluation(session, evaluation) for evaluation in _evaluations(instance, RunId(run.run_id))
        )


def _close(session: Session, record: dg.RunRecord, *, crashed: bool) -> None:
    """Close a run in `sync_runs`; an unsuccessful run is recorded there even if it ended before its extraction."""
    run, ended_at = record.dagster_run, _ended_at(record)
    started_at = datetime.fromtimestamp(record.start_time, UTC) if record.start_time else ended_at
    succeeded = run.status is dg.DagsterRunStatus.SUCCESS
    with session.transaction():
        run_id = RunId(run.run_id)
        is_recorded = runs.is_recorded(session, run_id)
    if not is_recorded and not succeeded and _is_sync(run):
        get_or_start_run(
            session, run_id, _request(run), _window(run.tags.get("dagster/partition"), started_at), started_at
        )
    with session.transaction():
        if succeeded:
            runs.end_partial(session, run_id, ended_at)
        else:
            runs.end(session, run_id, runs.CRASHED if crashed else _STATES[run.status], ended_at)


def _request(run: dg.DagsterRun) -> RunRequest:
    config: Any = run.run_config
    return RunRequest(full=config.get("ops", {}).get("raw", {}).get("config", {}).get("full") is True)


def _window(key: str | None, started_at: datetime) -> Window:
    window = window_of_key(key) if key else None
    return window if window and window.start <= started_at else window_containing(started_at)


def _is_sync(run: dg.DagsterRun) -> bool:
    """Return whether a run belongs to the sync job."""
    return run.job_name == SYNC_JOB


def _ended_at(record: dg.RunRecord) -> datetime:
    """Return the end time of a run."""
    return datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp


def _failure(instance: dg.DagsterInstance, record: dg.RunRecord) -> Incident:
    """Return the incident of a failed run."""
    run = record.dagster_run
    return failed_run(
        RunId(run.run_id),
        run.root_run_id or run.run_id,
        run.job_name if _is_sync(run) else "assets",
        _reason(instance, run.run_id),
        _ended_at(record),
        # Without an origin, as for foreground runs, the daemon cannot retry it.
        retried=run.tags.get(_RETRIED_TAG) == "true" and run.remote_job_origin is not None,
    )


def _evaluations(instance: dg.DagsterInstance, run_id: RunId) -> Iterator[Evaluation]:
    """Yield the check evaluations of a run in order."""
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
    """Return whether a run belongs to our job or assets, to this code location (if known) and to this schema."""
    origin = run.remote_job_origin
    if origin and location and origin.location_name != location:
        return False
    if run.tags.get(SCHEMA_TAG, schema) != schema:
        return False
    return _is_sync(run) or run.job_name.startswith("__ASSET_JOB")


def _reason(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return the reason of the first failure; for unexpected errors only the class, as the message may hold data."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        failure = entry.get_dagster_event().step_failure_data
        if failure.user_failure_data and failure.user_failure_data.description:
            return str(failure.user_failure_data.description)
        if failure.error:
            error = failure.error.cause or failure.error
            return f"{error.cls_name or 'an error'} in {entry.step_key or 'a step'}. See the run's log for details."
    ends = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    message = next((entry.get_dagster_event().message for entry in ends), None)
    return message or "no reason is recorded. See the run's log for details."
