"""Column types of `unified_customers` in the database, where another system may have created the table.

Per column: whether the sync can write it, how its values are read in our type, and how our values are cast to its
type. A sync and the doctor reject unwritable columns here, before anything is fetched from Intercom.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from intercom_sync.domain.schema.columns import Type
from intercom_sync.domain.schema.tables import UNIFIED_CUSTOMERS
from intercom_sync.warehouse.postgres.session import Session, quoted

IDS = ("intercom_contact_id", "external_id", "stripe_customer_id")
"""Columns that identify a customer in other systems; their values can move from one row to another."""
NEVER_CUT = ("email", *IDS, "subscription_status", "currency")
"""Columns whose value would be wrong if truncated."""

_OURS = {column.name: column.type for column in UNIFIED_CUSTOMERS.columns}
_TEXT, _ENUM = "text", "enum"
_INTEGERS = {"smallint", "integer", "bigint"}
_NUMBERS = {*_INTEGERS, "numeric", "real", "double precision"}
_MAY_BE = {
    Type.TEXT: {_TEXT, _ENUM, "uuid", *_INTEGERS, "numeric"},
    Type.NUMERIC: {_TEXT, "money", *_NUMBERS},
    Type.INTEGER: {_TEXT, "money", *_NUMBERS},
    Type.BOOLEAN: {_TEXT, "boolean", *_NUMBERS},
    Type.TIMESTAMP: {_TEXT, "date", "timestamp without time zone", "timestamp with time zone"},
}
_LARGEST = "9" * 32
_KINDS = {
    "v": "a view",
    "m": "a materialized view",
    "p": "a partitioned table",
    "f": "a foreign table",
    "i": "an index",
    "S": "a sequence",
    "c": "a composite type",
}
_RELATION = "SELECT relkind::text FROM pg_class WHERE oid = to_regclass($1)"
# For a domain: its base type and that type's length. For any other type: the column's own length.
_COLUMNS = """
WITH RECURSIVE kinds AS (
    SELECT attnum, atttypid AS type, atttypmod AS length FROM pg_attribute
    WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT k.attnum, t.typbasetype, t.typtypmod FROM kinds k JOIN pg_type t ON t.oid = k.type WHERE t.typtype = 'd'
)
SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS shown, format_type(b.oid, -1) AS bare,
    CASE WHEN b.typtype = 'e' THEN 'enum' WHEN b.typcategory = 'S' AND b.typname <> 'name' THEN 'text'
        ELSE format_type(b.oid, -1) END AS kind,
    CASE WHEN b.typcategory = 'S' AND k.length >= 4 THEN k.length - 4 END AS most, a.attgenerated <> '' AS generated,
    a.attidentity <> '' AS identity, a.attnotnull AS required, pg_get_expr(d.adbin, d.adrelid) AS fallback
FROM kinds k JOIN pg_attribute a ON a.attrelid = to_regclass($1) AND a.attnum = k.attnum
JOIN pg_type b ON b.oid = k.type AND b.typtype <> 'd'
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = ''
ORDER BY a.attnum
"""


@dataclass(frozen=True)
class ColumnType:
    """One of our columns as the database has it.

    Attributes:
        name: the column.
        shown: its type as PostgreSQL writes it.
        bare: that type, or the base type of a domain, without a length.
        kind: `text` for every type that holds text, `enum`, else the same as `bare`.
        most: the maximum number of characters of a text; None without a limit.
        generated: whether it is a generated column.
        identity: whether it is an identity column.
        required: whether it is NOT NULL.
        fallback: its default as SQL; None without one.
    """

    name: str
    shown: str
    bare: str
    kind: str
    most: int | None = None
    generated: bool = False
    identity: bool = False
    required: bool = False
    fallback: str | None = None

    @property
    def ours(self) -> Type:
        """The type of our values."""
        return _OURS[self.name]

    @property
    def keeps_all(self) -> bool:
        """Whether the column stores each of our values unchanged."""
        if self.ours is Type.TEXT:
            return self.kind == _TEXT and self.shown == self.bare != "bpchar"
        return self.shown == self.bare == _FULL_NAMES.get(self.ours, self.ours)

    @property
    def read_as(self) -> Type:
        """The type that `read` returns: numbers come as text, and so do timestamps stored in a text column."""
        return Type.TEXT if self.ours is Type.NUMERIC or self._is_timestamp_text else self.ours

    @property
    def _is_timestamp_text(self) -> bool:
        return self.ours is Type.TIMESTAMP and self.kind == _TEXT

    def read(self, prefix: str = "") -> str:
        """Return SQL that reads the column for `parsed`; null where we cannot represent the value (NaN, infinity)."""
        return self.readable(f"{prefix}{self.name}")

    def readable(self, value: str) -> str:
        """Return SQL that reads a value of the column's type for `parsed`."""
        if self.ours is Type.NUMERIC:
            return f"CAST(round({self.number(value)}, 6) AS text)"
        if self.ours is Type.TEXT or self._is_timestamp_text:
            return f"CAST({value} AS text)"
        if self.ours is Type.TIMESTAMP:
            return self._time(value)
        if self.ours is Type.INTEGER:
            number = self.number(value)
            return f"CASE WHEN {number} BETWEEN -2147483648 AND 2147483647 THEN CAST({number} AS integer) END"
        if self.kind == _TEXT:
            word = f"lower(btrim(CAST({value} AS text)))"
            return f"CASE WHEN {word} IN ({_YES}) THEN TRUE WHEN {word} IN ({_NO}) THEN FALSE END"
        return value if self.kind == "boolean" else f"{self.number(value)} <> 0"

    def number(self, value: str) -> str:
        """Return SQL that reads a value of the column's type as a number; null where we cannot represent it."""
        number = f"CAST({value} AS numeric)"
        if self.kind == _TEXT:
            return f"CASE WHEN CAST({value} AS text) ~ '{_NUMBER}' THEN CAST(CAST({value} AS text) AS numeric) END"
        return f"CASE WHEN {number} BETWEEN -{_LARGEST} AND {_LARGEST} THEN {number} END"

    def _time(self, value: str) -> str:
        if self.name == "intercom_deleted_at":
            # Only whether a time is set matters, so out-of-range times are clamped.
            value = f"CASE WHEN {value} IS NOT NULL THEN LEAST(GREATEST({value}, '0001-01-01'), '9999-12-30') END"
            return f"CAST({value} AS timestamptz)"
        is_ours = f"{value} >= '0001-01-01' AND {value} < '9999-12-31'"
        return f"CASE WHEN {is_ours} THEN CAST({value} AS timestamptz) END"

    def cast(self, value: str) -> str:
        """Return SQL that casts our value for assignment to the column; the assignment refuses too long texts."""
        value = f"CAST({value} AS {self.ours})"
        if self.kind == _TEXT and self.ours is Type.BOOLEAN and self.most and self.most < len("false"):
            return f"left(CAST({value} AS text), 1)"
        if self.kind == _TEXT:
            return f"CAST({f'trim_scale({value})' if self.ours is Type.NUMERIC else value} AS text)"
        if self.ours is Type.BOOLEAN and self.kind in _NUMBERS:
            value = f"CAST({value} AS integer)"
        return value if self.bare == _FULL_NAMES.get(self.ours, self.ours) else f"CAST({value} AS {self.bare})"


