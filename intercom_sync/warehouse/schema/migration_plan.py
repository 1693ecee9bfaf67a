"""What brings a schema up to the catalogue: the steps in order, each with a sentence. Nothing is dropped or narrowed.

Missing tables, columns and indexes are found by comparison, so a table that somebody dropped comes back. Only
`unified_customers` may be another program's: it gets our columns, the index that makes emails unique, and a replica
identity where one of its indexes can be it.
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
from intercom_sync.warehouse.postgres.session import literal, quoted
from intercom_sync.warehouse.schema.ddl import EMAIL_INDEX, MARK, REVISIONS, VERSION_TABLE, build_metadata
from intercom_sync.warehouse.schema.schema_state import CUSTOMERS, Relation, SchemaState

Statement = sa.schema.ExecutableDDLElement | str


@dataclass(frozen=True)
class Step:
    """One change.

    Attributes:
        what: what it changes, for people.
        statements: what does it.
        table: the table of another role's that it alters, when it alters one.
    """

    what: str
    statements: tuple[Statement, ...]
    table: str = ""


def plan(state: SchemaState) -> list[Step]:
    """Return the steps that bring a schema up to date, in order; none when it is."""
    return [*create_schema_steps(state), *rename_steps(state), *missing_steps(state)]


def create_schema_steps(state: SchemaState) -> list[Step]:
    """Return the step that creates the schema where it is missing."""
    return [] if state.exists else [Step(f"create schema {state.schema}", (CreateSchema(state.schema),))]


def rename_steps(state: SchemaState) -> list[Step]:
    """Return the pending renames, and with them the present comments of all tables."""
    if not state.renames:
        return []
    steps = [Step(rename.what, rename.statements, rename.table) for rename in state.renames]
    comments = tuple(_comments(state))
    return [*steps, Step("update the comments of tables and columns", comments)] if comments else steps


def _comments(state: SchemaState) -> Iterator[Statement]:
    """Yield the present descriptions of the tables that are marked as ours and of their columns."""
    for table in build_metadata(state.schema).tables.values():
        there = state.relations.get(table.name)
        if there and there.is_marked and there.is_owned:
            yield SetTableComment(table)
            yield from (SetColumnComment(c) for c in table.columns if c.comment and c.name in there.columns)


def missing_steps(state: SchemaState) -> list[Step]:
    """Return the steps that create what the comparison with the catalogue finds missing."""
    metadata = build_metadata(state.schema)
    steps: list[Step] = []
    if REVISIONS not in state.relations:
        sequence = f"{quoted(state.schema)}.{REVISIONS}"
        steps.append(Step(f"create sequence {REVISIONS}", (
            CreateSequence(sa.Sequence(REVISIONS, schema=state.schema)),
            f"COMMENT ON SEQUENCE {sequence} IS {literal(MARK)}",
        )))  # fmt: skip
    for table in catalogue.TABLES:
        made = metadata.tables[f"{state.schema}.{table.name}"]
        there = state.relations.get(table.name)
        steps += [_create(made)] if there is None else _complete(state, table, made, there)
    return steps


def _create(made: sa.Table) -> Step:
    comments = [SetColumnComment(column) for column in made.columns if column.comment]
    return Step(
        f"create table {made.name}",
        (CreateTable(made), SetTableComment(made), *comments, *map(CreateIndex, _indexes(made))),
    )


def _indexes(made: sa.Table) -> list[sa.Index]:
    return sorted(made.indexes, key=lambda index: str(index.name))


def _complete(state: SchemaState, table: Table, made: sa.Table, there: Relation) -> Iterator[Step]:
    """Yield what a table that is there lacks."""
    if there.kind != "table":
        return
    ours = state.is_ours(table)
    name = f"{quoted(state.schema)}.{quoted(table.name)}"
    for column in made.columns:
        if column.name not in there.columns and column.name not in made.primary_key.columns:
            what = f"add column {table.name}.{column.name} ({column.type.compile(dialect=_DIALECT).lower()})"
            yield Step(what, (f"ALTER TABLE {name} ADD COLUMN {_definition(column)}",), table.name)
    for index in _indexes(made):
        if str(index.name) not in state.relations and not (index.name == EMAIL_INDEX and state.emails_are_unique):
            yield Step(f"create index {index.name} on {table.name}", (CreateIndex(index),), table.name)
    if ours:
        yield from _keyed(table, made, there, name)
        if not there.is_marked:
            yield Step(f"mark table {table.name} as made by intercom_sync", (SetTableComment(made),), table.name)
    elif table.name == CUSTOMERS:
        yield from _identified(state, there, name)


def _keyed(table: Table, made: sa.Table, there: Relation, name: str) -> Iterator[Step]:
    """Yield the primary key of a table of ours that has none."""
    if there.key:
        return
    columns = [c for c in made.primary_key.columns if c.name not in there.columns]
    added = [f"ADD COLUMN {_definition(c)}" for c in columns]
    key = f"ADD PRIMARY KEY ({', '.join(table.key)})"
    yield Step(
        f"add the primary key {', '.join(table.key)} to {table.name}",
        (f"ALTER TABLE {name} {', '.join([*added, key])}",),
        table.name,
    )


def _identified(state: SchemaState, there: Relation, name: str) -> Iterator[Step]:
    """Yield the replica identity of another program's table that has none and may be altered by the role."""
    if lacks_identity(there) and state.identity_index and there.is_owned:
        yield Step(
            f"use index {state.identity_index} as the replica identity of {CUSTOMERS}",
            (f"ALTER TABLE {name} REPLICA IDENTITY USING INDEX {quoted(state.identity_index)}",),
            CUSTOMERS,
        )


def lacks_identity(there: Relation) -> bool:
    """Whether a table has neither a primary key nor another replica identity."""
    return there.kind == "table" and there.replica_identity == "d" and not there.key


def _definition(column: sa.Column[object]) -> str:
    definition = CreateColumn(column).compile(dialect=_DIALECT).string
    # Rows that are there have no value yet, so a column that joins them cannot be required.
    filled = column.server_default is not None or column.computed is not None or column.identity is not None
    return definition if filled else definition.replace(" NOT NULL", "")


_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def marks_version_table(state: SchemaState) -> bool:
    """Whether the version table lacks its mark, as in databases of the version before the marks."""
    there = state.relations.get(VERSION_TABLE)
    return there is None or not there.is_marked
