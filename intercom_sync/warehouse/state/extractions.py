"""Resumable extractions: seen ids and shard checkpoints.

An extraction covers the full workspace or one window. Its seen ids tell which contacts a run fetched and, after a
complete full scan, which records Intercom no longer has. Its checkpoints let the next attempt resume where a killed one
stopped. It is deleted when the run has published its customers. A run holds an `ExtractionLease` on its extraction, so
a later run can take over the extraction of a dead run, but not that of a living one.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from types import TracebackType
from typing import Any, Self

import polars as pl

from intercom_sync.domain.identifiers import ExtractionId, RunId
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.sync_summary import ContactCounts
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state.runs import REFRESH, SyncRun

_ALL_DONE = ""
_NUMBERED = "#"
_TOO_OLD = "interval '1 day'"
_LOCK = "pg_try_advisory_lock(hashtext('intercom_sync.reading'), hashtext(extraction_id))"
_IS_FREE = _LOCK.replace("_lock(", "_xact_lock(")  # locks until the transaction ends


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
        """Release the extraction."""
        self.release()

    def acquire(self, run: SyncRun) -> ExtractionId:
        """Acquire the extraction of a run: one of the same scope that a dead run left, or a new one; return its id.

        Releases an extraction acquired before. Extractions that started more than a day ago are deleted: records that
        they have seen may be gone from Intercom by now.
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


def _take_over_or_start(session: Session, run: SyncRun) -> ExtractionId:
    with session.transaction():
        # A start in the future was recorded while the database's clock was ahead, so the true start is unknown.
        session.execute(
            "DELETE FROM sync_extractions WHERE NOT started_at BETWEEN clock_timestamp() - "
            f"{_TOO_OLD} AND clock_timestamp() AND {_IS_FREE}"
        )
        for orphaned in ("sync_checkpoints", "sync_seen_ids"):
            session.execute(
                f"DELETE FROM {orphaned} o WHERE extraction_id NOT IN (SELECT extraction_id FROM sync_extractions)"
            )
        candidates = session.frame(
            "SELECT extraction_id FROM sync_extractions WHERE scope = $1 ORDER BY started_at", run.scope
        )
        taken_over = next((one for one in candidates["extraction_id"] if _take_over(session, one, run)), None)
        return taken_over or _start(session, run)


def _take_over(session: Session, extraction_id: ExtractionId, run: SyncRun) -> bool:
    """Try to take over an extraction; return False if a living run holds it, or has finished it in the meantime."""
    take_over = "UPDATE sync_extractions SET run_id = $2 WHERE extraction_id = $1 RETURNING 1"
    return _try_lock(session, extraction_id) and session.value(take_over, extraction_id, run.id) is not None


def _start(session: Session, run: SyncRun) -> ExtractionId:
    """Start an extraction named after its run, with a number if another run took over an earlier one of this run."""
    insert = (
        "INSERT INTO sync_extractions (extraction_id, scope, run_id) VALUES ($1, $2, $3) "
        "ON CONFLICT DO NOTHING RETURNING 1"
    )
    names = (ExtractionId(run.id if number == 1 else f"{run.id}{_NUMBERED}{number}") for number in count(1))
    return next(
        name
        for name in names
        if _try_lock(session, name) and session.value(insert, name, run.scope, run.id) is not None
    )


def started_by(extraction_id: ExtractionId) -> RunId:
    """Return the id of the run that started an extraction."""
    return RunId(extraction_id.partition(_NUMBERED)[0])


def _try_lock(session: Session, extraction_id: ExtractionId) -> bool:
    return bool(session.value(f"SELECT {_LOCK} FROM (SELECT $1::text AS extraction_id) e", extraction_id))


def extraction_of_run(session: Session, run_id: RunId) -> ExtractionId:
    """Return the id of a run's extraction, or the run's id if it extracted nothing."""
    found = session.value("SELECT extraction_id FROM sync_extractions WHERE run_id = $1", run_id)
    return ExtractionId(found or run_id)


def started_at(session: Session, extraction_id: ExtractionId) -> datetime | None:
    """Return the instant of the run that started an extraction; None if unknown or without such a run.

    The start of a run whose clock was ahead is unknown, so that run covers nothing.
    """
    started: datetime | None = session.value(
        f"SELECT LEAST(as_of, started_at, earliest_now) FROM sync_runs WHERE run_id = $1 AND mode <> '{REFRESH}'",
        started_by(extraction_id),
    )
    return started


