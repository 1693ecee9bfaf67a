"""The sync run of an asset: start it or join it, and close it when the asset ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import cast

import dagster as dg

from intercom_sync.domain.clocks import Clock
from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.window import Window
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.orchestration.dead_runs import worker_process
from intercom_sync.orchestration.partitions import UnknownPartitionError
from intercom_sync.orchestration.resources import WarehouseResource
from intercom_sync.pipeline.run_plan import RunRequest, get_or_start_run
from intercom_sync.pipeline.start_run import start_run
from intercom_sync.pipeline.worker_processes import Worker, is_descendant_of, keep_beating, this_worker
from intercom_sync.warehouse.errors import WarehouseError
from intercom_sync.warehouse.postgres.session import Session, read_present
from intercom_sync.warehouse.state import liveness, runs
from intercom_sync.warehouse.state.runs import SyncRun

_PARTITION_TAG = "dagster/partition"
_NEWEST_PARTITION_TAG = "intercom_sync/newest_partition"
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
    """Yield the sync run of a Dagster run, and close it when the asset ends.

    The first asset starts the run, and later assets join it. A run ends when its customers are published. A run that
    fails, or whose selection has no customers, ends after each of its assets and the next asset reopens it.

    Args:
        context: the asset's context.
        warehouse: the warehouse resource.
        session: a session of the asset.
        clock: the machine's clock.
        request: what to extract, if this asset starts the run.
        client: the Intercom client of an extracting asset.
    """
    request = request or RunRequest()
    if not context.has_partition_key and not context.has_partition_key_range:
        _assign_newest_partition(context)
    if _NEWEST_PARTITION_TAG in context.run.tags:
        request = replace(request, fill_gap=not request.start)
    window = _partition(context)
    try:
        run = _start(context, session, clock, request, window, client)
        with session.transaction():
            runs.reopen(session, run.id)
        liveness.record_worker(session, run.id, _worker(context).as_text())
        keep_beating(warehouse.connect, run.id)
        yield run
    except BaseException:
        with suppress(WarehouseError), warehouse.connect() as closing, closing.transaction():
            runs.end(closing, RunId(context.run.run_id), _end_state(context), read_present(closing, clock()))
        raise
    if CUSTOMERS not in context.job_def.asset_layer.selected_asset_keys:
        with session.transaction():
            runs.end_partial(session, run.id, read_present(session, clock()))


def _start(
    context: dg.AssetExecutionContext,
    session: Session,
    clock: Clock,
    request: RunRequest,
    window: Window,
    client: IntercomClient | None,
) -> SyncRun:
    """Start or join the run. An extracting asset also compares Intercom's clock; others use the remaining clocks."""
    if client is not None:
        return start_run(session, client, RunId(context.run.run_id), request, window, clock=clock)
    with session.transaction():
        present = read_present(session, clock())
    return get_or_start_run(session, RunId(context.run.run_id), request, window, present)


def _assign_newest_partition(context: dg.AssetExecutionContext) -> None:
    """Assign the newest window to a run that was launched without a partition, also for later steps and the UI."""
    tags = {_PARTITION_TAG: _partitions(context).get_last_partition_key() or "", _NEWEST_PARTITION_TAG: "true"}
    context.instance.add_run_tags(context.run.run_id, tags)
    # The other steps in this process use the same run object; checks of partitioned assets fail without a partition.
    cast(dict[str, str], context.run.tags).update(tags)


def _partition(context: dg.AssetExecutionContext) -> Window:
    """Return the window of the run's partition or range of partitions.

    Raises:
        UnknownPartitionError: the window does not exist.
    """
    keys, partitions = context.partition_key_range, _partitions(context)
    for key in dict.fromkeys((keys.start, keys.end)):
        if not partitions.has_partition_key(key):
            raise UnknownPartitionError(key, partitions)
    return Window(*context.partition_time_window)


def _partitions(context: dg.AssetExecutionContext) -> dg.PartitionsDefinition:
    return cast(dg.PartitionsDefinition, context.assets_def.partitions_def)


def _worker(context: dg.AssetExecutionContext) -> Worker:
    pid = worker_process(context.instance, context.run.run_id)
    if pid is None or pid == os.getpid() or not is_descendant_of(pid):
        return this_worker()
    return this_worker(pid, beats_always=False)


def _end_state(context: dg.AssetExecutionContext) -> str:
    run = context.instance.get_run_by_id(context.run.run_id)
    canceling = {dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED}
    return runs.CANCELED if run and run.status in canceling else runs.FAILED
