"""Close runs whose process is dead, for example after a power cut, so that no other run waits for them.

Dagster detects such runs only hours later. Here a run on this host is alive while its process exists, and a run on
another host while its heartbeat in `sync_workers` is recent. Dagster handles runs for which neither is known.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from intercom_sync.orchestration.jobs import LAUNCHER_TAG
from intercom_sync.orchestration.resources import FOREGROUND_TAG
from intercom_sync.orchestration.run_events import is_ours, record_ended
from intercom_sync.pipeline.worker_processes import Worker, process_start, this_host
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import liveness, runs
from intercom_sync.warehouse.state.liveness import Heartbeat

WORKER_TAG = "intercom_sync/worker"
NO_AUTOMATIC_RETRY = (
    "It is not retried automatically: run `intercom-sync sync` again, which resumes where this run stopped."
)
_PROCESS_DEAD = "Its process is gone: it was killed, or its machine went down."
# Six missed heartbeats; with a process per step, as long as Dagster waits for a step's process to start.
_HEARTBEAT_TIMEOUT_SECONDS = 30.0
_LONG_HEARTBEAT_TIMEOUT_SECONDS = 180.0
_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def close_dead_runs(instance: dg.DagsterInstance, session: Session, schema: str) -> list[str]:
    """Close the runs whose process is dead, in Dagster and in `sync_runs`.

    Args:
        instance: the Dagster instance.
        session: a warehouse session.
        schema: our schema; foreground runs with another schema are excluded.

    Returns:
        One message per closed run.
    """
    known = liveness.heartbeats(session)
    messages = []
    for record in _unfinished(instance, schema):
        if _is_dead(instance, record, known.get(record.dagster_run.run_id)):
            messages.append(_close(instance, session, record.dagster_run))
    for heartbeat in known.values():
        if heartbeat.is_open:
            _close_row(instance, session, heartbeat)
    return messages


def worker_process(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """Return the process id in the events of a run, or None if the run has not started."""
    started = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_START)
    return next((entry.get_dagster_event().pid for entry in started), None)


def _unfinished(instance: dg.DagsterInstance, schema: str) -> Iterator[dg.RunRecord]:
    for record in instance.get_run_records(dg.RunsFilter(statuses=_UNFINISHED)):
        if is_ours(record.dagster_run, None, schema):
            yield record


def _is_dead(instance: dg.DagsterInstance, record: dg.RunRecord, heartbeat: Heartbeat | None) -> bool:
    run = record.dagster_run
    worker = (heartbeat.worker if heartbeat else None) or run.tags.get(WORKER_TAG)
    if worker:
        return _is_worker_dead(Worker.from_text(worker), heartbeat)
    launcher = run.tags.get(LAUNCHER_TAG)
    return launcher is not None and _died_before_start(instance, run, Worker.from_text(launcher))


def _is_worker_dead(worker: Worker, heartbeat: Heartbeat | None) -> bool:
    is_dead = worker.is_gone()
    if is_dead is None and heartbeat:
        return heartbeat.silent_seconds > (
            _HEARTBEAT_TIMEOUT_SECONDS if worker.beats_always else _LONG_HEARTBEAT_TIMEOUT_SECONDS
        )
    return bool(is_dead)


def _died_before_start(instance: dg.DagsterInstance, run: dg.DagsterRun, launcher: Worker) -> bool:
    """Return whether a run that was launched on this host has died before its first extraction."""
    pid = worker_process(instance, run.run_id)
    if pid is None:
        return bool(launcher.is_gone())
    return launcher.host == this_host() and process_start(pid) is None


def _close(instance: dg.DagsterInstance, session: Session, run: dg.DagsterRun) -> str:
    message = f"{_PROCESS_DEAD} {NO_AUTOMATIC_RETRY}" if FOREGROUND_TAG in run.tags else _PROCESS_DEAD
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message)
    else:
        instance.report_run_failed(run, message)
    if instance.event_log_storage.supports_global_concurrency_limits:
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    record = instance.get_run_record_by_id(run.run_id)
    if record:
        record_ended(instance, session, record, crashed=True)
    return f"The run {run.run_id[:8]} of {run.job_name} is closed. {message}"


def _close_row(instance: dg.DagsterInstance, session: Session, heartbeat: Heartbeat) -> None:
    """Close the `sync_runs` row of a run that Dagster has closed, or does not know and whose process is dead."""
    record = instance.get_run_record_by_id(heartbeat.run_id)
    if record and record.dagster_run.is_finished:
        record_ended(instance, session, record)
    elif record is None and heartbeat.worker and _is_worker_dead(Worker.from_text(heartbeat.worker), heartbeat):
        with session.transaction():
            runs.end(session, heartbeat.run_id, runs.CRASHED, datetime.now(UTC))