def record_seen_ids(session: Session, extraction_id: ExtractionId, kind: RecordKind, ids: Iterable[str]) -> None:
    """Record ids that an extraction has seen; idempotent. Runs inside the caller's transaction."""
    session.stage("reading_ids", pl.DataFrame({"id": list(ids)}, schema={"id": pl.String}))
    session.execute(
        "INSERT INTO sync_seen_ids (extraction_id, kind, id) SELECT DISTINCT $1, $2, id FROM reading_ids "
        "ON CONFLICT DO NOTHING",
        extraction_id,
        kind,
    )


def count_ids(session: Session, extraction_id: ExtractionId, kind: RecordKind) -> int:
    """Return how many distinct records of a kind an extraction has seen. Runs inside the caller's transaction."""
    return int(
        session.value("SELECT count(*) FROM sync_seen_ids WHERE extraction_id = $1 AND kind = $2", extraction_id, kind)
    )


def some_ids(session: Session, extraction_id: ExtractionId, kind: RecordKind, most: int = 3) -> list[str]:
    """Return a few ids of a kind that an extraction has seen. Runs inside the caller's transaction."""
    found = session.frame(
        f"SELECT id FROM sync_seen_ids WHERE extraction_id = $1 AND kind = $2 LIMIT {most}", extraction_id, kind
    )
    return list(found["id"])


def record_checkpoint(
    session: Session, extraction_id: ExtractionId, kind: RecordKind, state: Mapping[str, Any]
) -> None:
    """Upsert the checkpoint of one shard cursor. Runs inside the caller's transaction."""
    session.execute(
        "INSERT INTO sync_checkpoints (extraction_id, kind, cursor, state) VALUES ($1, $2, $3, $4::text::json) "
        "ON CONFLICT (extraction_id, kind, cursor) DO UPDATE SET state = EXCLUDED.state",
        extraction_id,
        kind,
        state["walk"],
        json.dumps(state),
    )


def mark_stream_done(session: Session, extraction_id: ExtractionId, kind: RecordKind) -> None:
    """Record that a stream is fully extracted. Runs inside the caller's transaction."""
    record_checkpoint(session, extraction_id, kind, {"walk": _ALL_DONE})


def checkpoints(session: Session, extraction_id: ExtractionId, kind: RecordKind) -> list[dict[str, Any]]:
    """Return the checkpoints of an extraction's stream."""
    with session.transaction():
        found = session.frame(
            "SELECT state::text AS state FROM sync_checkpoints WHERE extraction_id = $1 AND kind = $2 ORDER BY cursor",
            extraction_id,
            kind,
        )
    return [json.loads(state) for state in found["state"]]


def is_done(checkpoints: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the checkpoints say that a stream is fully extracted."""
    return any(state["walk"] == _ALL_DONE for state in checkpoints)


def is_complete(session: Session, extraction_id: ExtractionId) -> bool:
    """Return whether both streams are fully extracted. Runs inside the caller's transaction."""
    return bool(
        session.value(
            f"SELECT count(*) = 2 FROM sync_checkpoints WHERE extraction_id = $1 AND cursor = '{_ALL_DONE}'",
            extraction_id,
        )
    )


def contact_counts(session: Session, extraction_id: ExtractionId, unwritten: int) -> ContactCounts:
    """Count the contacts that an extraction has seen by outcome; `unwritten` of their customers were rejected."""
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
        extraction_id,
    ).row(0, named=True)
    usable = int(row.pop("usable"))
    same_email = usable - row["customers"]
    return ContactCounts(
        **row | {"customers": row["customers"] - unwritten}, same_email=same_email, unwritten=unwritten
    )


def finish(session: Session, extraction_id: ExtractionId, run_id: RunId) -> None:
    """Delete a run's extraction, unless another run has taken it over. Runs inside the caller's transaction."""
    delete = "DELETE FROM sync_extractions WHERE extraction_id = $1 AND run_id = $2 RETURNING 1"
    if session.value(delete, extraction_id, run_id) is not None:
        for table in ("sync_seen_ids", "sync_checkpoints"):
            session.execute(f"DELETE FROM {table} WHERE extraction_id = $1", extraction_id)
