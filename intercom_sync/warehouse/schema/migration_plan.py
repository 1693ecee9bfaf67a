"""Plan the steps, in order, that migrate a schema to the catalogue.

Missing tables, columns and indexes are found by comparison, so a dropped table is created again. Only
`unified_customers` may belong to another program. It then gets our columns, the index that makes emails unique, and a
replica identity if one of its indexes allows it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import (
    CreateColumn,
    CreateIndex,
    CreateSchema,
    CreateSequence,
    CreateTable,
    SetColumnComment,
    SetTableComment,
)

from intercom_sync.domain.schema import tables as catalogue
from intercom_sync.domain.schema.columns import Table
from intercom_sync.domain.schema.movement_views import CUSTOMERS_AS_OF, VIEWS
from intercom_sync.warehouse.postgres.session import literal, quoted
from intercom_sync.warehouse.schema.ddl import EMAIL_INDEX, MARK, REVISIONS, VERSION_TABLE, build_metadata
from intercom_sync.warehouse.schema.schema_state import CUSTOMERS, Relation, SchemaState
from intercom_sync.warehouse.schema.view_definitions import create_customers_as_of, create_view

Statement = sa.schema.ExecutableDDLElement | str


@dataclass(frozen=True)
class Step:
    """One change of a migration.

    Attributes:
        what: a description for people.
        statements: the SQL statements.
        table: the existing table that is altered, so the role must own it; empty for none.
    """

    what: str
    statements: tuple[Statement, ...]
    table: str = ""


def plan(state: SchemaState) -> list[Step]:
    """Return all steps that migrate a schema, in order; empty when it is up to date."""
    return [*create_schema_steps(state), *rename_steps(state), *missing_steps(state)]


def create_schema_steps(state: SchemaState) -> list[Step]:
    """Return the step that creates a missing schema."""
    return [] if state.exists else [Step(f"create schema {state.schema}", (CreateSchema(state.schema),))]


def rename_steps(state: SchemaState) -> list[Step]:
    """Return the pending renames, followed by an update of all comments."""
    if not state.renames:
        return []
    steps = [Step(rename.what, rename.statements, rename.table) for rename in state.renames]
    comments = tuple(_comments(state))
    return [*steps, Step("update the comments of tables and columns", comments)] if comments else steps


def _comments(state: SchemaState) -> Iterator[Statement]:
    """Yield statements that set the current descriptions of our tables and their columns."""
    for table in build_metadata(state.schema).tables.values():
        existing = state.relations.get(table.name)
        if existing and existing.is_marked and existing.is_owned:
            yield SetTableComment(table)
            yield from (SetColumnComment(c) for c in table.columns if c.comment and c.name in existing.columns)


def missing_steps(state: SchemaState) -> list[Step]:
    """Return the steps that create what is missing compared with the catalogue."""
    metadata = build_metadata(state.schema)
    steps: list[Step] = []
    if REVISIONS not in state.relations:
        sequence = f"{quoted(state.schema)}.{REVISIONS}"
        steps.append(Step(f"create sequence {REVISIONS}", (
            CreateSequence(sa.Sequence(REVISIONS, schema=state.schema)),
            f"COMMENT ON SEQUENCE {sequence} IS {literal(MARK)}",
        )))  # fmt: skip
    for table in catalogue.TABLES:
        sql_table = metadata.tables[f"{state.schema}.{table.name}"]
        existing = state.relations.get(table.name)
        steps += [_create(sql_table)] if existing is None else _complete(state, table, sql_table, existing)
    return [*steps, *_view_steps(state)]


def _view_steps(state: SchemaState) -> Iterator[Step]:
    """Yield what creates the missing views over the ledger and the function; dropping a table drops them."""
    for view in VIEWS:
        if view.name not in state.relations:
            yield Step(f"create view {view.name}", create_view(view, state.schema))
    if CUSTOMERS_AS_OF not in state.relations:
        yield Step(f"create function {CUSTOMERS_AS_OF}", create_customers_as_of(state.schema))


def _create(sql_table: sa.Table) -> Step:
    comments = [SetColumnComment(column) for column in sql_table.columns if column.comment]
    return Step(
        f"create table {sql_table.name}",
        (CreateTable(sql_table), SetTableComment(sql_table), *comments, *map(CreateIndex, _indexes(sql_table))),
    )


def _indexes(sql_table: sa.Table) -> list[sa.Index]:
    return sorted(sql_table.indexes, key=lambda index: str(index.name))


def _complete(state: SchemaState, table: Table, sql_table: sa.Table, existing: Relation) -> Iterator[Step]:
    """Yield the steps that add what an existing table lacks."""
    if existing.kind != "table":
        return
    ours = state.is_ours(table)
    name = f"{quoted(state.schema)}.{quoted(table.name)}"
    for column in sql_table.columns:
        if column.name not in existing.columns and column.name not in sql_table.primary_key.columns:
            what = f"add column {table.name}.{column.name} ({column.type.compile(dialect=_DIALECT).lower()})"
            add = f"ALTER TABLE {name} ADD COLUMN {_definition(column)}"
            yield Step(what, (add, SetColumnComment(column)), table.name)
    for index in _indexes(sql_table):
        if str(index.name) not in state.relations and not (index.name == EMAIL_INDEX and state.emails_are_unique):
            yield Step(f"create index {index.name} on {table.name}", (CreateIndex(index),), table.name)
    if ours:
        yield from _keyed(table, sql_table, existing, name)
        if not existing.is_marked:
            yield Step(
                f"mark table {table.name} as created by intercom_sync", (SetTableComment(sql_table),), table.name
            )
    elif table.name == CUSTOMERS:
        yield from _identified(state, existing, name)


def _keyed(table: Table, sql_table: sa.Table, existing: Relation, name: str) -> Iterator[Step]:
    """Yield the step that adds a missing primary key to a table of ours."""
    if existing.key:
        return
    columns = [c for c in sql_table.primary_key.columns if c.name not in existing.columns]
    added = [f"ADD COLUMN {_definition(c)}" for c in columns]
    key = f"ADD PRIMARY KEY ({', '.join(table.key)})"
    yield Step(
        f"add the primary key {', '.join(table.key)} to {table.name}",
        (f"ALTER TABLE {name} {', '.join([*added, key])}",),
        table.name,
    )


def _identified(state: SchemaState, existing: Relation, name: str) -> Iterator[Step]:
    """Yield the step that sets a missing replica identity on another program's table, if the role may alter it."""
    if lacks_identity(existing) and state.identity_index and existing.is_owned:
        yield Step(
            f"use index {state.identity_index} as the replica identity of {CUSTOMERS}",
            (f"ALTER TABLE {name} REPLICA IDENTITY USING INDEX {quoted(state.identity_index)}",),
            CUSTOMERS,
        )


def lacks_identity(existing: Relation) -> bool:
    """Return whether a table has neither a primary key nor another replica identity."""
    return existing.kind == "table" and existing.replica_identity == "d" and not existing.key


def _definition(column: sa.Column[object]) -> str:
    definition = CreateColumn(column).compile(dialect=_DIALECT).string
    # Existing rows have no value for an added column, so it cannot be NOT NULL without a default.
    filled = column.server_default is not None or column.computed is not None or column.identity is not None
    return definition if filled else definition.replace(" NOT NULL", "")


_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def marks_version_table(state: SchemaState) -> bool:
    """Return whether the version table still lacks its marker, as in databases of the version before the markers."""
    existing = state.relations.get(VERSION_TABLE)
    return existing is None or not existing.is_marked
