"""Upsert the staged `customer_rows` into `unified_customers`: release moving ids, update, insert.

`INSERT … ON CONFLICT` does not work for existing rows: Postgres checks required columns before it detects the conflict,
and tables of other systems have required columns of their own. Existing and new rows are numbered separately, each in
the order of their emails. An unchanged column is not written, because another system's number may have more decimals
than ours.
"""

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from intercom_sync.domain.customers import DATA, KEY
from intercom_sync.warehouse.marts.row_rejections import (
    prepare_rejections,
    record_skipped,
    rejected_rows,
    unique_columns,
    write_guarded,
)
from intercom_sync.warehouse.postgres.frames import column_list
from intercom_sync.warehouse.postgres.session import Session, analyze
from intercom_sync.warehouse.schema.column_types import IDS, ColumnType

_UPDATE, _TOUCH, _INSERT = "update_customers", "touch_customers", "insert_customers"
_FIRST_NEW = 10**12  # new rows are numbered from here
_STAGED = "s.n BETWEEN low AND high AND lower(u.email) = s.email_key"
# A row releases an id when it becomes deleted or gets another id. If two rows keep the same id, the table rejects one.
_MOVING = """
INSERT INTO moving_ids SELECT row_number() OVER (), '{id}', email_key, value FROM (
    SELECT DISTINCT lower(h.email) AS email_key, CAST(h.{id} AS text) AS value
    FROM customer_rows t JOIN unified_customers h ON CAST(h.{id} AS text) = t.{id}
    LEFT JOIN customer_rows s ON s.email_key = lower(h.email)
    WHERE t.changed AND NOT t.same_{id} AND lower(h.email) <> t.email_key
    AND CASE WHEN s.changed THEN NOT s.same_{id} OR s.intercom_deleted_at IS NOT NULL
        ELSE h.intercom_deleted_at IS NOT NULL END
) m
"""
_RELEASE = (
    "UPDATE unified_customers u SET {id} = NULL FROM moving_ids m "
    "WHERE m.id = '{id}' AND m.n BETWEEN low AND high AND lower(u.email) = m.email_key"
)
# When the table rejects the row that would get an id, the previous row gets the id back.
_RESTORE = (
    "UPDATE unified_customers u SET {id} = {value} FROM moving_ids m LEFT JOIN customer_rows s "
    "ON s.email_key = m.email_key WHERE m.id = '{id}' AND m.n BETWEEN low AND high AND lower(u.email) = m.email_key "
    "AND u.{id} IS NULL AND (s.changed IS NOT TRUE OR s.same_{id} OR EXISTS (SELECT FROM row_refusals f "
    f"WHERE f.n = s.n AND f.step IN ('{_UPDATE}', '{_TOUCH}'))) "
    "AND NOT EXISTS (SELECT FROM unified_customers o WHERE CAST(o.{id} AS text) = m.value)"
)


def stage_rows(session: Session, rows: pl.DataFrame, existing: int, new: int) -> tuple[int, int]:
    """Stage the rows to write: those that changed, were read, or have a last sync later than now.

    Args:
        session: the session of the transaction.
        rows: rows of `domain.customers.CustomerRows`.
        existing: number of existing rows staged before.
        new: number of new rows staged before.

    Returns:
        The numbers of existing and of new rows staged so far.
    """
    to_write = rows.filter(pl.any_horizontal("changed", "read", "synced_later"))
    existed, existing_rank = pl.col("existed"), pl.col("existed").cast(pl.Int64).cum_sum()
    new_rank = pl.int_range(1, pl.len() + 1) - existing_rank
    same = [(existed & pl.col(c).eq_missing(pl.col(f"current_{c}"))).alias(f"same_{c}") for c in DATA if c != "email"]
    number = pl.when(existed).then(existing + existing_rank).otherwise(_FIRST_NEW + new + new_rank)
    session.append_staged(
        "customer_rows",
        to_write.select(
            number.alias("n"), KEY, "existed", "changed", "read",
            pl.col("next_intercom_contact_id").alias("contact_id"), *DATA, *same, existed.alias("same_email"),
        ),
    )  # fmt: skip
    count = int(to_write["existed"].sum())
    return existing + count, new + to_write.height - count


