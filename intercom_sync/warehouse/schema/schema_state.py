"""What a schema of the database holds under the names that the sync uses. Reading it changes nothing.

A table of ours carries a mark in its comment. What follows from the state is decided in `migration_plan` and
`preflight`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intercom_sync.domain.schema import tables as catalogue
from intercom_sync.domain.schema.columns import Table
from intercom_sync.warehouse.postgres.session import literal
from intercom_sync.warehouse.schema import earlier_names
from intercom_sync.warehouse.schema.ddl import MARK, REVISIONS, VERSION_TABLE, build_metadata

Query = Callable[[str], Iterable[Sequence[Any]]]
"""Returns the rows of a query."""

CUSTOMERS = catalogue.UNIFIED_CUSTOMERS.name
_KINDS = {
    "r": "table", "v": "view", "m": "materialized view", "p": "partitioned table", "f": "foreign table",
    "S": "sequence", "i": "index", "I": "partitioned index", "c": "type",
}  # fmt: skip
# The version before the marks described every column of the tables that it made, and none that it added to others.
_EMAIL_COMMENT_BEFORE_MARKS = "Email; unique regardless of case."
_NAMESPACE = "(SELECT oid FROM pg_namespace WHERE nspname = {schema})"
_RELATIONS = (
    "SELECT c.relname::text AS name, c.relkind::text AS kind, "
    "COALESCE(obj_description(c.oid, 'pg_class'), '') AS comment, "
    "pg_has_role(c.relowner, 'USAGE') AS owned, c.relreplident::text AS identity, "
    "COALESCE((SELECT t.relname::text FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid "
    "WHERE i.indexrelid = c.oid), '') AS on_table, "
    "COALESCE((SELECT string_agg(a.attname::text, ',' ORDER BY k.place) FROM pg_constraint p, "
    "unnest(p.conkey) WITH ORDINALITY k(number, place), pg_attribute a "
    "WHERE p.conrelid = c.oid AND p.contype = 'p' AND a.attrelid = c.oid AND a.attnum = k.number), '') AS key "
    "FROM pg_class c WHERE c.relnamespace = {namespace} AND c.relname IN ({names})"
)
_COLUMNS = (
    "SELECT c.relname::text AS name, a.attname::text AS attribute, a.attnotnull AS required, "
    "COALESCE(col_description(c.oid, a.attnum), '') AS comment "
    "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = {namespace} "
    "AND c.relname IN ({names}) AND c.relkind NOT IN ('i', 'I', 'S') AND a.attnum > 0 AND NOT a.attisdropped"
)
_TYPES = "SELECT typname::text FROM pg_type WHERE typnamespace = {namespace} AND typrelid = 0 AND typname IN ({names})"
# A plain unique index whose columns all have a value is what PostgreSQL takes as a replica identity.
_CUSTOMER_INDEXES = (
    "SELECT n.relname::text AS name, pg_get_indexdef(i.indexrelid, 1, TRUE) AS expression, i.indnkeyatts = 1 AND "
    "i.indpred IS NULL AND i.indisvalid AS plain, i.indexprs IS NULL AND i.indpred IS NULL AND i.indimmediate "
    "AND i.indisvalid AND NOT EXISTS (SELECT FROM unnest(i.indkey) k(number), pg_attribute a "
    "WHERE a.attrelid = i.indrelid AND a.attnum = k.number AND NOT a.attnotnull) AS identifies "
    "FROM pg_index i JOIN pg_class n ON n.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid "
    "WHERE c.relnamespace = {namespace} AND c.relname = '" + CUSTOMERS + "' AND i.indisunique "
    "ORDER BY i.indnkeyatts, n.relname"
)
_LOWER_EMAIL = {"lower(email)", "lower(email::text)"}


@dataclass(frozen=True)
class Relation:
    """A table, view, index or sequence that is there.

    Attributes:
        kind: what it is, in words.
        comment: its comment, or empty.
        is_owned: whether the role has the rights of its owner.
        replica_identity: PostgreSQL's letter for it.
        on: the table of an index.
        key: the columns of the primary key.
        columns: each column's name, whether it is required, and its comment.
    """

    kind: str
    comment: str
    is_owned: bool
    replica_identity: str
    on: str
    key: tuple[str, ...]
    columns: Mapping[str, tuple[bool, str]]

    @property
    def is_marked(self) -> bool:
        """Whether the sync made it."""
        return self.comment.startswith(MARK)


@dataclass(frozen=True)
class Rename:
    """One change of names.

    Attributes:
        what: what it renames, for people.
        statements: the SQL that does it.
        table: the table that it alters, by its present name.
    """

    what: str
    statements: tuple[str, ...]
    table: str


@dataclass(frozen=True)
class SchemaState:
    """What is there.

    Attributes:
        schema: the schema's name.
        exists: whether the schema is there.
        relations: tables, views, indexes and sequences by name.
        types: types that are no table's.
        version: what the version table says.
        emails_are_unique: whether an index of the customers makes emails unique in any case.
        identity_index: a unique index of the customers that can be their replica identity.
        earlier: relations under names that release 0001 used.
        renames: the pending renames of them; the other attributes say how the schema is once they are done.
    """

    schema: str
    exists: bool
    relations: Mapping[str, Relation]
    types: frozenset[str]
    version: str | None
    emails_are_unique: bool
    identity_index: str | None
    earlier: Mapping[str, Relation]
    renames: tuple[Rename, ...] = ()

    def is_ours(self, table: Table) -> bool:
        """Whether the sync made a table that is there."""
        there = self.relations[table.name]
        return there.kind == "table" and (there.is_marked or self._is_from_before_marks(table, there))

    def _is_from_before_marks(self, table: Table, there: Relation) -> bool:
        """Whether the version before the marks made a table, and did not merely add its columns to another's."""
        versions = self.relations.get(VERSION_TABLE)
        if versions is None or versions.is_marked:
            return False
        if table is catalogue.UNIFIED_CUSTOMERS:
            return there.columns.get("email") == (True, _EMAIL_COMMENT_BEFORE_MARKS)
        required = {c.name for c in table.columns if not c.nullable} & set(there.columns)
        return there.key == table.key and all(there.columns[name][0] for name in required)

    def strangers(self) -> list[str]:
        """Return what is in the way of our names and was made by others, in words, in order of name."""
        found = {name: there.kind for name, there in self.relations.items() if not self._fits(name, there)}
        return [f"the {kind} {name}" for name, kind in sorted((found | dict.fromkeys(self.types, "type")).items())]

    def _fits(self, name: str, there: Relation) -> bool:
        if name == CUSTOMERS:
            return True  # others may have made it, and `column_types` judges whether it can be written to
        table = _TABLES.get(name)
        if table:
            return self.is_ours(table)
        if name == VERSION_TABLE:
            return there.kind == "table" and (there.is_marked or there.key == ("version_num",))
        if name in _INDEXES:
            return there.kind == "index" and there.on == _INDEXES[name]
        return there.kind == "sequence" and (there.is_marked or VERSION_TABLE in self.relations)


