"""Every table and column, once: name, type, meaning.

The warehouse makes its tables and migrations from this description, the checks and the UI's column schemas read it, and
the documentation is printed from it. How a value is computed stands in the other modules of this package.
"""

from dataclasses import dataclass
from enum import StrEnum

import polars as pl


class Type(StrEnum):
    """A column's type, by its PostgreSQL name."""

    TEXT = "text"
    TEXTS = "text[]"
    INTEGER = "integer"
    BIGINT = "bigint"
    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamptz"
    JSON = "json"

    @property
    def frame(self) -> pl.DataType:
        """The polars type that holds it; money and ratings have six decimals."""
        return _FRAME_TYPES[self]


_FRAME_TYPES: dict[Type, pl.DataType] = {
    Type.TEXT: pl.String(),
    Type.TEXTS: pl.List(pl.String()),
    Type.INTEGER: pl.Int32(),
    Type.BIGINT: pl.Int64(),
    Type.NUMERIC: pl.Decimal(38, 6),
    Type.BOOLEAN: pl.Boolean(),
    Type.TIMESTAMP: pl.Datetime("us", "UTC"),
    Type.JSON: pl.String(),
}


class Origin(StrEnum):
    """Where a value of `unified_customers` comes from, which decides what happens when it is missing."""

    INTERCOM = "intercom"  # written when Intercom has it; nulled only where the sync wrote it
    COUNTED = "counted"  # always known to the sync
    SYNC = "sync"  # bookkeeping of the sync itself


@dataclass(frozen=True)
class Column:
    """A column: its name, type and meaning.

    Attributes:
        personal: whether values can identify a person and are masked wherever people look.
        nullable: whether the value may be unknown.
        origin: for `unified_customers`, where the value comes from.
    """

    name: str
    type: Type
    description: str
    nullable: bool = True
    personal: bool = False
    origin: Origin = Origin.SYNC


@dataclass(frozen=True)
class Table:
    """A table: its name, meaning, columns and primary key.

    Attributes:
        identity: a primary key that the database numbers, beside the columns; only a table that the sync made has it.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    identity: Column | None = None

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """The columns, and the identity where there is one."""
        return (*self.columns, *((self.identity,) if self.identity else ()))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    def frame_schema(self, *names: str) -> dict[str, pl.DataType]:
        """Return the polars schema of the named columns (all of them when none is named)."""
        return {c.name: c.type.frame for c in self.columns if not names or c.name in names}
