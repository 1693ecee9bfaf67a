"""Renames of revision 0002, planned from the schema's state before it is compared with the catalogue.

Only tables that the sync created are renamed. Another program's table keeps its name.
"""

from collections.abc import Iterator
from dataclasses import replace

from intercom_sync.domain.schema import tables as catalogue
from intercom_sync.domain.schema.columns import Table
from intercom_sync.warehouse.postgres.session import literal, quoted
from intercom_sync.warehouse.schema.earlier_names import BEFORE, CHECKS, COLUMNS, INDEXES, TABLES
from intercom_sync.warehouse.schema.schema_state import Query, Relation, Rename, SchemaState, read_state

_CATALOGUE = {table.name: table for table in catalogue.TABLES}


def read_renamed_state(query: Query, schema: str) -> SchemaState:
    """Return the state of a schema after its pending renames, together with those renames."""
    state = read_state(query, schema)
    if state.version not in BEFORE:
        return state
    renames: list[Rename] = []
    for old, new in TABLES.items():
        state, done = _rename_table(state, old, new)
        renames += done
    for name in COLUMNS:
        state, done = _rename_columns(state, name)
        renames += done
    for old, new in INDEXES.items():
        state, done = _rename_index(state, old, new)
        renames += done
    return replace(state, renames=(*renames, *_rename_checks(state)))


def _rename_table(state: SchemaState, old: str, new: str) -> tuple[SchemaState, list[Rename]]:
    """Plan the rename of a table of ours, or move its rows if a table of ours already has the new name."""
    existing = state.earlier.get(old)
    if existing is None or not _is_ours(state, new, existing):
        return state, []
    schema = quoted(state.schema)
    if new not in state.relations:
        statements = [f"ALTER TABLE {schema}.{old} RENAME TO {new}"]
        key, new_key = f"{old}_pkey", f"{new}_pkey"
        if key in state.earlier and state.earlier[key].on == old and new_key not in state.earlier:
            statements.append(f"ALTER INDEX {schema}.{key} RENAME TO {new_key}")
        return _with(state, new, existing), [Rename(f"rename table {old} to {new}", tuple(statements), new)]
    if not state.is_ours(_CATALOGUE[new]):
        return state, []  # another program's table; `preflight` refuses it
    columns = [(c, _renamed(new, c)) for c in existing.columns if _renamed(new, c) in state.relations[new].columns]
    into, source = (", ".join(quoted(pair[place]) for pair in columns) for place in (1, 0))
    move = (
        f"INSERT INTO {schema}.{new} ({into}) SELECT {source} FROM {schema}.{old} ON CONFLICT DO NOTHING",
        f"DROP TABLE {schema}.{old}",
    )
    return state, [Rename(f"move the rows of table {old} to {new}", move, new)]


def _rename_columns(state: SchemaState, name: str) -> tuple[SchemaState, list[Rename]]:
    existing = state.relations.get(name)
    if existing is None or not _is_ours(state, name, existing):
        return state, []
    pairs = [
        (old, new) for old, new in COLUMNS[name].items() if old in existing.columns and new not in existing.columns
    ]
    if not pairs:
        return state, []
    what = f"rename columns of {name}: {', '.join(f'{old} to {new}' for old, new in pairs)}"
    table = f"{quoted(state.schema)}.{name}"
    statements = tuple(f"ALTER TABLE {table} RENAME COLUMN {quoted(old)} TO {quoted(new)}" for old, new in pairs)
    return _with(state, name, _columns_renamed(name, existing)), [Rename(what, statements, name)]


def _rename_index(state: SchemaState, old: str, new: str) -> tuple[SchemaState, list[Rename]]:
    existing = state.earlier.get(old)
    name = catalogue.CUSTOMER_ALERTS.name
    if (
        existing is None
        or existing.on != name
        or new in state.relations
        or not state.is_ours(catalogue.CUSTOMER_ALERTS)
    ):
        return state, []
    statement = f"ALTER INDEX {quoted(state.schema)}.{old} RENAME TO {new}"
    return _with(state, new, existing), [Rename(f"rename index {old} to {new}", (statement,), name)]


def _rename_checks(state: SchemaState) -> Iterator[Rename]:
    """Yield the rename of stored check states, so that a check that keeps failing is not reported again."""
    name = catalogue.CHECK_STATES.name
    if name not in state.relations or not state.is_ours(catalogue.CHECK_STATES):
        return
    table = f"{quoted(state.schema)}.{name}"
    names = ", ".join(f"({literal(old)}, {literal(new)})" for old, new in CHECKS.items())
    statement = (
        f"UPDATE {table} s SET check_name = n.new FROM (VALUES {names}) n(old, new) WHERE s.check_name = n.old "
        f"AND NOT EXISTS (SELECT FROM {table} t WHERE t.check_name = n.new)"
    )
    yield Rename(f"rename {len(CHECKS)} checks in {name}", (statement,), name)


def _is_ours(state: SchemaState, name: str, existing: Relation) -> bool:
    """Return whether the sync created a table, by the columns it has after the renames."""
    table: Table = _CATALOGUE[name]
    return _with(state, name, _columns_renamed(name, existing)).is_ours(table)


def _with(state: SchemaState, name: str, existing: Relation) -> SchemaState:
    return replace(state, relations={**state.relations, name: existing})


def _columns_renamed(name: str, existing: Relation) -> Relation:
    columns = {_renamed(name, column): facts for column, facts in existing.columns.items()}
    return replace(existing, columns=columns, key=tuple(_renamed(name, column) for column in existing.key))


def _renamed(name: str, column: str) -> str:
    return COLUMNS.get(name, {}).get(column, column)
