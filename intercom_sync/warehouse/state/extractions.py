"""Extractions in progress: which ids each has seen, and how far it has come.

An extraction is the full workspace or one window. Its ids say whose contact a run read and, when a full one is
complete, which records Intercom no longer has; its checkpoints let the next attempt resume where a killed one stopped.
It is dropped when the run has published its customers. A run that works on an extraction holds an `ExtractionLease`, so
a later run takes over the extraction of a dead run and never that of a living one.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from types import TracebackType
from typing import Any, Self

import polars as pl

from intercom_sync.domain.sync_summary import ContactCounts
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state.runs import REFRESH, SyncRun

_ALL_DONE = ""
_NUMBERED = "#"
_TOO_OLD = "interval '1 day'"
_LOCK = "pg_try_advisory_lock(hashtext('intercom_sync.reading'), hashtext(extraction_id))"
_UNHELD = _LOCK.replace("_lock(", "_xact_lock(")  # as long as the transaction lasts


class ExtractionLease:
    """The lease of one run on its extraction: an advisory lock, held by a connection of its own.

    The lock ends with `release`, with the context manager, or with the connection when the process dies.
    """

    def __init__(self, connect: Callable[[], Session]) -> None:
        self._connect = connect
        self._session: Session | None = None

    def __enter__(self) -> Self:
        """Return the lease."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release what is held."""
        self.release()

    def acquire(self, run: SyncRun) -> str:
        """Return the extraction of a run: one of the same scope that a dead run left, or a new one.

        An extraction held before is released. An extraction that a dead run left more than a day ago is dropped: the
        records it has seen may be deleted by now.
        """
        self.release()
        self._session = self._connect()
        return _take_over_or_start(self._session, run)

    def release(self) -> None:
        """Release the extraction, so that another run can take it over."""
        session, self._session = self._session, None
        if session:
            with session:
                session.release_advisory_locks()

    @contextmanager
    def release_on_error(self) -> Iterator[None]:
        """Release the extraction when the block fails, so that the next attempt can take it over."""
        try:
            yield
        except BaseException:
            self.release()
            raise


def _take_over_or_start(session: Session, run: SyncRun) -> str:
    with session.transaction():
        # One that began in the future did so when the database's clock was ahead, at an unknown time.
        session.execute(
            "DELETE FROM sync_extractions WHERE NOT started_at BETWEEN clock_timestamp() - "
            f"{_TOO_OLD} AND clock_timestamp() AND {_UNHELD}"
        )
        for orphaned in ("sync_checkpoints", "sync_seen_ids"):
            session.execute(
                f"DELETE FROM {orphaned} o WHERE extraction_id NOT IN (SELECT extraction_id FROM sync_extractions)"
            )
        left = session.frame(
            "SELECT extraction_id FROM sync_extractions WHERE scope = $1 ORDER BY started_at", run.scope
        )
        taken = next((one for one in left["extraction_id"] if _taken_over_by(session, one, run)), None)
        return taken or _start(session, run)


def _taken_over_by(session: Session, reading: str, run: SyncRun) -> bool:
    """Take a reading over, unless a living run is at it, or has brought it to its end since it was found."""
    taken = "UPDATE sync_extractions SET run_id = $2 WHERE extraction_id = $1 RETURNING 1"
    return _locked(session, reading) and session.value(taken, reading, run.id) is not None


def _start(session: Session, run: SyncRun) -> str:
    """Begin a reading, named after its run; with a number where another run has taken over what this one began."""
    begin = (
        "INSERT INTO sync_extractions (extraction_id, scope, run_id) VALUES ($1, $2, $3) "
        "ON CONFLICT DO NOTHING RETURNING 1"
    )
    names = (run.id if number == 1 else f"{run.id}{_NUMBERED}{number}" for number in count(1))
    return next(
        name for name in names if _locked(session, name) and session.value(begin, name, run.scope, run.id) is not None
    )


def started_by(reading: str) -> str:
    """Return the run that began a reading."""
    return reading.partition(_NUMBERED)[0]


def _locked(session: Session, reading: str) -> bool:
    return bool(session.value(f"SELECT {_LOCK} FROM (SELECT $1::text AS extraction_id) e", reading))


def extraction_of_run(session: Session, run: str) -> str:
    """Return the reading that a run is at, or the run's own id when it read nothing."""
    return session.value("SELECT extraction_id FROM sync_extractions WHERE run_id = $1", run) or run


def started_at(session: Session, reading: str) -> datetime | None:
    """Return the instant of the run that began a reading, or None when there was none, or that is not known.

    A run whose clock was ahead covers nothing: when it began is not known.
    """
    began: datetime | None = session.value(
        f"SELECT LEAST(as_of, started_at, earliest_now) FROM sync_runs WHERE run_id = $1 AND mode <> '{REFRESH}'",
        started_by(reading),
    )
    return began


