"""Which run an asset belongs to, what that run reads, and what becomes of the run when the asset ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import cast

import dagster as dg

from intercom_sync.domain.clocks import Clock
from intercom_sync.domain.window import Window
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.orchestration.dead_runs import worker_process
from intercom_sync.orchestration.partitions import UnknownPartitionError, six_hour_partitions
from intercom_sync.orchestration.resources import WarehouseResource
from intercom_sync.pipeline.run_plan import RunRequest, get_or_start_run
from intercom_sync.pipeline.start_run import start_run
from intercom_sync.pipeline.worker_processes import Worker, is_descendant_of, keep_beating, this_worker
from intercom_sync.warehouse.errors import WarehouseError
from intercom_sync.warehouse.postgres.session import Session, read_present
from intercom_sync.warehouse.state import liveness, runs
from intercom_sync.warehouse.state.runs import SyncRun

_PARTITION_TAG = "dagster/partition"
_TAKEN_TAG = "intercom_sync/newest_partition"
CUSTOMERS = dg.AssetKey("unified_customers")


@contextmanager
def current_run(
    context: dg.AssetExecutionContext,
    warehouse: WarehouseResource,
    session: Session,
    clock: Clock,
    request: RunRequest | None = None,
    client: IntercomClient | None = None,
) -> Iterator[SyncRun]:
    """Yield the run, begun with what is asked for unless another asset of it did already, and close it where it ends.

    A run ends with its customers. One that fails, or has no customers among its assets, ends with each of its assets
    and is opened again by the next.
    """
    request = request or RunRequest()
    if not context.has_partition_key and not context.has_partition_key_range:
        _take_newest_partition(context)
    if _TAKEN_TAG in context.run.tags:
        request = replace(request, fill_gap=not request.start)
    window = _partition(context)
    try:
        run = _begin(context, session, clock, request, window, client)
        with session.transaction():
            runs.reopen(session, run.id)
        liveness.note_worker(session, run.id, _worker(context).as_text())
        keep_beating(warehouse.connect, run.id)
        yield run
    except BaseException:
        with suppress(WarehouseError), warehouse.connect() as ending, ending.transaction():
            runs.end(ending, context.run.run_id, _how_it_ends(context), read_present(ending, clock()))
        raise
    if CUSTOMERS not in context.job_def.asset_layer.selected_asset_keys:
        with session.transaction():
            runs.end_partial(session, run.id, read_present(session, clock()))


def _begin(
    context: dg.AssetExecutionContext,
    session: Session,
    clock: Clock,
    asked: RunRequest,
    window: Window,
    client: IntercomClient | None,
) -> SyncRun:
    """Begin the run by Intercom's clock too where it reads; an asset that reads nothing goes by the other clocks."""
    if client is not None:
        return start_run(session, client, context.run.run_id, asked, window, clock=clock)
    with session.transaction():
        present = read_present(session, clock())
    return get_or_start_run(session, context.run.run_id, asked, window, present)


def _take_newest_partition(context: dg.AssetExecutionContext) -> None:
    """Give a run that was launched without a partition the newest window, for its later steps and the UI too."""
    taken = {_PARTITION_TAG: six_hour_partitions.get_last_partition_key() or "", _TAKEN_TAG: "true"}
    context.instance.add_run_tags(context.run.run_id, taken)
    # The steps of this process know the run by this object; checks of partitioned assets fail without a partition.
    cast(dict[str, str], context.run.tags).update(taken)


def _partition(context: dg.AssetExecutionContext) -> Window:
    """Return the window of the run's partition, or of a range of them.

    Raises:
        UnknownPartitionError: there is no such window.
    """
    asked = context.partition_key_range
    for key in dict.fromkeys((asked.start, asked.end)):
        if not six_hour_partitions.has_partition_key(key):
            raise UnknownPartitionError(key)
    return Window(*context.partition_time_window)


def _worker(context: dg.AssetExecutionContext) -> Worker:
    pid = worker_process(context.instance, context.run.run_id)
    if pid is None or pid == os.getpid() or not is_descendant_of(pid):
        return this_worker()
    return this_worker(pid, beats_always=False)


def _how_it_ends(context: dg.AssetExecutionContext) -> str:
    run = context.instance.get_run_by_id(context.run.run_id)
    canceling = {dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED}
    return runs.CANCELED if run and run.status in canceling else runs.FAILED
