"""`sync_stream_stats`: what each reading brought of contacts and conversations, for the checks to judge, also later.

How readings go on and end is the business of `readings`; what is right and wrong, of `domain.reconciliation`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime

import polars as pl

from intercom_sync.domain.reconciliation import StreamStats
from intercom_sync.domain.schema import tables
from intercom_sync.warehouse.postgres.frames import column_list, frame_of
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state.runs import FULL

_COLUMNS = tables.SYNC_STREAM_STATS.names
_ADDED = ("deleted", "parts_failed", "ignored_ratings", "late_arrivals", "scan_misses")
_KEPT = ("total", "matched")
_LATEST = ("run_id", "records_seen", "rejected", "without_email", "rows_after")
_IDS_KEPT = 100
_HISTORY = 500
_NOTE = (
    f"INSERT INTO sync_stream_stats AS old ({column_list(_COLUMNS)}) SELECT {column_list(_COLUMNS)} FROM noted_stream "
    "ON CONFLICT (extraction_id, kind) DO UPDATE SET "
    + ", ".join(f"{c} = EXCLUDED.{c}" for c in _LATEST)
    + "".join(f", {c} = COALESCE(EXCLUDED.{c}, old.{c})" for c in _KEPT)
    + "".join(f", {c} = COALESCE(old.{c}, 0) + EXCLUDED.{c}" for c in _ADDED)
)
_MET = (
    "SELECT count(*) AS records_seen, count(r.id) AS rejected, {without_email} AS without_email "
    "FROM sync_seen_ids s LEFT JOIN rejected_records r ON r.kind = s.kind AND r.id = s.id "
    "LEFT JOIN intercom_{kind}s l ON l.id = s.id WHERE s.extraction_id = $1 AND s.kind = '{kind}'"
)
_UNMAILED = "count(*) FILTER (WHERE l.id IS NOT NULL AND r.id IS NULL AND l.email_key IS NULL)"
_FOUND = (
    "INSERT INTO sync_stream_stats AS old (extraction_id, kind, run_id, {what}, {ids}) "
    f"SELECT $1, '{{kind}}', $2, count(*), (array_agg(f.id ORDER BY f.id))[:{_IDS_KEPT}] FROM full_found f {{news}}"
    "HAVING count(*) > 0 ON CONFLICT (extraction_id, kind) DO UPDATE SET "
    "{what} = COALESCE(old.{what}, 0) + EXCLUDED.{what}, "
    f"{{ids}} = (old.{{ids}} || EXCLUDED.{{ids}})[:{_IDS_KEPT}]"
)
_NEWS = (
    "LEFT JOIN intercom_{kind}s l ON l.id = f.id "
    "WHERE f.updated_at < $3 AND (l.id IS NULL OR l.updated_at < f.updated_at) "
)


def record_late_arrivals(
    session: Session, reading: str, run: str, *, kind: str, versions: Mapping[str, int], settled: datetime
) -> None:
    """Note which records that a full reading has found are news, though they changed before earlier syncs' end.

    Asked before they land; runs inside the caller's transaction.

    Args:
        session: the warehouse.
        reading: the reading.
        run: the run at it.
        kind: contact or conversation.
        versions: the records' `updated_at` by id.
        settled: the instant before which earlier syncs should have brought every change.
    """
    table = tables.INTERCOM_CONTACTS if kind == "contact" else tables.INTERCOM_CONVERSATIONS
    session.stage("full_found", frame_of(table, ("id", "updated_at"), versions.items()))
    session.execute(
        _FOUND.format(kind=kind, what="late_arrivals", ids="late_arrival_ids", news=_NEWS.format(kind=kind)),
        reading,
        run,
        settled,
    )


def record_scan_misses(session: Session, reading: str, run: str, ids: Iterable[str]) -> None:
    """Note which contacts a complete full reading did not bring, though they are there when asked for alone.

    Runs inside the caller's transaction.
    """
    session.stage("full_found", frame_of(tables.INTERCOM_CONTACTS, ("id",), [(one,) for one in ids]))
    session.execute(_FOUND.format(kind="contact", what="scan_misses", ids="scan_miss_ids", news=""), reading, run)


def record(session: Session, brought: StreamStats) -> None:
    """Note what a reading brought, beside what its earlier tries did; what it met and holds is counted here.

    Runs inside the caller's transaction, while the reading still stands.
    """
    kind = brought.kind
    query = _MET.format(kind=kind, without_email=_UNMAILED if kind == "contact" else "0::bigint")
    met = session.frame(query, brought.extraction_id).row(0, named=True)
    held = int(session.value(f"SELECT count(*) FROM intercom_{kind}s"))
    row = (
        asdict(brought)
        | met
        | {
            "rows_after": held,
            "late_arrival_ids": list(brought.late_arrival_ids),
            "scan_miss_ids": list(brought.scan_miss_ids),
        }
    )
    session.stage("noted_stream", frame_of(tables.SYNC_STREAM_STATS, _COLUMNS, [[row[c] for c in _COLUMNS]]))
    session.execute(_NOTE)


def count_matching(session: Session, kind: str, after: int, before: int) -> int:
    """Return how many records, usable or refused, are known whose version lies between two UNIX seconds, both included.

    The forgotten ones count too, and refused ones without a readable version: Intercom may have counted them.
    """
    bounds = "BETWEEN to_timestamp($1::bigint) AND to_timestamp($2::bigint)"
    return int(
        session.value(
            f"SELECT (SELECT count(*) FROM intercom_{kind}s WHERE updated_at {bounds}) + (SELECT count(*) "
            f"FROM rejected_records WHERE kind = '{kind}' AND (updated_at IS NULL OR updated_at {bounds})) + (SELECT "
            f"count(*) FROM suppression_list WHERE kind = '{kind}' AND updated_at {bounds} "
            f"AND NOT EXISTS (SELECT FROM intercom_{kind}s l WHERE l.id = identifier))",
            after,
            before,
        )
    )


def created_at_quantiles(session: Session, kind: str, most: int = 10, least: int = 300) -> list[int] | None:
    """Return the creation times, in epoch seconds, that part what has landed of a kind into equal shares.

    None when nothing has landed.

    Args:
        session: the database.
        kind: contact or conversation.
        most: shares at most.
        least: records of a share at least.
    """
    held = int(session.value(f"SELECT count(*) FROM intercom_{kind}s"))
    count = min(most, held // least)
    if count < 2:
        return [] if held else None
    parts = ", ".join(str(part / count) for part in range(1, count))
    found = session.frame(
        "SELECT extract(epoch FROM unnest(percentile_disc(ARRAY[" + parts + "]::float8[]) "
        f"WITHIN GROUP (ORDER BY created_at)))::bigint AS at FROM intercom_{kind}s"
    )
    return [at for at in found["at"] if at is not None]


def stats_for_run(session: Session, run: str, kind: str) -> tuple[StreamStats, bool] | None:
    """Return what a run brought of a stream, and whether it read in full; of the newest run when this one read nothing.

    None when nothing was ever read.
    """
    found = _readings(session, kind, "ORDER BY (r.run_id = $1) DESC, r.started_at DESC LIMIT 1", run)
    return (found[0][0], found[0][1] == FULL) if found else None


def since_success(session: Session, judged: StreamStats) -> tuple[list[StreamStats], int | None]:
    """Return the readings since the last sync that succeeded before the judged one, and what was held after that."""
    up_to = (
        "WHERE r.started_at <= (SELECT started_at FROM sync_runs WHERE run_id = $1) "
        f"ORDER BY r.started_at DESC LIMIT {_HISTORY}"
    )
    since: list[StreamStats] = []
    for one, _, status in _readings(session, judged.kind, up_to, judged.run_id):
        if since and status == "succeeded":
            return since[::-1], one.rows_after
        since.append(one)
    return since[::-1], None


def _readings(session: Session, kind: str, rest: str, *values: object) -> list[tuple[StreamStats, str, str]]:
    found = session.frame(
        f"SELECT {column_list(_COLUMNS, 's.')}, r.mode, r.status FROM (SELECT * FROM sync_stream_stats "
        f"WHERE kind = '{kind}' AND rows_after IS NOT NULL) s JOIN sync_runs r ON r.run_id = s.run_id {rest}",
        *values,
    ).with_columns(pl.col("late_arrival_ids", "scan_miss_ids").fill_null([]), pl.col("scan_misses").fill_null(0))
    return [
        (StreamStats(**{c: row[c] for c in _COLUMNS}), row["mode"], row["status"])
        for row in found.iter_rows(named=True)
    ]
