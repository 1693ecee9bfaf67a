"""Runs whose process is gone, as after a power cut: they are closed, so that no other run waits for them.

Dagster believes a run until its time is over, hours later. Here a run has to prove that it lives: by its process where
that is on this host, by a sign of life in `sync_workers` where it is on another. A run of which neither is known is
left to Dagster.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from intercom_sync.orchestration.jobs import LAUNCHER_TAG
from intercom_sync.orchestration.resources import FOREGROUND_TAG
from intercom_sync.orchestration.run_events import is_ours, record_ended
from intercom_sync.pipeline.worker_processes import Worker, process_start, this_host
from intercom_sync.settings import Settings
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import liveness, runs
from intercom_sync.warehouse.state.liveness import Sign

WORKER_TAG = "intercom_sync/worker"
NOT_AGAIN = "Nothing starts it again by itself: run `intercom-sync sync` again, it goes on where this one stopped."
_GONE = "Its process is gone: it was killed, or its machine went down."
# Six signs of life that failed to come; where steps have processes of their own, as long as Dagster waits for a start.
_SILENCE_SECONDS = 30.0
_LONG_SILENCE_SECONDS = 180.0
_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def close_dead_runs(instance: dg.DagsterInstance, session: Session) -> list[str]:
    """Close the runs whose process is gone, in Dagster and in `sync_runs`; return a sentence for each."""
    known = liveness.signs(session)
    said = []
    for record in _unfinished(instance):
        if _is_dead(instance, record, known.get(record.dagster_run.run_id)):
            said.append(_close(instance, session, record.dagster_run))
    for sign in known.values():
        if sign.is_open:
            _close_row(instance, session, sign)
    return said


def worker_process(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """Return the id of the process that works on a run, as its events say; None when it has not begun."""
    started = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_START)
    return next((entry.get_dagster_event().pid for entry in started), None)


def _unfinished(instance: dg.DagsterInstance) -> Iterator[dg.RunRecord]:
    for record in instance.get_run_records(dg.RunsFilter(statuses=_UNFINISHED)):
        if is_ours(record.dagster_run, None, Settings.load().schema_name):
            yield record


def _is_dead(instance: dg.DagsterInstance, record: dg.RunRecord, sign: Sign | None) -> bool:
    run = record.dagster_run
    noted = (sign.worker if sign else None) or run.tags.get(WORKER_TAG)
    if noted:
        return _is_gone(Worker.from_text(noted), sign)
    launcher = run.tags.get(LAUNCHER_TAG)
    return launcher is not None and _never_began(instance, run, Worker.from_text(launcher))


def _is_gone(worker: Worker, sign: Sign | None) -> bool:
    gone = worker.is_gone()
    if gone is None and sign:
        return sign.silent_seconds > (_SILENCE_SECONDS if worker.beats_always else _LONG_SILENCE_SECONDS)
    return bool(gone)


def _never_began(instance: dg.DagsterInstance, run: dg.DagsterRun, launcher: Worker) -> bool:
    """Whether a run that was launched on this host, and has not begun to read, has no process any more."""
    pid = worker_process(instance, run.run_id)
    if pid is None:
        return bool(launcher.is_gone())
    return launcher.host == this_host() and process_start(pid) is None


def _close(instance: dg.DagsterInstance, session: Session, run: dg.DagsterRun) -> str:
    message = f"{_GONE} {NOT_AGAIN}" if FOREGROUND_TAG in run.tags else _GONE
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


def _close_row(instance: dg.DagsterInstance, session: Session, sign: Sign) -> None:
    """Close the row of a run that Dagster has closed, or does not know and whose process is gone."""
    record = instance.get_run_record_by_id(sign.run_id)
    if record and record.dagster_run.is_finished:
        record_ended(instance, session, record)
    elif record is None and sign.worker and _is_gone(Worker.from_text(sign.worker), sign):
        with session.transaction():
            runs.end(session, sign.run_id, runs.CRASHED, datetime.now(UTC))