_FULL_NAMES = {Type.TIMESTAMP: "timestamp with time zone"}
_YES, _NO = "'true', 't', 'yes', 'y', 'on', '1'", "'false', 'f', 'no', 'n', 'off', '0'"
_NUMBER = r"^\s*[-+]?([0-9]{1,32}(\.[0-9]*)?|\.[0-9]+)\s*$"


def _instant(text: pl.Expr) -> pl.Expr:
    """Parse a timestamp as PostgreSQL writes it in UTC, or a date."""
    formats = ("%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d")
    return pl.coalesce(text.str.to_datetime(f, time_unit="us", time_zone="UTC", strict=False) for f in formats)


def column_types(session: Session) -> dict[str, ColumnType]:
    """Return the database's types of our columns, by name; empty without a table."""
    return {one.name: one for one in _columns(session, "unified_customers") if one.name in _OURS}


def reads(columns: Mapping[str, ColumnType], prefix: str = "", *names: str) -> str:
    """Return a select list of our columns, all or the named ones, for `parsed`."""
    return ", ".join(f"{one.read(prefix)} AS {one.name}" for one in columns.values() if not names or one.name in names)


def parsed(frame: pl.DataFrame, columns: Mapping[str, ColumnType]) -> pl.DataFrame:
    """Return a frame selected by `reads` in our types; a text that is not a timestamp becomes null."""
    return frame.with_columns(
        (_instant(pl.col(name)) if one.ours is Type.TIMESTAMP else pl.col(name).str.to_decimal(scale=6))
        .cast(one.ours.frame)
        .alias(name)
        for name, one in columns.items()
        if name in frame.columns and one.read_as is not one.ours
    )


def unwritable_reasons(session: Session, schema: str) -> list[str]:
    """Return one sentence per reason why the sync cannot write to `unified_customers` in a schema."""
    table = f"{quoted(schema)}.unified_customers"
    kind = session.value(_RELATION, table)
    if kind is None:
        return []
    if kind != "r":
        return [
            f"{schema}.unified_customers is {_KINDS.get(kind, 'not a table')}, but the sync needs an ordinary table: "
            "rename it, or set INTERCOM_SYNC_SCHEMA to another schema."
        ]
    columns = list(_columns(session, table))
    unwritable = (reason for column in columns if column.name in _OURS for reason in _unwritable(column))
    return [*_misspelled({column.name for column in columns}), *unwritable]


def _columns(session: Session, table: str) -> Iterable[ColumnType]:
    return (ColumnType(**row) for row in session.frame(_COLUMNS, table).iter_rows(named=True))


def _misspelled(names: set[str]) -> list[str]:
    """Report an email column in another case; the sync would add a second one and duplicate every customer."""
    variants = sorted(name for name in names if name.lower() == "email")
    if not variants or "email" in names:
        return []
    return [
        f"unified_customers has a column {quoted(variants[0])} and the sync writes to email: rename it "
        f"(ALTER TABLE unified_customers RENAME COLUMN {quoted(variants[0])} TO email)."
    ]


def _unwritable(one: ColumnType) -> list[str]:
    column = f"The column {one.name} of unified_customers"
    elsewhere = "or set INTERCOM_SYNC_SCHEMA to another schema."
    if one.generated:
        return [
            f"{column} ({one.shown}) is generated, and the sync writes it: ALTER TABLE unified_customers "
            f"ALTER COLUMN {one.name} DROP EXPRESSION (or drop the column), {elsewhere}"
        ]
    if one.identity:
        return [
            f"{column} ({one.shown}) is an identity column, and the sync writes it: ALTER TABLE unified_customers "
            f"ALTER COLUMN {one.name} DROP IDENTITY, {elsewhere}"
        ]
    if one.kind not in _MAY_BE[one.ours] or (one.name == "email" and one.kind != _TEXT):
        name = _FULL_NAMES.get(one.ours, one.ours)
        return [f"{column} is of type {one.shown}, and the sync writes {name}: change its type to {name}, {elsewhere}"]
    return []
