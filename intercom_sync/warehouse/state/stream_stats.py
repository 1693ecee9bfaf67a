"""`sync_stream_stats`: statistics of each extraction's streams (contacts, conversations), which the checks evaluate.

`extractions` manages extractions; `domain.reconciliation` decides what the statistics mean.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime

import polars as pl

from intercom_sync.domain.identifiers import ExtractionId, RunId
from intercom_sync.domain.reconciliation import StreamStats
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.schema import tables
from intercom_sync.warehouse.postgres.frames import column_list, frame_of
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state.runs import FULL

_COLUMNS = tables.SYNC_STREAM_STATS.names
_ADDED = ("deleted", "parts_failed", "ignored_ratings", "late_arrivals", "scan_misses")
_KEPT = ("total", "matched")
_LATEST = ("run_id", "records_seen", "rejected", "without_email", "rows_after")
_MAX_IDS = 100
_MAX_EXTRACTIONS = 500
_UPSERT = (
    f"INSERT INTO sync_stream_stats AS old ({column_list(_COLUMNS)}) SELECT {column_list(_COLUMNS)} FROM noted_stream "
    "ON CONFLICT (extraction_id, kind) DO UPDATE SET "
    + ", ".join(f"{c} = EXCLUDED.{c}" for c in _LATEST)
    + "".join(f", {c} = COALESCE(EXCLUDED.{c}, old.{c})" for c in _KEPT)
    + "".join(f", {c} = COALESCE(old.{c}, 0) + EXCLUDED.{c}" for c in _ADDED)
)
_SEEN_COUNTS = (
    "SELECT count(*) AS records_seen, count(r.id) AS rejected, {without_email} AS without_email "
    "FROM sync_seen_ids s LEFT JOIN rejected_records r ON r.kind = s.kind AND r.id = s.id "
    "LEFT JOIN {table} l ON l.id = s.id WHERE s.extraction_id = $1 AND s.kind = '{kind}'"
)
_WITHOUT_EMAIL = "count(*) FILTER (WHERE l.id IS NOT NULL AND r.id IS NULL AND l.email_key IS NULL)"
_ADD_FOUND = (
    "INSERT INTO sync_stream_stats AS old (extraction_id, kind, run_id, {count}, {ids}) "
    f"SELECT $1, '{{kind}}', $2, count(*), (array_agg(f.id ORDER BY f.id))[:{_MAX_IDS}] FROM full_found f {{filter}}"
    "HAVING count(*) > 0 ON CONFLICT (extraction_id, kind) DO UPDATE SET "
    "{count} = COALESCE(old.{count}, 0) + EXCLUDED.{count}, "
    f"{{ids}} = (old.{{ids}} || EXCLUDED.{{ids}})[:{_MAX_IDS}]"
)
_IS_LATE = (
    "LEFT JOIN {table} l ON l.id = f.id WHERE f.updated_at < $3 AND (l.id IS NULL OR l.updated_at < f.updated_at) "
)


def record_late_arrivals(
    session: Session,
    extraction_id: ExtractionId,
    run_id: RunId,
    *,
    kind: RecordKind,
    versions: Mapping[str, int],
    watermark: datetime,
) -> None:
    """Record late arrivals of a full scan: new versions older than the watermark, which earlier syncs missed.

    Call it before the records land. Runs inside the caller's transaction.

    Args:
        session: the warehouse.
        extraction_id: the extraction.
        run_id: the run that works on it.
        kind: contact or conversation.
        versions: the records' `updated_at` by id.
        watermark: the instant before which earlier syncs should have extracted every change.
    """
    is_late = _IS_LATE.format(table=kind.table.name)
    session.stage("full_found", frame_of(kind.table, {"id": versions.keys(), "updated_at": versions.values()}))
    session.execute(
        _ADD_FOUND.format(kind=kind, count="late_arrivals", ids="late_arrival_ids", filter=is_late),
        extraction_id,
        run_id,
        watermark,
    )


def record_scan_misses(session: Session, extraction_id: ExtractionId, run_id: RunId, ids: Iterable[str]) -> None:
    """Record scan misses: contacts that a complete full scan did not return, but a fetch by id did.

    Runs inside the caller's transaction.
    """
    session.stage("full_found", frame_of(tables.INTERCOM_CONTACTS, {"id": ids}))
    statement = _ADD_FOUND.format(kind=RecordKind.CONTACT, count="scan_misses", ids="scan_miss_ids", filter="")
    session.execute(statement, extraction_id, run_id)


def record(session: Session, stats: StreamStats) -> None:
    """Upsert a stream's statistics, added to those of the extraction's earlier attempts.

    Seen records and landed rows are counted here. Runs inside the caller's transaction, before the extraction is
    deleted.
    """
    kind = stats.kind
    without_email = _WITHOUT_EMAIL if kind is RecordKind.CONTACT else "0::bigint"
    query = _SEEN_COUNTS.format(kind=kind, table=kind.table.name, without_email=without_email)
    seen = session.frame(query, stats.extraction_id).row(0, named=True)
    rows_after = int(session.value(f"SELECT count(*) FROM {kind.table.name}"))
    row = (
        asdict(stats)
        | seen
        | {
            "rows_after": rows_after,
            "late_arrival_ids": list(stats.late_arrival_ids),
            "scan_miss_ids": list(stats.scan_miss_ids),
        }
    )
    session.stage("noted_stream", frame_of(tables.SYNC_STREAM_STATS, {c: (row[c],) for c in _COLUMNS}))
    session.execute(_UPSERT)


def count_matching(session: Session, kind: RecordKind, after: int, before: int) -> int:
    """Return how many stored records, landed or rejected, have a version between two UNIX seconds, both included.

    Counts also records on the suppression list, and rejected records without a readable version: Intercom's count may
    include them.
    """
    bounds = "BETWEEN to_timestamp($1::bigint) AND to_timestamp($2::bigint)"
    return int(
        session.value(
            f"SELECT (SELECT count(*) FROM {kind.table.name} WHERE updated_at {bounds}) + (SELECT count(*) "
            f"FROM rejected_records WHERE kind = '{kind}' AND (updated_at IS NULL OR updated_at {bounds})) + (SELECT "
            f"count(*) FROM suppression_list WHERE kind = '{kind}' AND updated_at {bounds} "
            f"AND NOT EXISTS (SELECT FROM {kind.table.name} l WHERE l.id = identifier))",
            after,
            before,
        )
    )


def created_at_quantiles(session: Session, kind: RecordKind, most: int = 10, least: int = 300) -> list[int] | None:
    """Return quantiles of the creation times of landed records, in UNIX seconds; None when nothing has landed.

    Args:
        session: the database.
        kind: contact or conversation.
        most: the maximum number of shares.
        least: the minimum number of records of a share.
    """
    rows = int(session.value(f"SELECT count(*) FROM {kind.table.name}"))
    shares = min(most, rows // least)
    if shares < 2:
        return [] if rows else None
    fractions = ", ".join(str(share / shares) for share in range(1, shares))
    found = session.frame(
        "SELECT extract(epoch FROM unnest(percentile_disc(ARRAY[" + fractions + "]::float8[]) "
        f"WITHIN GROUP (ORDER BY created_at)))::bigint AS at FROM {kind.table.name}"
    )
    return [at for at in found["at"] if at is not None]


def stats_for_run(session: Session, run_id: RunId, kind: RecordKind) -> tuple[StreamStats, bool] | None:
    """Return a stream's statistics for a run, and whether the run was full.

    For a run that extracted nothing, return those of the newest run; None without any.
    """
    found = _read_stats(session, kind, "ORDER BY (r.run_id = $1) DESC, r.started_at DESC LIMIT 1", run_id)
    return (found[0][0], found[0][1] == FULL) if found else None


def since_success(session: Session, stats: StreamStats) -> tuple[list[StreamStats], int | None]:
    """Return the statistics since the last successful sync before the given ones, and the row count after that sync."""
    up_to = (
        "WHERE r.started_at <= (SELECT started_at FROM sync_runs WHERE run_id = $1) "
        f"ORDER BY r.started_at DESC LIMIT {_MAX_EXTRACTIONS}"
    )
    since: list[StreamStats] = []
    for one, _, status in _read_stats(session, stats.kind, up_to, stats.run_id):
        if since and status == "succeeded":
            return since[::-1], one.rows_after
        since.append(one)
    return since[::-1], None


def _read_stats(session: Session, kind: RecordKind, rest: str, *values: object) -> list[tuple[StreamStats, str, str]]:
    found = session.frame(
        f"SELECT {column_list(_COLUMNS, 's.')}, r.mode, r.status FROM (SELECT * FROM sync_stream_stats "
        f"WHERE kind = '{kind}' AND rows_after IS NOT NULL) s JOIN sync_runs r ON r.run_id = s.run_id {rest}",
        *values,
    ).with_columns(pl.col("late_arrival_ids", "scan_miss_ids").fill_null([]), pl.col("scan_misses").fill_null(0))
    return [
        (StreamStats(**{c: row[c] for c in _COLUMNS} | {"kind": kind}), row["mode"], row["status"])
        for row in found.iter_rows(named=True)
    ]
