"""What a run reads and when it is: from the partition, the run's configuration and the clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from intercom_sync.domain.clocks import TOLERANCE, Clocks
from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.window import Window
from intercom_sync.pipeline.errors import RunRefusedError
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import runs
from intercom_sync.warehouse.state.runs import SyncRun

NOW = "now"
"""The end of a window that ends at the run's now, in a run's configuration."""

ONE_SECOND = timedelta(seconds=1)
_EPOCH = datetime.fromtimestamp(0, UTC)
_FIRST_AS_OF = datetime(1971, 1, 1, tzinfo=UTC)
_YEARS = (1970, 2200)
"""Between these a time may lie: a window reaches back by the overlap, and forward to a partition's end."""


@dataclass(frozen=True)
class RunRequest:
    """What a run's configuration asks for.

    Attributes:
        full: read everything instead of the window.
        catch_up: read from where earlier syncs left off without a gap; everything when there was none.
        as_of: the run's *now*; None for the machine's clock.
        start: start of a window of its own; None for the partition's.
        end: its end.
        until_now: whether a window without an end of its own ends now, rather than with the partition.
        fill_gap: read, before the window, what earlier syncs left out.
    """

    full: bool = False
    catch_up: bool = False
    as_of: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None
    until_now: bool = False
    fill_gap: bool = False


def plan_run(
    run_id: RunId,
    request: RunRequest,
    partition: Window,
    watermark: datetime | None,
    clock: datetime,
    *,
    newest: datetime | None = None,
    clocks: Clocks | None = None,
) -> SyncRun:
    """Return the run that is asked for; the first of a workspace reads everything, whatever is asked for.

    An instant before the newest completed run's says what is read; the columns that depend on time stay at the newer.

    Args:
        run_id: the Dagster run's id.
        request: the configuration.
        partition: the partition's window.
        watermark: every change before it has been extracted; None before the first full sync.
        clock: the present.
        newest: the latest instant that a completed run wrote the customers for; None before the first.
        clocks: what the clocks say, where they were read.

    Raises:
        RunRefusedError: the instant asked for is in the future, or before Intercom existed, or the window is none.
    """
    require_past(request.as_of, clock)
    wanted = (request.as_of or clock).astimezone(UTC)
    earliest = min(wanted, clocks.earliest or clock) if clocks else min(wanted, clock)
    as_of = max(wanted, newest.astimezone(UTC)) if newest else wanted
    window, full = _scope(request, partition, watermark, wanted)
    return SyncRun(run_id, as_of, window, full, started_at=clock, clocks=clocks, earliest_now=earliest)


def require_past(as_of: datetime | None, clock: datetime) -> None:
    """Refuse an instant in the future, or one before every record.

    Raises:
        RunRefusedError: it does.
    """
    if as_of is not None and as_of > clock + TOLERANCE:
        raise RunRefusedError(
            f"as_of is {as_of.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, which is later than now "
            f"({clock.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC). Give an instant that is past, or none for now."
        )
    if as_of is not None and as_of < _FIRST_AS_OF:
        raise RunRefusedError(f"as_of is {as_of.isoformat()}, before any record. Give a later one, or none for now.")


def _scope(asked: RunRequest, partition: Window, covered: datetime | None, wanted: datetime) -> tuple[Window, bool]:
    """Return what a run reads, and whether that is everything up to its instant."""
    if not asked.full:
        window = _window(asked, partition, covered, wanted)
        if covered is not None:
            return window, False
    return Window(_EPOCH, wanted), True


def _window(asked: RunRequest, partition: Window, covered: datetime | None, wanted: datetime) -> Window:
    start, end = asked.start or partition.start, asked.end or (wanted if asked.until_now else partition.end)
    if asked.catch_up:
        start = min(covered or start, end - ONE_SECOND)
    elif asked.fill_gap:
        start = min(covered or end - ONE_SECOND, start)
    if end <= start:
        raise RunRefusedError(f"The window ends before it starts: end is {end.isoformat()}, start {start.isoformat()}.")
    return Window(start, end)


def get_or_start_run(
    session: Session, run_id: RunId, request: RunRequest, partition: Window, clock: datetime
) -> SyncRun:
    """Plan a run by one clock and note that it began; an asset that joins a run gets it as it was planned first.

    For runs that do not ask Intercom; one that does begins by `start.start_run`.

    Raises:
        RunRefusedError: as `plan_run`.
    """
    with session.transaction():
        begun = runs.begun(session, run_id)
        if begun:
            return begun
        covered, newest = runs.watermark(session), runs.newest_as_of(session, clock)
    return runs.start(session, plan_run(run_id, request, partition, covered, clock.astimezone(UTC), newest=newest))


def parse_time(text: str) -> datetime:
    """Read an ISO 8601 time; one without an offset is UTC.

    Raises:
        ValueError: when it is none.
    """
    moment = datetime.fromisoformat(text.strip())
    if not _YEARS[0] < moment.year < _YEARS[1]:
        raise ValueError(f"{text!r} is no time from {_YEARS[0] + 1} to {_YEARS[1] - 1}")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def configured(full: bool, catch_up: bool, as_of: str, start: str, end: str) -> RunRequest:
    """Return what the texts of a run's configuration ask for; an empty one asks for nothing.

    Raises:
        RunRefusedError: one is wrong, or they contradict each other; the message names it.
    """
    until_now = end.strip() == NOW
    texts = {"as_of": as_of, "start": start, "end": "" if until_now else end}
    times: dict[str, Any] = {name: _configured_time(name, text) for name, text in texts.items() if text.strip()}
    if full and (catch_up or times.keys() & {"start", "end"}):
        raise RunRefusedError("full reads everything: leave catch_up, start and end out of the run's configuration.")
    if catch_up and "start" in times:
        raise RunRefusedError("catch_up starts where the last sync ended: leave start out of the run's configuration.")
    if "start" in times and "end" in times and times["end"] <= times["start"]:
        raise RunRefusedError(f"The window ends before it starts: end is {end.strip()}, start is {start.strip()}.")
    return RunRequest(full, catch_up, until_now=until_now, **times)


def _configured_time(name: str, text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError:
        raise RunRefusedError(
            f"{name} in the run's configuration is not right: give a time from 1971 to 2199 such as "
            "2026-01-01T06:00, UTC where it names no offset, or nothing."
        ) from None


def parse_window(text: str) -> Window:
    """Read a window in the form START/END.

    Raises:
        ValueError: when it is none, or ends before it starts.
    """
    start, slash, end = text.partition("/")
    if not slash:
        raise ValueError(f"{text!r} is not a window: give START/END, e.g. 2026-01-01T00:00/2026-01-01T06:00")
    return Window(parse_time(start), parse_time(end))
