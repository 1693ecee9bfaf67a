"""`sync_runs`: one row per run, inserted by its first asset and completed by its last; and the watermarks.

States: started, succeeded, failed, canceled (by a person), crashed (its process ended without recording a state).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from intercom_sync.domain.clocks import TOLERANCE, Clocks
from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.sync_summary import SyncStats
from intercom_sync.domain.window import Window
from intercom_sync.warehouse.postgres.session import Session

FULL = "full"
WINDOW = "window"
REFRESH = "refresh"

FAILED = "failed"
CANCELED = "canceled"
CRASHED = "crashed"


@dataclass(frozen=True)
class SyncRun:
    """A run: its id, its instant and the scope of its extraction.

    Attributes:
        id: the Dagster run's id.
        as_of: the instant that counts as *now* for all its computations.
        window: the window it covers; a full sync covers everything before the window's end.
        full: whether it extracts the full workspace.
        started_at: when it started.
        clocks: the clocks at its start; None if unknown.
        earliest_now: the earliest of the clocks and the requested instant; None if unknown.
        future_instants: the number of stored instants later than its start.
    """

    id: RunId
    as_of: datetime
    window: Window
    full: bool
    started_at: datetime
    clocks: Clocks | None = None
    earliest_now: datetime | None = None
    future_instants: int = 0

    @property
    def mode(self) -> str:
        """`full` or `window`."""
        return FULL if self.full else WINDOW

    @property
    def scope(self) -> str:
        """The scope of its extraction; a later run of the same scope resumes the extraction of a dead one."""
        return FULL if self.full else str(self.window)


def start(session: Session, run: SyncRun) -> SyncRun:
    """Record that a run started, unless one of its assets already did; return the run as first recorded."""
    with session.transaction():
        return insert_run(session, run)


def lock_run_starts(session: Session) -> None:
    """Take the lock for starting runs, until the caller's transaction ends."""
    session.value("SELECT pg_advisory_xact_lock(hashtext('intercom_sync.begin'), hashtext(current_schema()))::text")


def insert_run(session: Session, run: SyncRun) -> SyncRun:
    """Insert the row of a run unless it exists; return the run as recorded. Runs inside the caller's transaction."""
    clocks = run.clocks
    values = {
        "run_id": run.id,
        "mode": run.mode,
        "status": "started",
        "as_of": run.as_of,
        "window_start": run.window.start,
        "window_end": run.window.end,
        "started_at": run.started_at,
        "machine_clock": clocks and clocks.machine,
        "database_clock": clocks and clocks.database,
        "intercom_clock": clocks and clocks.intercom,
        "earliest_now": run.earliest_now,
        "future_instants": run.future_instants,
    }
    known = {name: value for name, value in values.items() if value is not None}
    session.execute(
        f"INSERT INTO sync_runs ({', '.join(known)}) "
        f"VALUES ({', '.join(f'${number}' for number in range(1, len(known) + 1))}) ON CONFLICT (run_id) DO NOTHING",
        *known.values(),
    )
    return get_run(session, run.id) or run


def reopen(session: Session, run_id: RunId) -> None:
    """Set a run to started again for a retry, unless it wrote its customers. Runs inside the caller's transaction."""
    session.execute(
        "UPDATE sync_runs SET status = 'started', finished_at = NULL WHERE run_id = $1 AND contacts_synced IS NULL "
        "AND status <> 'started'",
        run_id,
    )


def get_run(session: Session, run_id: RunId) -> SyncRun | None:
    """Return a run as recorded at its start; None if it is not recorded. Runs inside the caller's transaction."""
    found = session.frame(
        "SELECT as_of, mode, window_start, window_end, started_at, machine_clock, database_clock, intercom_clock, "
        "earliest_now, future_instants FROM sync_runs WHERE run_id = $1",
        run_id,
    ).rows(named=True)
    if not found:
        return None
    row = found[0]
    machine = row["machine_clock"]
    return SyncRun(
        run_id,
        row["as_of"],
        Window(row["window_start"], row["window_end"]),
        row["mode"] == FULL,
        row["started_at"],
        machine and Clocks(machine, row["database_clock"], row["intercom_clock"]),
        row["earliest_now"],
        row["future_instants"] or 0,
    )