def write_rows(
    session: Session, columns: Mapping[str, ColumnType], existing: int, new: int, now: datetime
) -> pl.DataFrame:
    """Write the staged rows.

    Args:
        session: the session of the transaction.
        columns: the column types of `unified_customers`.
        existing: number of staged existing rows.
        new: number of staged new rows.
        now: the time of the sync.

    Returns:
        The rows that the table rejects, as `row_rejections.rejected_rows` returns them.
    """
    session.execute("CREATE INDEX ON customer_rows (n)")
    session.execute("CREATE INDEX ON customer_rows (email_key)")
    analyze(session, "customer_rows (n, email_key, existed, changed)", "last_written (email_key)", rows=existing + new)
    prepare_rejections(session, columns)
    released = _release_moving_ids(session, columns, now)
    write_guarded(session, _UPDATE, _update(columns), 1, existing, now)
    write_guarded(session, _TOUCH, _touch(columns), 1, existing, now)
    write_guarded(session, _INSERT, _insert(columns), _FIRST_NEW + 1, _FIRST_NEW + new, now)
    record_skipped(session, _unwritten(columns, now))
    rejected = rejected_rows(session, columns, _UPDATE, _TOUCH, _INSERT)
    if not rejected.is_empty():
        for id, count in released.items():
            restore = _RESTORE.format(id=id, value=columns[id].cast("m.value"))
            write_guarded(session, f"return_{id}", restore, 1, count, now)
    return rejected


def _release_moving_ids(session: Session, columns: Mapping[str, ColumnType], now: datetime) -> dict[str, int]:
    """Set unique ids to null in the rows that they move away from.

    Returns:
        The number of released ids by column.
    """
    session.execute("DROP TABLE IF EXISTS pg_temp.moving_ids")
    session.execute("CREATE TEMP TABLE moving_ids (n bigint, id text, email_key text, value text)")
    unique = unique_columns(session)
    released = {}
    for id in IDS:
        if id in unique and not columns[id].required:
            session.execute(_MOVING.format(id=id))
            released[id] = int(session.value(f"SELECT count(*) FROM moving_ids WHERE id = '{id}'"))
            write_guarded(session, f"leave_{id}", _RELEASE.format(id=id), 1, released[id], now)
    return released


def _update(columns: Mapping[str, ColumnType]) -> str:
    assignments = (
        f"{c} = CASE WHEN s.same_{c} THEN u.{c} ELSE {columns[c].cast(f's.{c}')} END" for c in DATA if c != "email"
    )
    return (
        f"UPDATE unified_customers u SET {', '.join(assignments)}, last_intercom_sync = {_instant(columns)} "
        f"FROM customer_rows s WHERE s.changed AND {_STAGED}"
    )


def _touch(columns: Mapping[str, ColumnType]) -> str:
    return (
        f"UPDATE unified_customers u SET last_intercom_sync = {_instant(columns)} "
        f"FROM customer_rows s WHERE NOT s.changed AND {_STAGED}"
    )


def _insert(columns: Mapping[str, ColumnType]) -> str:
    values = ", ".join(columns[c].cast(f"s.{c}") for c in DATA)
    return (
        f"INSERT INTO unified_customers ({column_list(DATA)}, last_intercom_sync) SELECT {values}, {_instant(columns)} "
        "FROM customer_rows s WHERE s.n BETWEEN low AND high ORDER BY s.email_key"
    )


def _instant(columns: Mapping[str, ColumnType]) -> str:
    return columns["last_intercom_sync"].cast("instant")


def _unwritten(columns: Mapping[str, ColumnType], now: datetime) -> str:
    if not columns["last_intercom_sync"].keeps_all:
        return "u.email IS NULL"
    return f"(u.email IS NULL OR u.last_intercom_sync IS DISTINCT FROM timestamptz '{now.isoformat()}')"
