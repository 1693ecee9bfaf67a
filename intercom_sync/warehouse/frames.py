"""Frames from the domain's records: a column each of the catalogue, in its type."""

from collections.abc import Iterable, Sequence

import polars as pl

from intercom_sync.domain.schema import Table, Type


def frame_of(table: Table, names: Sequence[str], rows: Iterable[Sequence[object]]) -> pl.DataFrame:
    """Return rows as a frame with the named columns; timestamps come as UNIX seconds and leave as UTC instants."""
    types = {column.name: column.type for column in table.columns}
    given = {name: pl.Int64() if types[name] is Type.TIMESTAMP else types[name].frame for name in names}
    frame = pl.DataFrame(list(rows), schema=given, orient="row")
    return frame.with_columns(
        (pl.col(name) * 1_000_000).cast(Type.TIMESTAMP.frame) for name in names if types[name] is Type.TIMESTAMP
    )


def listing(names: Iterable[str], prefix: str = "") -> str:
    """Return columns as SQL, each with the prefix."""
    return ", ".join(f"{prefix}{name}" for name in names)


def selected(table: Table, prefix: str = "", *names: str) -> str:
    """Return a select list whose numbers come as text, as `Session.frame` needs them, in the catalogue's types."""
    return ", ".join(
        f"CAST({prefix}{c.name} AS numeric)::text AS {c.name}"
        if c.type is Type.NUMERIC
        else f"CAST({prefix}{c.name} AS {c.type}) AS {c.name}"
        for c in table.columns
        if not names or c.name in names
    )


def typed(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return a frame that `selected` brought, in the catalogue's types: numbers become exact decimals."""
    return frame.with_columns(
        pl.col(c.name).str.to_decimal(scale=6).cast(c.type.frame)
        for c in table.columns
        if c.type is Type.NUMERIC and c.name in frame.columns
    )
