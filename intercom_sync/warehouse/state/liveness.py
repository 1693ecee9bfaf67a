"""Heartbeats of runs in `sync_workers`: the worker process of each run, and its last heartbeat.

They are not in `sync_runs`, because the transaction that writes the customers locks that row.
"""

from dataclasses import dataclass

from intercom_sync.domain.identifiers import RunId
from intercom_sync.warehouse.postgres.session import Session


@dataclass(frozen=True)
class Heartbeat:
    """The liveness of a run's worker process.

    Attributes:
        run_id: the run.
        is_open: whether its status in `sync_runs` is started.
        worker: its process, as text; None if not recorded.
        silent_seconds: time since its last heartbeat by the database's clock, or since the database started: while the
            database is down no process can write a heartbeat.
    """

    run_id: RunId
    is_open: bool
    worker: str | None
    silent_seconds: float


def record_worker(session: Session, run_id: RunId, worker: str) -> None:
    """Upsert the worker process of a run, with a heartbeat."""
    with session.transaction():
        session.execute(
            "INSERT INTO sync_workers (run_id, worker, heartbeat_at) VALUES ($1, $2, clock_timestamp()) "
            "ON CONFLICT (run_id) DO UPDATE SET worker = EXCLUDED.worker, heartbeat_at = EXCLUDED.heartbeat_at",
            run_id,
            worker,
        )


def beat(session: Session, run_id: RunId) -> bool:
    """Write a run's heartbeat; return whether the run is still open."""
    with session.transaction():
        renewed = "UPDATE sync_workers SET heartbeat_at = clock_timestamp() WHERE run_id = $1 RETURNING 1"
        is_open = "SELECT EXISTS (SELECT FROM sync_runs WHERE run_id = $1 AND status = 'started')"
        return session.value(renewed, run_id) is not None and bool(session.value(is_open, run_id))


def heartbeats(session: Session) -> dict[str, Heartbeat]:
    """Return the liveness of runs that are open or have a heartbeat of the last day; delete older heartbeats."""
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
    return {row["run_id"]: Heartbeat(**row) for row in rows}
