"""What a run reads and when it is: from the partition, the run's configuration and the clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from intercom_sync.domain.window import Window
from intercom_sync.warehouse import runs
from intercom_sync.warehouse.runs import SyncRun
from intercom_sync.warehouse.session import Session

_A_MOMENT = timedelta(seconds=1)
_EVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Asked:
    """What a run's configuration asks for.

    Attributes:
        full: read everything instead of the window.
        catch_up: read from where earlier syncs left off without a gap; everything when there was none.
        as_of: the run's *now*; None for the machine's clock.
        start: start of a window of its own; None for the partition's.
        end: its end.
    """

    full: bool = False
    catch_up: bool = False
    as_of: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None


def plan_run(run: str, asked: Asked, partition: Window, covered: datetime | None, clock: datetime) -> SyncRun:
    """Return the run that is asked for.

    Args:
        run: the Dagster run's id.
        asked: the configuration.
        partition: the partition's window.
        covered: the instant up to which earlier syncs read everything; None before the first full one.
        clock: the machine's time.

    Raises:
        ValueError: a window that ends before it starts.
    """
    as_of = (asked.as_of or clock).astimezone(UTC)
    if asked.full or (asked.catch_up and covered is None):
        # A full sync covers all up to its instant.
        return SyncRun(run, as_of, Window(_EVER, as_of), full=True, started_at=clock)
    start, end = asked.start or partition.start, asked.end or partition.end
    if asked.catch_up and covered is not None:
        start = min(covered, end - _A_MOMENT)
    return SyncRun(run, as_of, Window(start, end), full=False, started_at=clock)


def begin_run(session: Session, run: str, asked: Asked, partition: Window, clock: datetime) -> SyncRun:
    """Plan a run and note that it began; an asset that joins a run gets it as it was planned first."""
    with session.transaction():
        covered = runs.covered_until(session)
    return runs.begin(session, plan_run(run, asked, partition, covered, clock.astimezone(UTC)))


def parse_time(text: str) -> datetime:
    """Read an ISO 8601 time; one without an offset is UTC.

    Raises:
        ValueError: when it is none.
    """
    moment = datetime.fromisoformat(text.strip())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_window(text: str) -> Window:
    """Read a window in the form START/END.

    Raises:
        ValueError: when it is none, or ends before it starts.
    """
    start, slash, end = text.partition("/")
    if not slash:
        raise ValueError(f"{text!r} is not a window: give START/END, e.g. 2026-01-01T00:00/2026-01-01T06:00")
    return Window(parse_time(start), parse_time(end))
