"""Write the staged `customer_rows` to `unified_customers`: ids that move leave first, then updates and new rows.

`INSERT … ON CONFLICT` would not do for the existing rows: Postgres checks a row's required columns before it sees the
conflict, and other systems' tables have required columns of their own. Rows that exist and new ones are numbered apart,
each in the order of their emails. A column whose value stays is not written: another system's number may have more
decimals than ours, and what we cannot represent must stay as it is.
"""

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from intercom_sync.domain.customers import DATA, KEY
from intercom_sync.warehouse.marts.row_rejections import (
    note_skipped,
    prepare_refusals,
    refused_rows,
    unique_columns,
    write_guarded,
)
from intercom_sync.warehouse.postgres.frames import column_list
from intercom_sync.warehouse.postgres.session import Session, analyze
from intercom_sync.warehouse.schema.column_types import IDS, ColumnType

_UPDATE, _TOUCH, _INSERT = "update_customers", "touch_customers", "insert_customers"
_NEW = 10**12  # where the numbers of new rows begin
_STAGED = "s.n BETWEEN low AND high AND lower(u.email) = s.email_key"
# A row gives up an id when it ends up deleted or with another one; of two that keep it, the table decides.
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
_LEAVE = (
    "UPDATE unified_customers u SET {id} = NULL FROM moving_ids m "
    "WHERE m.id = '{id}' AND m.n BETWEEN low AND high AND lower(u.email) = m.email_key"
)
# Where the row that was to take an id is refused, the one that had it keeps it.
_RETURN = (
    "UPDATE unified_customers u SET {id} = {value} FROM moving_ids m LEFT JOIN customer_rows s "
    "ON s.email_key = m.email_key WHERE m.id = '{id}' AND m.n BETWEEN low AND high AND lower(u.email) = m.email_key "
    "AND u.{id} IS NULL AND (s.changed IS NOT TRUE OR s.same_{id} OR EXISTS (SELECT FROM row_refusals f "
    f"WHERE f.n = s.n AND f.step IN ('{_UPDATE}', '{_TOUCH}'))) "
    "AND NOT EXISTS (SELECT FROM unified_customers o WHERE CAST(o.{id} AS text) = m.value)"
)


def stage_rows(session: Session, rows: pl.DataFrame, existing: int, new: int) -> tuple[int, int]:
    """Stage rows as `domain.customers` made them, those to be written; return how many of both there are.

    Those that differ, were read, or say that they were synced later than now.

    Args:
        session: where the transaction is.
        rows: of `domain.customers.CustomerRows`.
        existing: how many rows that exist have been staged.
        new: the same of new ones.
    """
    news = rows.filter(pl.any_horizontal("changed", "read", "synced_later"))
    existed, places = pl.col("existed"), pl.col("existed").cast(pl.Int64).cum_sum()
    others = pl.int_range(1, pl.len() + 1) - places
    same = [(existed & pl.col(c).eq_missing(pl.col(f"current_{c}"))).alias(f"same_{c}") for c in DATA if c != "email"]
    number = pl.when(existed).then(existing + places).otherwise(_NEW + new + others)
    session.append_staged(
        "customer_rows",
        news.select(
            number.alias("n"), KEY, "existed", "changed", "read",
            pl.col("next_intercom_contact_id").alias("contact_id"), *DATA, *same, existed.alias("same_email"),
        ),
    )  # fmt: skip
    before = int(news["existed"].sum())
    return existing + before, new + news.height - before


def write_rows(
    session: Session, columns: Mapping[str, ColumnType], existing: int, new: int, now: datetime
) -> pl.DataFrame:
    """Write the staged rows; return those that the table refuses, as `row_rejections.refused_rows`."""
    session.execute("CREATE INDEX ON customer_rows (n)")
    session.execute("CREATE INDEX ON customer_rows (email_key)")
    analyze(session, "customer_rows (n, email_key, existed, changed)", "last_written (email_key)", rows=existing + new)
    prepare_refusals(session, columns)
    moving = _let_ids_leave(session, columns, now)
    write_guarded(session, _UPDATE, _update(columns), 1, existing, now)
    write_guarded(session, _TOUCH, _touch(columns), 1, existing, now)
    write_guarded(session, _INSERT, _insert(columns), _NEW + 1, _NEW + new, now)
    note_skipped(session, _unwritten(columns, now))
    refused = refused_rows(session, columns, _UPDATE, _TOUCH, _INSERT)
    if not refused.is_empty():
        for id, count in moving.items():
            back = _RETURN.format(id=id, value=columns[id].cast("m.value"))
            write_guarded(session, f"return_{id}", back, 1, count, now)
    return refused


def _let_ids_leave(session: Session, columns: Mapping[str, ColumnType], now: datetime) -> dict[str, int]:
    """Empty the ids that move to another row, where the table wants them unique; return how many of each."""
    session.execute("DROP TABLE IF EXISTS pg_temp.moving_ids")
    session.execute("CREATE TEMP TABLE moving_ids (n bigint, id text, email_key text, value text)")
    unique = unique_columns(session)
    moving = {}
    for id in IDS:
        if id in unique and not columns[id].required:
            session.execute(_MOVING.format(id=id))
            moving[id] = int(session.value(f"SELECT count(*) FROM moving_ids WHERE id = '{id}'"))
            write_guarded(session, f"leave_{id}", _LEAVE.format(id=id), 1, moving[id], now)
    return moving


def _update(columns: Mapping[str, ColumnType]) -> str:
    kept = (f"{c} = CASE WHEN s.same_{c} THEN u.{c} ELSE {columns[c].cast(f's.{c}')} END" for c in DATA if c != "email")
    return (
        f"UPDATE unified_customers u SET {', '.join(kept)}, last_intercom_sync = {_instant(columns)} "
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
