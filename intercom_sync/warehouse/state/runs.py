"""`sync_runs`: one row a run, begun by its first asset and closed by its last.

States: started; succeeded; failed; canceled by a person; crashed, when its process ended without a word.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from intercom_sync.domain.clocks import TOLERANCE, Clocks
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
    """A run: who it is, its instant, and what it reads.

    Attributes:
        run: the Dagster run's id.
        as_of: its *now*.
        window: what it covers; a full sync reads everything and covers what came before the window's end.
        full: whether it reads everything.
        started_at: when it began: the present then.
        clocks: what the clocks said then; None where that is not known.
        earliest_now: the earliest of the clocks and the instant asked for; None where that is not known.
        future_instants: stored instants later than the present that it met.
    """

    id: str
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
        """What it reads, in words: a later run of the same scope goes on where a dead one stopped."""
        return FULL if self.full else str(self.window)


def start(session: Session, run: SyncRun) -> SyncRun:
    """Note that a run began, unless one of its assets did already; return it as it was noted first.

    A run that failed before it had written its customers, or of which an asset is done, is open again.
    """
    with session.transaction():
        return note_begun(session, run)


def begin_alone(session: Session) -> None:
    """Let no other run begin until the caller's transaction ends."""
    session.value("SELECT pg_advisory_xact_lock(hashtext('intercom_sync.begin'), hashtext(current_schema()))::text")


def note_begun(session: Session, run: SyncRun) -> SyncRun:
    """Insert the row of a run that begins, unless it is there; runs inside the caller's transaction."""
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
    return begun(session, run.id) or run


def reopen(session: Session, run: str) -> None:
    """Note that a run goes on after one of its tries ended; runs inside the caller's transaction."""
    session.execute(
        "UPDATE sync_runs SET status = 'started', finished_at = NULL WHERE run_id = $1 AND contacts_synced IS NULL "
        "AND status <> 'started'",
        run,
    )


def begun(session: Session, run: str) -> SyncRun | None:
    """Return a run as it was noted when it began; None when it was not. Runs inside the caller's transaction."""
    found = session.frame(
        "SELECT as_of, mode, window_start, window_end, started_at, machine_clock, database_clock, intercom_clock, "
        "earliest_now, future_instants FROM sync_runs WHERE run_id = $1",
        run,
    ).rows(named=True)
    if not found:
        return None
    noted = found[0]
    machine = noted["machine_clock"]
    return SyncRun(
        run,
        noted["as_of"],
        Window(noted["window_start"], noted["window_end"]),
        noted["mode"] == FULL,
        noted["started_at"],
        machine and Clocks(machine, noted["database_clock"], noted["intercom_clock"]),
        noted["earliest_now"],
        noted["future_instants"] or 0,
    )


def newest_with_clocks(session: Session, run: str) -> SyncRun | None:
    """Return a run as it began, or the newest one where this one did not read the clocks; None when none did."""
    found = session.value(
        "SELECT run_id FROM sync_runs WHERE machine_clock IS NOT NULL ORDER BY (run_id = $1) DESC, "
        "started_at DESC LIMIT 1",
        run,
    )
    return begun(session, found) if found else None


def newest_as_of(session: Session, present: datetime) -> datetime | None:
    """Return the latest instant that a completed sync wrote the customers for; runs inside the caller's transaction.

    One later than the present does not count.
    """
    newest: datetime | None = session.value(
        "SELECT max(as_of) FROM sync_runs WHERE status = 'succeeded' AND as_of <= $1", present + TOLERANCE
    )
    return newest


def confirmed_past(session: Session) -> datetime | None:
    """Return the latest instant that all three clocks had reached when a sync noted it."""
    reached = "LEAST(machine_clock, database_clock, intercom_clock)"
    confirmed: datetime | None = session.value(
        f"SELECT max(as_of) FROM sync_runs WHERE num_nulls(machine_clock, database_clock, intercom_clock) = 0 "
        f"AND as_of <= {reached} + interval '{int(TOLERANCE.total_seconds())} seconds'"
    )
    return confirmed


def overlapped_another_run(session: Session, run: SyncRun) -> bool:
    """Whether another run was at work beside this one, so that it may have landed or written something meanwhile.

    One that began more than a day before and never ended is dead.
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
    """Return a run as of the latest instant of those that succeeded beside it; runs inside the caller's transaction.

    What depends on time never goes back to an instant before the one it was written for. An instant later than the
    present does not count.
    """
    latest: datetime | None = session.value(
        "UPDATE sync_runs SET as_of = greatest(as_of, (SELECT max(as_of) FROM sync_runs "
        "WHERE status = 'succeeded' AND finished_at >= $2 AND as_of <= $3)) WHERE run_id = $1 RETURNING as_of",
        run.id,
        run.started_at,
        present + TOLERANCE,
    )
    return replace(run, as_of=latest or run.as_of)


def add_counts(session: Session, run: str, contacts: int, conversations: int, errors: int) -> None:
    """Add what a run has read, and the API calls it gave up; runs inside the caller's transaction."""
    session.execute(
        "UPDATE sync_runs SET contacts_read = contacts_read + $2::bigint::integer, "
        "conversations_read = conversations_read + $3::bigint::integer, errors = errors + $4::bigint::integer "
        "WHERE run_id = $1",
        run,
        contacts,
        conversations,
        errors,
    )


