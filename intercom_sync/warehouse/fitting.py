"""What other systems' columns keep of our values: theirs may be narrower (numeric(10,2), integer, varchar(80), date).

Values are compared and noted as the table keeps them. Otherwise the sync would take its own value, rounded by the
column, for another system's, and write it anew at every run.
"""

from functools import partial

import polars as pl

from intercom_sync.domain.customers import KEY, Fit, as_is
from intercom_sync.domain.schema import Type
from intercom_sync.domain.tables import UNIFIED_CUSTOMERS
from intercom_sync.warehouse.session import Session

_TYPES = {column.name: column.type for column in UNIFIED_CUSTOMERS.columns if column.name != "email"}
_FULL_NAMES = {Type.TIMESTAMP: "timestamp with time zone"}
_AS_WIDE = {"character varying"}


def table_fit(session: Session) -> Fit:
    """Return what makes of values what `unified_customers` keeps of them."""
    there = session.frame(
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = 'unified_customers'::regclass AND attnum > 0 AND NOT attisdropped"
    ).rows()
    theirs = {
        name: kind
        for name, kind in there
        if name in _TYPES and kind != _FULL_NAMES.get(_TYPES[name], _TYPES[name]) and kind not in _AS_WIDE
    }
    return partial(_fitted, session, theirs) if theirs else as_is


def _fitted(session: Session, theirs: dict[str, str], made: pl.DataFrame) -> pl.DataFrame:
    columns = {c: name for name in theirs for c in (name, f"writing_{name}") if c in made.columns}
    session.stage("fitting", made.select(KEY, *columns))
    kept_values = (_through(c, _TYPES[name], theirs[name]) for c, name in columns.items())
    kept = session.frame(f"SELECT {KEY}, {', '.join(kept_values)} FROM fitting").with_columns(
        (pl.col(c).str.to_decimal(scale=6) if _TYPES[name] is Type.NUMERIC else pl.col(c)).cast(_TYPES[name].frame)
        for c, name in columns.items()
    )
    return made.drop(columns).join(kept, on=KEY, how="left", maintain_order="left")


def _through(column: str, ours: Type, theirs: str) -> str:
    """Return a value as the table gives it back, in our type; numbers as text, as `Session.frame` needs them."""
    there_and_back = f"CAST(CAST(CAST({column} AS {ours}) AS {theirs}) AS {ours})"
    return f"{there_and_back}{'::text' if ours is Type.NUMERIC else ''} AS {column}"
