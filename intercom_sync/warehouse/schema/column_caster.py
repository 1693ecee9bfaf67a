"""Cast our values to the column types of a `unified_customers` table that another system created.

Such a column may be narrower than ours: numeric(10,2), integer, varchar(80), date. Values are compared and recorded as
the table stores them. Otherwise the sync would mistake its own rounded value for another system's edit and rewrite it
at every run. A value that the column cannot store is passed on unchanged; the table refuses it when the row is written.
"""

from collections.abc import Mapping
from functools import partial

import polars as pl

from intercom_sync.domain.customers import DATA, KEY, ColumnCaster, identity
from intercom_sync.domain.schema.tables import UNIFIED_CUSTOMERS
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.schema.column_types import NEVER_CUT, ColumnType, parsed

_TYPES = UNIFIED_CUSTOMERS.frame_schema()
# A default in `intercom_deleted_at` would mark every customer as deleted.
_MAY_BE_NULL = tuple(name for name in DATA if name not in {"email", "intercom_deleted_at"})


def column_caster(session: Session, columns: Mapping[str, ColumnType]) -> ColumnCaster:
    """Return the function that casts customers' values to the table's types. Runs inside the caller's transaction."""
    narrower = {name: column for name, column in columns.items() if not column.keeps_all and name != "email"}
    defaults = _defaults(session, columns)
    if not narrower and not defaults:
        return identity
    for column in narrower.values():
        _create_cast_function(session, column)
    return partial(_cast_customers, session, narrower, defaults)


def _create_cast_function(session: Session, column: ColumnType) -> None:
    """Create the function that returns a value as the column stores it: texts may be truncated, ids are refused."""
    value = column.cast("v")
    kept = value if column.name in NEVER_CUT else f"CAST({value} AS {column.shown})"
    name = f"pg_temp.kept_{column.name}"
    session.execute(f"DROP FUNCTION IF EXISTS {name}")
    session.execute(
        f"CREATE FUNCTION {name}(v {column.ours}) RETURNS {column.read_as} STRICT LANGUAGE plpgsql AS $$ "
        f"BEGIN DECLARE kept {column.shown} := {kept}; BEGIN RETURN {column.readable('kept')}; END; "
        f"EXCEPTION WHEN OTHERS THEN RETURN CAST(v AS {column.read_as}); END $$"
    )


def _cast_customers(
    session: Session, narrower: Mapping[str, ColumnType], defaults: Mapping[str, object], customers: pl.DataFrame
) -> pl.DataFrame:
    columns = {c: column for name, column in narrower.items() for c in (name, f"next_{name}") if c in customers.columns}
    columns.pop("next_intercom_contact_id", None)  # other tables know the contact by this id
    if columns:
        session.stage("fitting", customers.select(KEY, *columns))
        casts = (f"pg_temp.kept_{column.name}(CAST({c} AS {column.ours})) AS {c}" for c, column in columns.items())
        cast = parsed(session.frame(f"SELECT {KEY}, {', '.join(casts)} FROM fitting"), columns)
        order = customers.columns
        customers = customers.drop(columns).join(cast, on=KEY, how="left", maintain_order="left").select(order)
    return customers.with_columns(_required(name, value) for name, value in defaults.items())


def _required(name: str, default: object) -> pl.Expr:
    """Return a required column with its default for nulls; an existing value that we cannot represent is kept."""
    is_missing = pl.col(name).is_null() & (~pl.col("existed") | pl.col(f"current_{name}").is_not_null())
    return pl.when(is_missing).then(pl.lit(default)).otherwise(name).cast(_TYPES[name]).alias(name)


def _defaults(session: Session, columns: Mapping[str, ColumnType]) -> dict[str, object]:
    """Return the defaults of required columns, by name."""
    with_default = {name: columns[name] for name in _MAY_BE_NULL if name in columns and columns[name].fallback}
    with_default = {name: one for name, one in with_default.items() if one.required}
    if not with_default:
        return {}
    cast = {name: f"CAST({one.fallback} AS {one.shown})" for name, one in with_default.items()}
    values = ", ".join(f"{one.readable(cast[name])} AS {name}" for name, one in with_default.items())
    (row,) = parsed(session.frame(f"SELECT {values}"), with_default).rows(named=True)
    return {name: value for name, value in row.items() if value is not None}