def error_count(session: Session, run: str) -> int:
    """Return the API calls that a run gave up."""
    return int(session.value("SELECT errors FROM sync_runs WHERE run_id = $1", run) or 0)


def succeeded_with_errors(session: Session, since: datetime) -> Iterator[tuple[str, int, datetime]]:
    """Yield id, errors and end of the runs that succeeded since an instant although API calls failed."""
    return session.frame(
        "SELECT run_id, errors, finished_at FROM sync_runs WHERE status = 'succeeded' AND errors > 0 "
        "AND finished_at > $1 ORDER BY finished_at",
        since,
    ).iter_rows()


def in_progress(session: Session, since: datetime, now: datetime) -> bool:
    """Whether a run that started since an instant has not ended; runs inside the caller's transaction."""
    return bool(
        session.value(
            "SELECT EXISTS (SELECT FROM sync_runs WHERE status = 'started' AND started_at BETWEEN $1 AND $2)",
            since,
            now + TOLERANCE,
        )
    )


def is_noted(session: Session, run: str) -> bool:
    """Whether a run has begun; runs inside the caller's transaction."""
    return bool(session.value("SELECT EXISTS (SELECT FROM sync_runs WHERE run_id = $1)", run))


def end(session: Session, run: str, status: str, finished_at: datetime) -> None:
    """Note how an open run ended without writing its customers; runs inside the caller's transaction."""
    session.execute(
        "UPDATE sync_runs SET status = $2, finished_at = $3 WHERE run_id = $1 AND status = 'started'",
        run,
        status,
        finished_at,
    )


def end_partial(session: Session, run: str, finished_at: datetime) -> None:
    """Note that a run of some assets only has done one of them; runs inside the caller's transaction."""
    session.execute(
        f"UPDATE sync_runs SET status = 'succeeded', mode = '{REFRESH}', finished_at = $2 "
        "WHERE run_id = $1 AND status = 'started'",
        run,
        finished_at,
    )


def mark_partial(session: Session, run: str) -> None:
    """Note that a run did not read both streams, as one of some assets only; runs inside the caller's transaction."""
    session.execute(f"UPDATE sync_runs SET mode = '{REFRESH}' WHERE run_id = $1", run)


def complete(session: Session, run: str, figures: SyncStats, finished_at: datetime) -> None:
    """Note that a run succeeded, with its figures; runs inside the caller's transaction."""
    average = figures.avg_quality_score
    session.execute(
        "UPDATE sync_runs SET status = 'succeeded', finished_at = $2, contacts_synced = $3, new_contacts = $4, "
        "updated_contacts = $5, skipped_contacts = $6, alerts_generated = $7, "
        "sync_duration_seconds = $8::text::numeric, avg_quality_score = nullif($9, '')::numeric WHERE run_id = $1",
        run,
        finished_at,
        figures.contacts_synced,
        figures.new_contacts,
        figures.updated_contacts,
        figures.skipped_contacts,
        figures.alerts_generated,
        str(figures.sync_duration_seconds),
        "" if average is None else str(average),
    )


def stats(session: Session, run: str) -> tuple[datetime, SyncStats]:
    """Return when a run succeeded, and its figures."""
    row = session.frame(
        "SELECT finished_at, contacts_synced, new_contacts, updated_contacts, skipped_contacts, errors, "
        "sync_duration_seconds::float8 AS sync_duration_seconds, avg_quality_score::float8 AS avg_quality_score, "
        "alerts_generated FROM sync_runs WHERE run_id = $1",
        run,
    ).row(0, named=True)
    finished_at: datetime = row.pop("finished_at")
    return finished_at, SyncStats(**row)


def windows_covered_by(session: Session, run: str) -> Window | None:
    """Return the window that a run read; None for a full one, whose past is no row of windows."""
    row = session.frame("SELECT mode, window_start, window_end FROM sync_runs WHERE run_id = $1", run).row(
        0, named=True
    )
    return Window(row["window_start"], row["window_end"]) if row["mode"] == WINDOW else None


_READ_UNTIL = "LEAST(window_end, as_of, started_at, earliest_now)"
"""What a run read up to: neither the end of the open window nor an instant that some clock had not reached."""


def deletion_watermark(session: Session) -> datetime | None:
    """Return the instant before which what Intercom deleted has been let go of, or had never landed.

    That of the newest full sync that succeeded; before there was one, that of the first run of all.
    """
    full = f"FILTER (WHERE status = 'succeeded' AND mode = '{FULL}')"
    since: datetime | None = session.value(
        f"SELECT COALESCE(max({_READ_UNTIL}) {full}, min({_READ_UNTIL})) FROM sync_runs"
    )
    return since


def watermark(session: Session, present: datetime | None = None) -> datetime | None:
    """Return the instant up to which successful runs have read everything; None before the first full sync.

    A full sync covers all before its instant. A window extends that when it leaves no gap. Neither covers what lay
    ahead when it ran, and a run that claims to have read beyond the present does not count.
    """
    rows = session.frame(
        f"SELECT mode, window_start, {_READ_UNTIL} AS read_until FROM sync_runs "
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
