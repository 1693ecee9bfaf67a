"""Checks of `intercom-sync doctor` that compare Intercom with the database: clocks and workspace."""

from collections.abc import Iterator
from datetime import datetime

from intercom_sync.domain.clocks import Clocks, describe_offset, machine_clock
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.pipeline.workspace_identity import fetch_workspace, foreign_workspace
from intercom_sync.settings import Settings
from intercom_sync.warehouse.errors import WarehouseError
from intercom_sync.warehouse.postgres.connect import is_made, open_unchanged
from intercom_sync.warehouse.postgres.session import database_time


def check_agreement(client: IntercomClient, settings: Settings) -> Iterator[tuple[bool, str]]:
    """Check that the clocks agree and that the tables hold data of the token's workspace.

    If the database is unavailable, only the other clocks are compared; `check_database` reports the reason.
    """
    workspace = fetch_workspace(client).id
    database, mismatch = _query_database(settings, workspace)
    yield _compare_clocks(Clocks(machine_clock(), database, client.server_time()))
    if mismatch:
        yield False, f"workspace: {mismatch}"


def _query_database(settings: Settings, workspace: str | None) -> tuple[datetime | None, str | None]:
    """Return the database's time, and an error message if its tables hold another workspace."""
    now = None
    try:
        if is_made(settings):
            with open_unchanged(settings) as session:
                now = database_time(session)
                return now, foreign_workspace(session, workspace) if workspace else None
    except WarehouseError:
        # Before the first sync, or the first after an upgrade, no table records the workspace.
        return now, None
    return None, None


def _compare_clocks(clocks: Clocks) -> tuple[bool, str]:
    present = clocks.present
    if present is None:
        return False, f"clocks: this machine's clock shows {clocks.machine:%Y-%m-%d %H:%M} UTC: correct it"
    off = [f"the clock of {name} is {describe_offset(offset)}" for name, offset in clocks.off(present).items()]
    if off:
        return False, f"clocks: {', '.join(off)}; a sync uses {present:%Y-%m-%d %H:%M} UTC: correct the clock"
    compared = ["this machine", *["the database"] * bool(clocks.database), *["Intercom"] * bool(clocks.intercom)]
    return True, f"clocks: {', '.join(compared)} agree within a minute"
