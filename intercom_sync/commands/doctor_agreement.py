"""What `intercom-sync doctor` compares between Intercom and the database: the time, and whose workspace it is."""

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
    """Check that the clocks agree, and that the tables hold the workspace of the token.

    Where the database cannot be asked the clocks of the others are compared; a check of its own says why.
    """
    found = fetch_workspace(client).id
    database, refusal = _ask_database(settings, found)
    yield _clocks(Clocks(machine_clock(), database, client.server_time()))
    if refusal:
        yield False, f"workspace: {refusal}"


def _ask_database(settings: Settings, workspace: str | None) -> tuple[datetime | None, str | None]:
    """Return what the database's clock says, and a sentence where its tables hold another workspace."""
    now = None
    try:
        if is_made(settings):
            with open_unchanged(settings) as session:
                now = database_time(session)
                return now, foreign_workspace(session, workspace) if workspace else None
    except WarehouseError:
        # Before the first sync, or the first after an upgrade, there is no table that says whose workspace it is.
        return now, None
    return None, None


def _clocks(clocks: Clocks) -> tuple[bool, str]:
    present = clocks.present
    if present is None:
        return False, f"clocks: that of this machine says {clocks.machine:%Y-%m-%d %H:%M} UTC: set it right"
    off = [f"that of {name} is {describe_offset(by)}" for name, by in clocks.off(present).items()]
    if off:
        return False, f"clocks: {', '.join(off)}; a sync goes by {present:%Y-%m-%d %H:%M} UTC: set the clock right"
    compared = ["this machine", *["the database"] * bool(clocks.database), *["Intercom"] * bool(clocks.intercom)]
    return True, f"clocks: those of {', '.join(compared)} agree within a minute"
