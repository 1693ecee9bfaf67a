"""What other systems' columns keep of our values: theirs may be narrower (numeric(10,2), integer, varchar(80), date).

Values are compared and noted as the table keeps them. Otherwise the sync would take its own value, rounded by the
column, for another system's, and write it anew at every run. A value that a column cannot keep at all stays as it is
here: the table refuses it when the row is written.
"""

from collections.abc import Mapping
from functools import partial

import polars as pl

from intercom_sync.domain.customers import DATA, KEY, ColumnCaster, identity
from intercom_sync.domain.schema.tables import UNIFIED_CUSTOMERS
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.schema.column_types import NEVER_CUT, ColumnType, parsed

_TYPES = UNIFIED_CUSTOMERS.frame_schema()
# A default in `intercom_deleted_at` would mark every customer.
_MAY_BE_NULL = tuple(name for name in DATA if name not in {"email", "intercom_deleted_at"})


def column_caster(session: Session, columns: Mapping[str, ColumnType]) -> ColumnCaster:
    """Return what makes of values what `unified_customers` keeps of them; inside the caller's transaction."""
    theirs = {name: one for name, one in columns.items() if not one.keeps_all and name != "email"}
    defaults = _defaults(session, columns)
    if not theirs and not defaults:
        return identity
    for one in theirs.values():
        _make_function(session, one)
    return partial(_fitted, session, theirs, defaults)


def _make_function(session: Session, one: ColumnType) -> None:
    """Make the function that returns what a column keeps of a value: a text that may be cut is, an id is refused."""
    value = one.cast("v")
    kept = value if one.name in NEVER_CUT else f"CAST({value} AS {one.shown})"
    session.execute(f"DROP FUNCTION IF EXISTS pg_temp.kept_{one.name}")
    session.execute(
        f"CREATE FUNCTION pg_temp.kept_{one.name}(v {one.ours}) RETURNS {one.read_as} STRICT LANGUAGE plpgsql AS $$ "
        f"BEGIN DECLARE kept {one.shown} := {kept}; BEGIN RETURN {one.readable('kept')}; END; "
        f"EXCEPTION WHEN OTHERS THEN RETURN CAST(v AS {one.read_as}); END $$"
    )


def _fitted(
    session: Session, theirs: Mapping[str, ColumnType], defaults: Mapping[str, object], made: pl.DataFrame
) -> pl.DataFrame:
    columns = {c: one for name, one in theirs.items() for c in (name, f"next_{name}") if c in made.columns}
    columns.pop("next_intercom_contact_id", None)  # by which the contact is known elsewhere
    if columns:
        session.stage("fitting", made.select(KEY, *columns))
        kept = (f"pg_temp.kept_{one.name}(CAST({c} AS {one.ours})) AS {c}" for c, one in columns.items())
        found = parsed(session.frame(f"SELECT {KEY}, {', '.join(kept)} FROM fitting"), columns)
        order = made.columns
        made = made.drop(columns).join(found, on=KEY, how="left", maintain_order="left").select(order)
    return made.with_columns(_required(name, value) for name, value in defaults.items())


def _required(name: str, default: object) -> pl.Expr:
    """A required column takes its default in place of null; what it holds already and we cannot represent stays."""
    is_missing = pl.col(name).is_null() & (~pl.col("existed") | pl.col(f"current_{name}").is_not_null())
    return pl.when(is_missing).then(pl.lit(default)).otherwise(name).cast(_TYPES[name]).alias(name)


def _defaults(session: Session, columns: Mapping[str, ColumnType]) -> dict[str, object]:
    """Return the defaults of our columns that are required, by name."""
    with_default = {name: columns[name] for name in _MAY_BE_NULL if name in columns and columns[name].fallback}
    with_default = {name: one for name, one in with_default.items() if one.required}
    if not with_default:
        return {}
    cast = {name: f"CAST({one.fallback} AS {one.shown})" for name, one in with_default.items()}
    values = ", ".join(f"{one.readable(cast[name])} AS {name}" for name, one in with_default.items())
    (row,) = parsed(session.frame(f"SELECT {values}"), with_default).rows(named=True)
    return {name: value for name, value in row.items() if value is not None}