def newest_with_clocks(session: Session, run_id: RunId) -> SyncRun | None:
    """Return a run if it recorded the clocks, otherwise the newest run that did; None without any."""
    found = session.value(
        "SELECT run_id FROM sync_runs WHERE machine_clock IS NOT NULL ORDER BY (run_id = $1) DESC, "
        "started_at DESC LIMIT 1",
        run_id,
    )
    return get_run(session, found) if found else None


def newest_as_of(session: Session, present: datetime) -> datetime | None:
    """Return the latest `as_of` of successful runs, ignoring those later than the present.

    Runs inside the caller's transaction.
    """
    newest: datetime | None = session.value(
        "SELECT max(as_of) FROM sync_runs WHERE status = 'succeeded' AND as_of <= $1", present + TOLERANCE
    )
    return newest


def confirmed_past(session: Session) -> datetime | None:
    """Return the latest `as_of` of runs at whose start all three clocks had reached it."""
    reached = "LEAST(machine_clock, database_clock, intercom_clock)"
    confirmed: datetime | None = session.value(
        f"SELECT max(as_of) FROM sync_runs WHERE num_nulls(machine_clock, database_clock, intercom_clock) = 0 "
        f"AND as_of <= {reached} + interval '{int(TOLERANCE.total_seconds())} seconds'"
    )
    return confirmed


def overlapped_another_run(session: Session, run: SyncRun) -> bool:
    """Return whether another run was active during this one, so that it may have landed or written records.

    A run that started more than a day before and never ended counts as dead.
    """
    return bool(
        session.value(
            "SELECT EXISTS (SELECT FROM sync_runs WHERE run_id <> $1 AND (finished_at >= $2 "
            "OR (finished_at IS NULL AND started_at > $2 - interval '1 day')))",
            run.id,
            run.started_at,
        )
    )


def advance_as_of(session: Session, run: SyncRun, present: datetime) -> SyncRun:
    """Advance a run's `as_of` to the latest one of runs that succeeded during it; return the run.

    Columns that depend on time are thereby never computed for an earlier instant than the stored values. Instants later
    than the present are ignored. Runs inside the caller's transaction.
    """
    latest: datetime | None = session.value(
        "UPDATE sync_runs SET as_of = greatest(as_of, (SELECT max(as_of) FROM sync_runs "
        "WHERE status = 'succeeded' AND finished_at >= $2 AND as_of <= $3)) WHERE run_id = $1 RETURNING as_of",
        run.id,
        run.started_at,
        present + TOLERANCE,
    )
    return replace(run, as_of=latest or run.as_of)


def add_counts(session: Session, run_id: RunId, *, contacts: int = 0, conversations: int = 0, errors: int) -> None:
    """Add to a run's counts of fetched records and failed API calls. Runs inside the caller's transaction."""
    session.execute(
        "UPDATE sync_runs SET contacts_read = contacts_read + $2::bigint::integer, "
        "conversations_read = conversations_read + $3::bigint::integer, errors = errors + $4::bigint::integer "
        "WHERE run_id = $1",
        run_id,
        contacts,
        conversations,
        errors,
    )


def error_count(session: Session, run_id: RunId) -> int:
    """Return the number of a run's failed API calls."""
    return int(session.value("SELECT errors FROM sync_runs WHERE run_id = $1", run_id) or 0)


def succeeded_with_errors(session: Session, since: datetime) -> Iterator[tuple[RunId, int, datetime]]:
    """Yield id, error count and end of runs that succeeded since an instant although API calls failed."""
    return session.frame(
        "SELECT run_id, errors, finished_at FROM sync_runs WHERE status = 'succeeded' AND errors > 0 "
        "AND finished_at > $1 ORDER BY finished_at",
        since,
    ).iter_rows()


def in_progress(session: Session, since: datetime, now: datetime) -> bool:
    """Return whether a run that started since an instant is still open. Runs inside the caller's transaction."""
    return bool(
        session.value(
            "SELECT EXISTS (SELECT FROM sync_runs WHERE status = 'started' AND started_at BETWEEN $1 AND $2)",
            since,
            now + TOLERANCE,
        )
    )


def is_recorded(session: Session, run_id: RunId) -> bool:
    """Return whether a run is recorded. Runs inside the caller's transaction."""
    return bool(session.value("SELECT EXISTS (SELECT FROM sync_runs WHERE run_id = $1)", run_id))


def end(session: Session, run_id: RunId, status: str, finished_at: datetime) -> None:
    """Record the end of an open run that did not write its customers. Runs inside the caller's transaction."""
    session.execute(
        "UPDATE sync_runs SET status = $2, finished_at = $3 WHERE run_id = $1 AND status = 'started'",
        run_id,
        status,
        finished_at,
    )


