"""Schema types: what describes a table and a column. DDL, migrations, checks, UI metadata and docs read them."""

from dataclasses import dataclass
from enum import StrEnum

import polars as pl


class Type(StrEnum):
    """Name a column's PostgreSQL type."""

    TEXT = "text"
    TEXTS = "text[]"
    INTEGER = "integer"
    BIGINT = "bigint"
    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamptz"
    DATE = "date"
    JSON = "json"

    @property
    def frame(self) -> pl.DataType:
        """Return the polars type; numeric columns have six decimals."""
        return _FRAME_TYPES[self]


_FRAME_TYPES: dict[Type, pl.DataType] = {
    Type.TEXT: pl.String(),
    Type.TEXTS: pl.List(pl.String()),
    Type.INTEGER: pl.Int32(),
    Type.BIGINT: pl.Int64(),
    Type.NUMERIC: pl.Decimal(38, 6),
    Type.BOOLEAN: pl.Boolean(),
    Type.TIMESTAMP: pl.Datetime("us", "UTC"),
    Type.DATE: pl.Date(),
    Type.JSON: pl.String(),
}


class Origin(StrEnum):
    """Name the origin of a column of `unified_customers`, which decides what a missing value does."""

    INTERCOM = "intercom"  # written when Intercom has a value; set to null only if the sync wrote the old one
    COUNTED = "counted"  # computed for every customer
    SYNC = "sync"  # bookkeeping of the sync itself


@dataclass(frozen=True)
class Column:
    """Describe a column.

    Attributes:
        personal: whether values can identify a person, which `docs/columns.md` and the UI mark on the column.
        nullable: whether the value may be null.
        origin: origin of the value in `unified_customers`.
    """

    name: str
    type: Type
    description: str
    nullable: bool = True
    personal: bool = False
    origin: Origin = Origin.SYNC


@dataclass(frozen=True)
class Table:
    """Describe a table.

    Attributes:
        identity: an additional primary key that the database generates, in a table that the sync created.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    identity: Column | None = None

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Return the columns, including the identity column."""
        return (*self.columns, *((self.identity,) if self.identity else ()))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def frame_schema(self, *names: str) -> dict[str, pl.DataType]:
        """Return the polars schema of the named columns, or of all when no name is given."""
        return {c.name: c.type.frame for c in self.columns if not names or c.name in names}
