"""Signs of life of runs, in `sync_workers`: the process that works on each, and when it was last heard of.

Not in `sync_runs`, whose row belongs to the transaction that writes the customers.
"""

from dataclasses import dataclass

from intercom_sync.warehouse.postgres.session import Session


@dataclass(frozen=True)
class Sign:
    """What is known of a run's process.

    Attributes:
        run_id: the run.
        is_open: whether `sync_runs` has it as started.
        worker: its process, as text; None for a run that has not said.
        silent_seconds: since its last sign of life, or since the database started: no process can write to one that is
            away. By the database's clock.
    """

    run_id: str
    is_open: bool
    worker: str | None
    silent_seconds: float


def note_worker(session: Session, run: str, worker: str) -> None:
    """Note which process works on a run."""
    with session.transaction():
        session.execute(
            "INSERT INTO sync_workers (run_id, worker, heartbeat_at) VALUES ($1, $2, clock_timestamp()) "
            "ON CONFLICT (run_id) DO UPDATE SET worker = EXCLUDED.worker, heartbeat_at = EXCLUDED.heartbeat_at",
            run,
            worker,
        )


def beat(session: Session, run: str) -> bool:
    """Renew a run's sign of life; return whether the run is still open."""
    with session.transaction():
        renewed = "UPDATE sync_workers SET heartbeat_at = clock_timestamp() WHERE run_id = $1 RETURNING 1"
        is_open = "SELECT EXISTS (SELECT FROM sync_runs WHERE run_id = $1 AND status = 'started')"
        return session.value(renewed, run) is not None and bool(session.value(is_open, run))


def signs(session: Session) -> dict[str, Sign]:
    """Return the signs of life of all runs that are open, or of which one is no older than a day."""
    with session.transaction():
        session.execute(
            "DELETE FROM sync_workers WHERE heartbeat_at < clock_timestamp() - interval '1 day' AND run_id NOT IN "
            "(SELECT run_id FROM sync_runs WHERE status = 'started')"
        )
        rows = session.frame(
            "SELECT run_id, coalesce(r.status = 'started', false) AS is_open, w.worker, extract(epoch FROM "
            "clock_timestamp() - greatest(coalesce(w.heartbeat_at, r.started_at), pg_postmaster_start_time()))::float8 "
            "AS silent_seconds FROM sync_workers w FULL JOIN sync_runs r USING (run_id) "
            "WHERE r.status = 'started' OR w.run_id IS NOT NULL"
        ).rows(named=True)
    return {row["run_id"]: Sign(**row) for row in rows}
