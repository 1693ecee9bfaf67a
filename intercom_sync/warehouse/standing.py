"""How `unified_customers` stands against what syncs noted of it: how many there were, and when the last was done."""

from dataclasses import dataclass
from datetime import datetime

from intercom_sync.domain.clocks import TOLERANCE
from intercom_sync.warehouse.column_types import column_types
from intercom_sync.warehouse.session import Session


@dataclass(frozen=True)
class Standing:
    """Customers before and after the newest sync.

    Attributes:
        before: customers not deleted after the sync before it; None when there was none.
        created: customers that it created.
        marked: customers that it marked as deleted.
        now: customers not deleted now.
    """

    before: int | None
    created: int
    marked: int
    now: int

    @property
    def lost(self) -> int:
        """Customers that somebody else removed."""
        return 0 if self.before is None else max(0, self.before + self.created - self.marked - self.now)


def standing(session: Session) -> Standing:
    """Return how the customers stand; runs that noted no number of them are left out."""
    runs = session.frame(
        "SELECT customers, new_contacts, as_of FROM sync_runs WHERE status = 'succeeded' AND customers IS NOT NULL "
        "ORDER BY finished_at DESC LIMIT 2"
    ).rows(named=True)
    now = int(session.value("SELECT count(*) FROM unified_customers WHERE intercom_deleted_at IS NULL"))
    if not runs:
        return Standing(None, 0, 0, now)
    when = column_types(session)["intercom_deleted_at"].cast("$1")
    marked = session.value(
        f"SELECT count(*) FROM unified_customers WHERE intercom_deleted_at = {when}", runs[0]["as_of"]
    )
    return Standing(runs[1]["customers"] if len(runs) > 1 else None, runs[0]["new_contacts"], int(marked), now)


def last_success(session: Session, present: datetime) -> datetime | None:
    """Return when the newest sync that succeeded was done; one that was done later than the present does not count."""
    finished: datetime | None = session.value(
        "SELECT max(finished_at) FROM sync_runs WHERE status = 'succeeded' AND finished_at <= $1", present + TOLERANCE
    )
    return finished