_TABLES = {table.name: table for table in catalogue.TABLES}
_INDEXES = {
    str(index.name): table.name for table in build_metadata("public").tables.values() for index in table.indexes
}


def read_state(query: Query, schema: str) -> SchemaState:
    """Return what a schema holds."""
    names = (*_TABLES, VERSION_TABLE)
    place = {"namespace": _NAMESPACE.format(schema=literal(schema)), "names": ", ".join(map(literal, names))}
    columns: dict[str, dict[str, tuple[bool, str]]] = {}
    with_columns = place | {"names": ", ".join(map(literal, (*names, *earlier_names.TABLES)))}
    for table, column, required, comment in query(_COLUMNS.format(**with_columns)):
        columns.setdefault(table, {})[column] = (required, comment)
    every_name = place | {"names": ", ".join(map(literal, (*names, *_INDEXES, REVISIONS, *earlier_names.NAMES)))}
    found = {
        name: Relation(_KINDS.get(kind, "relation"), comment, owned, identity, on, _key(key), columns.get(name, {}))
        for name, kind, comment, owned, identity, on, key in query(_RELATIONS.format(**every_name))
    }
    relations = {name: one for name, one in found.items() if name not in earlier_names.NAMES}
    indexes = [tuple(row) for row in query(_CUSTOMER_INDEXES.format(**place))]
    return SchemaState(
        schema=schema,
        exists=any(found for (found,) in query(f"SELECT {place['namespace']} IS NOT NULL AS found")),
        relations=relations,
        types=frozenset(name for (name,) in query(_TYPES.format(**place))),
        version=_version(query, schema, relations),
        emails_are_unique=any(plain and expression in _LOWER_EMAIL for _, expression, plain, _ in indexes),
        identity_index=next((name for name, *_, identifies in indexes if identifies), None),
        earlier={name: one for name, one in found.items() if name in earlier_names.NAMES},
    )


def _key(columns: str) -> tuple[str, ...]:
    return tuple(columns.split(",")) if columns else ()


def _version(query: Query, schema: str, relations: Mapping[str, Relation]) -> str | None:
    there = relations.get(VERSION_TABLE)
    if there is None or "version_num" not in there.columns:
        return None
    return next(
        (str(version) for (version,) in query(f'SELECT version_num::text FROM "{schema}".{VERSION_TABLE}')), None
    )
