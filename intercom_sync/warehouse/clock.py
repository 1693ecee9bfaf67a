"""The database's clock."""

from datetime import UTC, datetime

from intercom_sync.domain.clocks import Clocks
from intercom_sync.warehouse.session import Session


def database_time(session: Session) -> datetime:
    """Return what the database's clock says now. Runs inside the caller's transaction."""
    now: datetime = session.value("SELECT clock_timestamp()")
    return now.astimezone(UTC)


def read_present(session: Session, machine: datetime) -> datetime:
    """Return the present by the machine's clock and the database's. Runs inside the caller's transaction."""
    return Clocks(machine, database_time(session)).present or machine
