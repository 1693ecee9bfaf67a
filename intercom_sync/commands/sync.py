"""`intercom-sync sync`: run one sync in the foreground as a Dagster job.

The last output is the log entry, or the statistics as JSON.
"""

import json
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import dagster as dg

from intercom_sync.commands.dagster_instance import (
    capture_no_output,
    report_partitions,
    translate_storage_errors,
    use_instance,
    use_pooled_connections,
)
from intercom_sync.commands.stop_signals import say, when_stopped
from intercom_sync.commands.terminal_progress import show_progress
from intercom_sync.definitions import build_definitions
from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.window import Window
from intercom_sync.orchestration.assets.current_run import CUSTOMERS
from intercom_sync.orchestration.assets.run_metadata import counts_of
from intercom_sync.orchestration.dead_runs import NO_AUTOMATIC_RETRY, WORKER_TAG, close_dead_runs
from intercom_sync.orchestration.jobs import SYNC_JOB, run_config
from intercom_sync.orchestration.partitions import nearest_partition, six_hour_windows
from intercom_sync.orchestration.resources import FOREGROUND_TAG, SCHEMA_TAG
from intercom_sync.orchestration.run_events import record_ended
from intercom_sync.pipeline.errors import RunRefusedError
from intercom_sync.pipeline.run_plan import NOW, require_past
from intercom_sync.pipeline.worker_processes import this_worker
from intercom_sync.settings import Settings, SettingsError
from intercom_sync.warehouse.errors import WarehouseError
from intercom_sync.warehouse.postgres.connect import open_warehouse
from intercom_sync.warehouse.postgres.session import Session, read_present
from intercom_sync.warehouse.state import runs

# If the database is unavailable or busy for longer, the next start closes the run.
_CLOSE_TIMEOUT_SECONDS = 5
# No daemon can retry a foreground run, and none may announce a retry.
_TAGS = {FOREGROUND_TAG: "true", "dagster/max_retries": "0"}


@dataclass(frozen=True)
class SyncRequest:
    """What to sync: all records, one window, or (neither) the changes since the last sync; and the run's now."""

    full: bool = False
    window: Window | None = None
    as_of: datetime | None = None

    def config(self, now: datetime) -> dict[str, object]:
        """Return the run configuration of the job; without `as_of`, the run uses its own current time."""
        as_of = {"as_of": now.isoformat()} if self.as_of else {}
        if self.full:
            return run_config(full=True, **as_of)
        if self.window:
            return run_config(start=self.window.start.isoformat(), end=self.window.end.isoformat(), **as_of)
        return run_config(catch_up=True, end=NOW, **as_of)


def sync(settings: Settings, request: SyncRequest, as_json: bool) -> int:
    """Run one sync.

    Returns:
        0 on success, 1 on failure.

    Raises:
        SettingsError: no access token, or `as_of` is in the future.
        WarehouseError: the database is unavailable.
    """
    settings.require_api_key()
    for warning in settings.warnings():
        print(warning, file=sys.stderr)
    connect = open_warehouse(settings)
    now = _resolve_now(connect, request.as_of)
    use_instance(settings)
    stop_message = when_stopped(lambda _: say("Landed records are kept; the next sync resumes from there."))
    with (
        stop_message,
        translate_storage_errors(settings),
        show_progress() as progress,
        dg.DagsterInstance.get() as instance,
    ):
        use_pooled_connections(instance)
        capture_no_output(instance)
        with connect() as session:
            for sentence in close_dead_runs(instance, session, settings.schema_name):
                say(sentence)
        partitions = six_hour_windows(settings.partitions_start)
        defs = build_definitions(settings, progress=dg.ResourceDefinition.hardcoded_resource(progress))
        job = defs.resolve_job_def(SYNC_JOB)
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        run_id = str(uuid4())
        with when_stopped(lambda number: _close_stopped_run(connect, instance, run_id, number), _CLOSE_TIMEOUT_SECONDS):
            result = job.execute_in_process(
                run_config=request.config(now) | quiet,
                instance=instance,
                partition_key=nearest_partition(
                    partitions, request.window.end - timedelta(seconds=1) if request.window else now
                ),
                raise_on_error=False,
                run_id=run_id,
                tags=_TAGS | {WORKER_TAG: this_worker().as_text(), SCHEMA_TAG: settings.schema_name},
            )
        if not result.success:
            print(_failure_reason(result), file=sys.stderr)
            _record_failure(connect, instance, result.run_id)
            return 1
        with connect() as session, session.transaction():
            finished_at, stats = runs.stats(session, RunId(result.run_id))
            covered = runs.windows_covered_by(session, RunId(result.run_id))
        if covered:
            report_partitions(instance, result.run_id, covered, sorted(job.asset_layer.selected_asset_keys), partitions)
    if sys.stdout.isatty():
        materializations = result.asset_materializations_for_node(CUSTOMERS.path[-1])
        print(counts_of(materializations[-1].metadata).summary(stats), end="\n\n")
    print(json.dumps(stats.as_json()) if as_json else stats.log_entry(finished_at))
    return 0


def _resolve_now(connect: Callable[[], Session], as_of: datetime | None) -> datetime:
    """Return `as_of`, or the current time.

    Raises:
        SettingsError: `as_of` is in the future.
    """
    with connect() as session, session.transaction():
        present = read_present(session, datetime.now(UTC))
    try:
        require_past(as_of, present)
    except RunRefusedError as error:
        raise SettingsError(str(error)) from None
    return (as_of or present).astimezone(UTC)


def _record_failure(connect: Callable[[], Session], instance: dg.DagsterInstance, run_id: str) -> None:
    """Record a failed run, as the sensors do for background runs; if this fails as well, the sensors do it later."""
    record = instance.get_run_record_by_id(run_id)
    with suppress(WarehouseError), connect() as session:
        if record:
            record_ended(instance, session, record)


def _close_stopped_run(connect: Callable[[], Session], instance: dg.DagsterInstance, run_id: str, number: int) -> None:
    """Close a run that a stop signal ends: canceled after Ctrl-C, failed after any other signal."""
    run = instance.get_run_by_id(run_id)
    if run and not run.is_finished:
        if number == signal.SIGINT:
            instance.report_run_canceled(run, "Stopped by Ctrl-C.")
        else:
            instance.report_run_failed(run, f"Stopped by {signal.Signals(number).name}. {NO_AUTOMATIC_RETRY}")
        _record_failure(connect, instance, run_id)


def _failure_reason(result: dg.ExecuteInProcessResult) -> str:
    """Return the message of the first failed blocking check, or of the first failed step."""
    for check in result.get_asset_check_evaluations():
        if check.blocking and not check.passed and check.description:
            return check.description
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.user_failure_data and failure.user_failure_data.description:
                return str(failure.user_failure_data.description)
            if failure.error:
                # Only the class name: the message of an unexpected error may hold customer data.
                name = (failure.error.cause or failure.error).cls_name or "an error"
                return f"The sync failed in {event.step_key}: {name}."
    return "The sync failed; see the run's log in the Dagster UI for the reason."
