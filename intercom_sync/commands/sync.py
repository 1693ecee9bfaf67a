"""`intercom-sync sync`: one sync in the foreground, through the Dagster job.

Prints the log entry, or the figures as JSON, as its last output.
"""

import json
import os
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
from intercom_sync.commands.terminal_progress import shown
from intercom_sync.definitions import build
from intercom_sync.domain.window import Window
from intercom_sync.orchestration.assets.current_run import CUSTOMERS
from intercom_sync.orchestration.assets.run_metadata import counts_of
from intercom_sync.orchestration.dead_runs import NOT_AGAIN, WORKER_TAG, close_dead_runs
from intercom_sync.orchestration.jobs import run_config, sync_job
from intercom_sync.orchestration.partitions import partition_key, six_hour_partitions, window_containing
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

# A run that cannot be closed in that time, as the database is away or busy, is closed by the next start.
_CLOSING_SECONDS = 5
# No daemon can start a run of the foreground again, and none may announce that it will.
_TAGS = {FOREGROUND_TAG: "true", "dagster/max_retries": "0"}


@dataclass(frozen=True)
class SyncRequest:
    """What to sync: everything, one window, or (neither) what came since the last sync; and as of when."""

    full: bool = False
    window: Window | None = None
    as_of: datetime | None = None

    def config(self, now: datetime) -> dict[str, object]:
        """Return the job's run configuration; without an instant asked for, the run takes the present itself."""
        as_of = {"as_of": now.isoformat()} if self.as_of else {}
        if self.full:
            return run_config(full=True, **as_of)
        if self.window:
            return run_config(start=self.window.start.isoformat(), end=self.window.end.isoformat(), **as_of)
        return run_config(catch_up=True, end=NOW, **as_of)


def sync(settings: Settings, request: SyncRequest, as_json: bool) -> int:
    """Run one sync; return 0 when it is done, 1 when it failed.

    Raises:
        SettingsError: no access token, or an instant that is not past.
        WarehouseError: the database is not to be had, or went away for good.
    """
    os.environ["INTERCOM_API_KEY"] = settings.require_api_key()
    for warning in settings.warnings():
        print(warning, file=sys.stderr)
    connect = open_warehouse(settings)
    now = _instant(connect, request.as_of)
    use_instance(settings)
    said = when_stopped(lambda _: say("What had landed stays; the next sync goes on from there."))
    with said, translate_storage_errors(settings), shown() as tell, dg.DagsterInstance.get() as instance:
        use_pooled_connections(instance)
        capture_no_output(instance)
        with connect() as session:
            for sentence in close_dead_runs(instance, session):
                say(sentence)
        job = build(progress=dg.ResourceDefinition.hardcoded_resource(tell)).resolve_job_def(sync_job.name)
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        run_id = str(uuid4())
        with when_stopped(lambda number: _stop(connect, instance, run_id, number), _CLOSING_SECONDS):
            result = job.execute_in_process(
                run_config=request.config(now) | quiet,
                instance=instance,
                partition_key=_partition(request.window.end - timedelta(seconds=1) if request.window else now),
                raise_on_error=False,
                run_id=run_id,
                tags=_TAGS | {WORKER_TAG: this_worker().as_text(), SCHEMA_TAG: settings.schema_name},
            )
        if not result.success:
            print(_why(result), file=sys.stderr)
            _keep(connect, instance, result.run_id)
            return 1
        with connect() as session, session.transaction():
            finished_at, figures = runs.stats(session, result.run_id)
            covered = runs.windows_covered_by(session, result.run_id)
        if covered:
            report_partitions(instance, result.run_id, covered, sorted(job.asset_layer.selected_asset_keys))
    if sys.stdout.isatty():
        made = result.asset_materializations_for_node(CUSTOMERS.path[-1])
        print(counts_of(made[-1].metadata).summary(figures), end="\n\n")
    print(json.dumps(figures.as_json()) if as_json else figures.log_entry(finished_at))
    return 0


def _instant(connect: Callable[[], Session], as_of: datetime | None) -> datetime:
    """Return the instant asked for, or the present.

    Raises:
        SettingsError: the instant asked for is not past.
    """
    with connect() as session, session.transaction():
        present = read_present(session, datetime.now(UTC))
    try:
        require_past(as_of, present)
    except RunRefusedError as error:
        raise SettingsError(str(error)) from None
    return (as_of or present).astimezone(UTC)


def _keep(connect: Callable[[], Session], instance: dg.DagsterInstance, run_id: str) -> None:
    """Note that a run failed, as the sensors do for runs in the background; when that fails too, they do it later."""
    record = instance.get_run_record_by_id(run_id)
    with suppress(WarehouseError), connect() as session:
        if record:
            record_ended(instance, session, record)


def _stop(connect: Callable[[], Session], instance: dg.DagsterInstance, run_id: str, number: int) -> None:
    """Close a run that a stop signal ends: canceled where a person typed Ctrl-C, failed where others ended it."""
    run = instance.get_run_by_id(run_id)
    if run and not run.is_finished:
        if number == signal.SIGINT:
            instance.report_run_canceled(run, "Stopped by Ctrl-C.")
        else:
            instance.report_run_failed(run, f"It was stopped by {signal.Signals(number).name}. {NOT_AGAIN}")
        _keep(connect, instance, run_id)


def _partition(moment: datetime) -> str:
    """Return the key of the window that holds a moment, or of the nearest there is."""
    key = partition_key(window_containing(moment))
    first, last = six_hour_partitions.get_first_partition_key(), six_hour_partitions.get_last_partition_key()
    return min(max(key, first or key), last or key)


def _why(result: dg.ExecuteInProcessResult) -> str:
    """Return the sentence of the first failure: of a check that keeps the batch back, or of a step."""
    for check in result.get_asset_check_evaluations():
        if check.blocking and not check.passed and check.description:
            return check.description
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.user_failure_data and failure.user_failure_data.description:
                return str(failure.user_failure_data.description)
            if failure.error:
                # The name alone: an error that nobody foresaw may say anything.
                name = (failure.error.cause or failure.error).cls_name or "an error"
                return f"The sync failed in {event.step_key}: {name}."
    return "The sync failed; the run's log in the Dagster UI says why."