def end_partial(session: Session, run_id: RunId, finished_at: datetime) -> None:
    """Record that an open run of only some assets succeeded. Runs inside the caller's transaction."""
    session.execute(
        f"UPDATE sync_runs SET status = 'succeeded', mode = '{REFRESH}', finished_at = $2 "
        "WHERE run_id = $1 AND status = 'started'",
        run_id,
        finished_at,
    )


def mark_partial(session: Session, run_id: RunId) -> None:
    """Record that a run did not extract both streams, so it does not count for the watermark.

    Runs inside the caller's transaction.
    """
    session.execute(f"UPDATE sync_runs SET mode = '{REFRESH}' WHERE run_id = $1", run_id)


def complete(session: Session, run_id: RunId, stats: SyncStats, finished_at: datetime) -> None:
    """Record that a run succeeded, with its statistics. Runs inside the caller's transaction."""
    average = stats.avg_quality_score
    session.execute(
        "UPDATE sync_runs SET status = 'succeeded', finished_at = $2, contacts_synced = $3, new_contacts = $4, "
        "updated_contacts = $5, skipped_contacts = $6, alerts_generated = $7, "
        "sync_duration_seconds = $8::text::numeric, avg_quality_score = nullif($9, '')::numeric WHERE run_id = $1",
        run_id,
        finished_at,
        stats.contacts_synced,
        stats.new_contacts,
        stats.updated_contacts,
        stats.skipped_contacts,
        stats.alerts_generated,
        str(stats.sync_duration_seconds),
        "" if average is None else str(average),
    )


def stats(session: Session, run_id: RunId) -> tuple[datetime, SyncStats]:
    """Return when a run succeeded, and its statistics."""
    row = session.frame(
        "SELECT finished_at, contacts_synced, new_contacts, updated_contacts, skipped_contacts, errors, "
        "sync_duration_seconds::float8 AS sync_duration_seconds, avg_quality_score::float8 AS avg_quality_score, "
        "alerts_generated FROM sync_runs WHERE run_id = $1",
        run_id,
    ).row(0, named=True)
    finished_at: datetime = row.pop("finished_at")
    return finished_at, SyncStats(**row)


def windows_covered_by(session: Session, run_id: RunId) -> Window | None:
    """Return the window that a run extracted; None for a full run."""
    row = session.frame("SELECT mode, window_start, window_end FROM sync_runs WHERE run_id = $1", run_id).row(
        0, named=True
    )
    return Window(row["window_start"], row["window_end"]) if row["mode"] == WINDOW else None


_COVERED_UNTIL = "LEAST(window_end, as_of, started_at, earliest_now)"
"""The instant up to which a run covers changes: never beyond its window, its start or the earliest clock."""


def deletion_watermark(session: Session) -> datetime | None:
    """Return the deletion watermark: records that Intercom deleted before it are not in the landed tables.

    It is the instant of the newest successful full sync; before the first one, that of the first run.
    """
    full = f"FILTER (WHERE status = 'succeeded' AND mode = '{FULL}')"
    since: datetime | None = session.value(
        f"SELECT COALESCE(max({_COVERED_UNTIL}) {full}, min({_COVERED_UNTIL})) FROM sync_runs"
    )
    return since


def watermark(session: Session, present: datetime | None = None) -> datetime | None:
    """Return the watermark: every change before it has been extracted. None before the first full sync.

    A full sync covers everything before its instant; a window that leaves no gap extends that. Neither covers what was
    in the future when it ran. Runs that claim to cover instants later than the present are ignored.
    """
    rows = session.frame(
        f"SELECT mode, window_start, {_COVERED_UNTIL} AS read_until FROM sync_runs "
        "WHERE status = 'succeeded' ORDER BY window_start, read_until"
    ).rows(named=True)
    latest = present + TOLERANCE if present else datetime.max.replace(tzinfo=UTC)
    rows = [row for row in rows if row["read_until"] <= latest]
    fulls = [row["read_until"] for row in rows if row["mode"] == FULL]
    if not fulls:
        return None
    covered: datetime = max(fulls)
    for row in rows:
        if row["mode"] == WINDOW and row["window_start"] <= covered < row["read_until"]:
            covered = row["read_until"]
    return covered.astimezone(UTC)
