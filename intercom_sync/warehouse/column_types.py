"""The columns of `unified_customers` as they are in the database, where other systems may have made the table.

Per column: whether the sync can write it, how its values are read in our type, and how ours are cast to its type. What
cannot be written at all is found here, before anything is read from Intercom; both a sync and doctor ask.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from intercom_sync.domain.schema import Type
from intercom_sync.domain.tables import UNIFIED_CUSTOMERS
from intercom_sync.warehouse.session import Session, quoted

IDS = ("email", "intercom_contact_id", "external_id", "stripe_customer_id")
"""Columns that identify somebody: their values are never cut."""

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
# Of a domain the type beneath it and its length; the length of any other type is the column's own.
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
        bare: that type, or the one beneath a domain, without a length.
        kind: `text` for every type that holds text, `enum`, else the same as `bare`.
        most: characters that a text may have; None without a limit.
        generated: whether the table computes it.
        identity: whether the table numbers it.
        required: whether it refuses null.
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
        """Whether the column keeps each of our values as it is."""
        if self.ours is Type.TEXT:
            return self.kind == _TEXT and self.shown == self.bare != "bpchar"
        return self.shown == self.bare == _FULL_NAMES.get(self.ours, self.ours)

    def read(self, prefix: str = "") -> str:
        """Return its value in our type as SQL; null where we cannot represent it. Numbers and parsed texts are text."""
        column = f"{prefix}{self.name}"
        if self.kind in {_TEXT, _ENUM} or self.ours is Type.TEXT:
            return f"CAST({column} AS text)"
        if self.ours is Type.TIMESTAMP:
            return (
                f"CASE WHEN {column} >= '0001-01-01' AND {column} < '9999-12-31' THEN CAST({column} AS timestamptz) END"
            )
        if self.kind == "boolean":
            return column
        number = f"CAST({column} AS numeric)"
        if self.ours is Type.BOOLEAN:
            return f"{number} <> 0"
        if self.ours is Type.INTEGER:
            return f"CASE WHEN {number} BETWEEN -2147483648 AND 2147483647 THEN CAST({number} AS integer) END"
        return f"CASE WHEN {number} BETWEEN -{_LARGEST} AND {_LARGEST} THEN {number}::text END"

    def cast(self, value: str) -> str:
        """Return a value of ours as SQL that the column takes by assignment, which refuses what is too long."""
        value = f"CAST({value} AS {self.ours})"
        if self.kind == _TEXT:
            return f"CAST({f'trim_scale({value})' if self.ours is Type.NUMERIC else value} AS text)"
        if self.ours is Type.BOOLEAN and self.kind in _NUMBERS:
            value = f"CAST({value} AS integer)"
        return value if self.bare == _FULL_NAMES.get(self.ours, self.ours) else f"CAST({value} AS {self.bare})"


_FULL_NAMES = {Type.TIMESTAMP: "timestamp with time zone"}


def column_types(session: Session) -> dict[str, ColumnType]:
    """Return our columns as the table has them, by name; empty where there is no table."""
    return {one.name: one for one in _columns(session, "unified_customers") if one.name in _OURS}


def unfit(session: Session, schema: str) -> list[str]:
    """Return a sentence for each reason why the sync cannot write to `unified_customers` of a schema."""
    table = f"{quoted(schema)}.unified_customers"
    kind = session.value(_RELATION, table)
    if kind is None:
        return []
    if kind != "r":
        return [
            f"{schema}.unified_customers is {_KINDS.get(kind, 'no table')}, and the sync writes to an ordinary table: "
            "rename it, or set INTERCOM_SYNC_SCHEMA to another schema."
        ]
    columns = list(_columns(session, table))
    return [*_misspelled({one.name for one in columns}), *(f for one in columns if one.name in _OURS for f in _no(one))]


def _columns(session: Session, table: str) -> Iterable[ColumnType]:
    return (ColumnType(**row) for row in session.frame(_COLUMNS, table).iter_rows(named=True))


def _misspelled(names: set[str]) -> list[str]:
    """Without this the sync would add an email of its own beside theirs, and make every customer a second time."""
    others = sorted(name for name in names if name.lower() == "email")
    if not others or "email" in names:
        return []
    return [
        f"unified_customers has a column {quoted(others[0])} and the sync writes to email: rename it "
        f"(ALTER TABLE unified_customers RENAME COLUMN {quoted(others[0])} TO email)."
    ]


def _no(one: ColumnType) -> list[str]:
    there = f"The column {one.name} of unified_customers"
    elsewhere = "or set INTERCOM_SYNC_SCHEMA to another schema."
    if one.generated:
        return [
            f"{there} ({one.shown}) is generated, and the sync writes it: ALTER TABLE unified_customers "
            f"ALTER COLUMN {one.name} DROP EXPRESSION (or drop the column), {elsewhere}"
        ]
    if one.identity:
        return [
            f"{there} ({one.shown}) is an identity column, and the sync writes it: ALTER TABLE unified_customers "
            f"ALTER COLUMN {one.name} DROP IDENTITY, {elsewhere}"
        ]
    if one.kind not in _MAY_BE[one.ours] or (one.name == "email" and one.kind != _TEXT):
        name = _FULL_NAMES.get(one.ours, one.ours)
        return [f"{there} is of type {one.shown}, and the sync writes {name}: change its type to {name}, {elsewhere}"]
    return []
