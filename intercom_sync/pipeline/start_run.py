"""Start a run: check the workspace, compare the clocks, correct future instants, and purge expired messages.

`run_plan` decides what the run extracts.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from intercom_sync.domain.clocks import Clock, Clocks, machine_clock
from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.window import Window
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.intercom.errors import IntercomError
from intercom_sync.pipeline.errors import RunRefusedError
from intercom_sync.pipeline.run_plan import RunRequest, plan_run
from intercom_sync.pipeline.workspace_identity import Workspace, fetch_workspace, require_workspace
from intercom_sync.warehouse.postgres.session import Session, database_time
from intercom_sync.warehouse.privacy.retention import apply_retention, record_messages_since
from intercom_sync.warehouse.state import runs
from intercom_sync.warehouse.state.runs import SyncRun
from intercom_sync.warehouse.state.workspace_state import correct_future_instants

_LOG = logging.getLogger("intercom_sync.pipeline")


def start_run(
    session: Session,
    client: IntercomClient,
    run_id: RunId,
    request: RunRequest,
    partition: Window,
    *,
    clock: Clock = machine_clock,
    database_clock: Callable[[Session], datetime] = database_time,
) -> SyncRun:
    """Start a run, or return it as first recorded; idempotent.

    A refused run writes nothing. If Intercom is unavailable, the run is recorded and expired messages are purged before
    the error is raised.

    Raises:
        RunRefusedError: the tables hold another workspace, no clock can be right, or the requested instant is not past.
        IntercomError: Intercom is unavailable.
    """
    unavailable: IntercomError | None = None
    workspace = Workspace()
    try:
        workspace = fetch_workspace(client)
    except IntercomError as error:
        unavailable = error
    with session.transaction():
        runs.lock_run_starts(session)
        require_workspace(session, workspace)
        clocks = Clocks(clock(), database_clock(session), client.server_time())
        present = present_of(session, clocks)
        run = runs.get_run(session, run_id) or _record_start(session, run_id, request, partition, clocks, present)
        newest = runs.newest_as_of(session, present) or run.as_of
        apply_retention(session, max(run.as_of, newest), run.earliest_now or run.as_of)
        if unavailable:
            runs.add_counts(session, run_id, errors=client.request_stats.errors)
    if unavailable:
        raise unavailable
    return run


def _record_start(
    session: Session, run_id: RunId, request: RunRequest, partition: Window, clocks: Clocks, present: datetime
) -> SyncRun:
    record_messages_since(session)
    future_instants = correct_future_instants(session, present)
    _warn(clocks, present, future_instants)
    watermark, newest = runs.watermark(session), runs.newest_as_of(session, present)
    planned = plan_run(run_id, request, partition, watermark, present, newest=newest, clocks=clocks)
    return runs.insert_run(session, replace(planned, future_instants=future_instants))


def present_of(session: Session, clocks: Clocks) -> datetime:
    """Return the present by the clocks and by instants known to be past. Runs inside the caller's transaction.

    Raises:
        RunRefusedError: no clock can be right.
    """
    present = clocks.present_after(runs.confirmed_past(session))
    if present is None:
        raise RunRefusedError(
            f"The clock of this machine says {clocks.machine:%Y-%m-%d %H:%M} UTC, which cannot be right: set it."
        )
    return present.astimezone(UTC)


def _warn(clocks: Clocks, present: datetime, future_instants: int) -> None:
    for name, offset in clocks.off(present).items():
        ahead = "ahead of" if offset.total_seconds() > 0 else "behind"
        _LOG.warning(
            "The clock of %s is %s %s the present, %s; the sync uses the present.", name, abs(offset), ahead, present
        )
    if future_instants:
        _LOG.warning(
            "%d stored instants were later than the present, %s, and were corrected: a clock was ahead when they were "
            "written. What a run of that time covered is extracted again.",
            future_instants,
            present,
        )
