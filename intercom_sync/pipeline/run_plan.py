"""Plan a run: its window and its instant, from the partition, the run's configuration and the clock."""

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
"""In a run's configuration: the end of a window that ends at the run's instant."""

ONE_SECOND = timedelta(seconds=1)
_EPOCH = datetime.fromtimestamp(0, UTC)
_FIRST_AS_OF = datetime(1971, 1, 1, tzinfo=UTC)
_YEARS = (1970, 2200)
"""Exclusive limits of a configured time; they leave space for the overlap before it and a partition's end after it."""


@dataclass(frozen=True)
class RunRequest:
    """The configuration of a run.

    Attributes:
        full: extract the full workspace instead of a window.
        catch_up: extract from the watermark on; the full workspace before the first full sync.
        as_of: the instant that counts as *now*; None for the present.
        start: the start of the window; None for the partition's.
        end: the end of the window; None for the partition's.
        until_now: whether a window without a configured end ends now instead of with the partition.
        fill_gap: start the window at the watermark if that is before the window.
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
    """Plan the requested run. The first run of a workspace is always full.

    An `as_of` before that of the newest completed run only limits what is extracted. Columns that depend on time are
    still computed for the newer instant.

    Args:
        run_id: the Dagster run's id.
        request: the configuration.
        partition: the partition's window.
        watermark: every change before it has been extracted; None before the first full sync.
        clock: the present.
        newest: the latest `as_of` of completed runs; None before the first.
        clocks: the clocks, if they were read.

    Raises:
        RunRefusedError: the requested instant is in the future or before any record, or the window is empty.
    """
    require_past(request.as_of, clock)
    requested = (request.as_of or clock).astimezone(UTC)
    earliest = min(requested, clocks.earliest or clock) if clocks else min(requested, clock)
    as_of = max(requested, newest.astimezone(UTC)) if newest else requested
    window, full = _scope(request, partition, watermark, requested)
    return SyncRun(run_id, as_of, window, full, started_at=clock, clocks=clocks, earliest_now=earliest)


def require_past(as_of: datetime | None, clock: datetime) -> None:
    """Refuse an instant in the future, or before any record.

    Raises:
        RunRefusedError: the instant is not in this range.
    """
    if as_of is not None and as_of > clock + TOLERANCE:
        raise RunRefusedError(
            f"as_of is {as_of.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, which is later than now "
            f"({clock.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC). Give an instant that is past, or none for now."
        )
    if as_of is not None and as_of < _FIRST_AS_OF:
        raise RunRefusedError(f"as_of is {as_of.isoformat()}, before any record. Give a later one, or none for now.")


def _scope(request: RunRequest, partition: Window, watermark: datetime | None, now: datetime) -> tuple[Window, bool]:
    """Return the window of a run, and whether the run is full."""
    if not request.full:
        window = _window(request, partition, watermark, now)
        if watermark is not None:
            return window, False
    return Window(_EPOCH, now), True


def _window(request: RunRequest, partition: Window, watermark: datetime | None, now: datetime) -> Window:
    start, end = request.start or partition.start, request.end or (now if request.until_now else partition.end)
    if request.catch_up:
        start = min(watermark or start, end - ONE_SECOND)
    elif request.fill_gap:
        start = min(watermark or end - ONE_SECOND, start)
    if end <= start:
        raise RunRefusedError(f"The window ends before it starts: end is {end.isoformat()}, start {start.isoformat()}.")
    return Window(start, end)


def get_or_start_run(
    session: Session, run_id: RunId, request: RunRequest, partition: Window, clock: datetime
) -> SyncRun:
    """Return a run as first recorded, or plan it by one clock and record its start; idempotent.

    This is for runs that do not call Intercom; `start_run.start_run` starts the others.

    Raises:
        RunRefusedError: as in `plan_run`.
    """
    with session.transaction():
        run = runs.get_run(session, run_id)
        if run:
            return run
        watermark, newest = runs.watermark(session), runs.newest_as_of(session, clock)
    return runs.start(session, plan_run(run_id, request, partition, watermark, clock.astimezone(UTC), newest=newest))


def parse_time(text: str) -> datetime:
    """Parse an ISO 8601 time; without an offset it is UTC.

    Raises:
        ValueError: the text is not such a time, or its year is out of range.
    """
    time = datetime.fromisoformat(text.strip())
    if not _YEARS[0] < time.year < _YEARS[1]:
        raise ValueError(f"{text!r} is not a time from {_YEARS[0] + 1} to {_YEARS[1] - 1}")
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def configured(full: bool, catch_up: bool, as_of: str, start: str, end: str) -> RunRequest:
    """Parse a run's configuration; an empty text means not set.

    Raises:
        RunRefusedError: a value is invalid, or values contradict each other; the message names them.
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
            "2026-01-01T06:00 (UTC without an offset), or nothing."
        ) from None


def parse_window(text: str) -> Window:
    """Parse a window in the form START/END.

    Raises:
        ValueError: the text is not a window, or ends before it starts.
    """
    start, slash, end = text.partition("/")
    if not slash:
        raise ValueError(f"{text!r} is not a window: give START/END, e.g. 2026-01-01T00:00/2026-01-01T06:00")
    return Window(parse_time(start), parse_time(end))