def record_seen_ids(session: Session, reading: str, kind: str, ids: Iterable[str]) -> None:
    """Note that a reading has met these ids; runs inside the caller's transaction."""
    session.stage("reading_ids", pl.DataFrame({"id": list(ids)}, schema={"id": pl.String}))
    session.execute(
        "INSERT INTO sync_seen_ids (extraction_id, kind, id) SELECT DISTINCT $1, $2, id FROM reading_ids "
        "ON CONFLICT DO NOTHING",
        reading,
        kind,
    )


def count_ids(session: Session, reading: str, kind: str) -> int:
    """Return how many records of a kind a reading has met, each counted once; in the caller's transaction."""
    return int(
        session.value("SELECT count(*) FROM sync_seen_ids WHERE extraction_id = $1 AND kind = $2", reading, kind)
    )


def some_ids(session: Session, reading: str, kind: str, most: int = 3) -> list[str]:
    """Return some records of a kind that a reading has met; in the caller's transaction."""
    found = session.frame(
        f"SELECT id FROM sync_seen_ids WHERE extraction_id = $1 AND kind = $2 LIMIT {most}", reading, kind
    )
    return list(found["id"])


def record_checkpoint(session: Session, reading: str, kind: str, mark: Mapping[str, Any]) -> None:
    """Note how far one walk of a reading has come; runs inside the caller's transaction."""
    session.execute(
        "INSERT INTO sync_checkpoints (extraction_id, kind, cursor, state) VALUES ($1, $2, $3, $4::text::json) "
        "ON CONFLICT (extraction_id, kind, cursor) DO UPDATE SET state = EXCLUDED.state",
        reading,
        kind,
        mark["walk"],
        json.dumps(mark),
    )


def mark_stream_done(session: Session, reading: str, kind: str) -> None:
    """Note that all of a kind has been read; runs inside the caller's transaction."""
    record_checkpoint(session, reading, kind, {"walk": _ALL_DONE})


def checkpoints(session: Session, reading: str, kind: str) -> list[dict[str, Any]]:
    """Return how far a reading has come."""
    with session.transaction():
        found = session.frame(
            "SELECT state::text AS state FROM sync_checkpoints WHERE extraction_id = $1 AND kind = $2 ORDER BY cursor",
            reading,
            kind,
        )
    return [json.loads(state) for state in found["state"]]


def is_done(checkpoints: Iterable[Mapping[str, Any]]) -> bool:
    """Whether an earlier try has read all of a kind."""
    return any(mark["walk"] == _ALL_DONE for mark in checkpoints)


def is_complete(session: Session, reading: str) -> bool:
    """Whether contacts and conversations have both been read to their end; runs inside the caller's transaction."""
    return bool(
        session.value(
            f"SELECT count(*) = 2 FROM sync_checkpoints WHERE extraction_id = $1 AND cursor = '{_ALL_DONE}'", reading
        )
    )


def contact_counts(session: Session, reading: str, unwritten: int) -> ContactCounts:
    """Return what became of the contacts that a reading met; `unwritten` customers of them were refused."""
    row = session.frame(
        "SELECT count(*) AS read, count(*) FILTER (WHERE state = 'rejected') AS rejected, "
        "count(*) FILTER (WHERE state = 'erased') AS erased, "
        "count(*) FILTER (WHERE state = 'without email') AS without_email, "
        "count(*) FILTER (WHERE state = 'usable') AS usable, "
        "count(DISTINCT email_key) FILTER (WHERE state = 'usable') AS customers FROM ("
        "SELECT c.email_key, CASE WHEN r.id IS NOT NULL THEN 'rejected' WHEN c.id IS NULL THEN 'erased' "
        "WHEN c.email_key IS NULL THEN 'without email' ELSE 'usable' END AS state "
        "FROM sync_seen_ids s LEFT JOIN intercom_contacts c ON c.id = s.id "
        "LEFT JOIN rejected_records r ON r.kind = 'contact' AND r.id = s.id "
        "WHERE s.extraction_id = $1 AND s.kind = 'contact') met",
        reading,
    ).row(0, named=True)
    usable = int(row.pop("usable"))
    same_email = usable - row["customers"]
    return ContactCounts(
        **row | {"customers": row["customers"] - unwritten}, same_email=same_email, unwritten=unwritten
    )


def finish(session: Session, reading: str, run: str) -> None:
    """Drop the reading of a run, unless another run has taken it over; runs inside the caller's transaction."""
    mine = "DELETE FROM sync_extractions WHERE extraction_id = $1 AND run_id = $2 RETURNING 1"
    if session.value(mine, reading, run) is not None:
        for table in ("sync_seen_ids", "sync_checkpoints"):
            session.execute(f"DELETE FROM {table} WHERE extraction_id = $1", reading)
