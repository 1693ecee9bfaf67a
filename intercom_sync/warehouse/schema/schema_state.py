"""Read the state of a database schema: the relations that have names which the sync uses.

The comment of a table that the sync created begins with a marker. `migration_plan` and `preflight` decide what follows
from the state.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intercom_sync.domain.schema import tables as catalogue
from intercom_sync.domain.schema.columns import Table
from intercom_sync.domain.schema.movement_views import CUSTOMERS_AS_OF, VIEWS
from intercom_sync.warehouse.postgres.session import literal
from intercom_sync.warehouse.schema import earlier_names
from intercom_sync.warehouse.schema.ddl import MARK, REVISIONS, VERSION_TABLE, build_metadata

Query = Callable[[str], Iterable[Sequence[Any]]]
"""A function that returns the rows of a query."""

CUSTOMERS = catalogue.UNIFIED_CUSTOMERS.name
_KINDS = {
    "r": "table", "v": "view", "m": "materialized view", "p": "partitioned table", "f": "foreign table",
    "S": "sequence", "i": "index", "I": "partitioned index", "c": "type",
}  # fmt: skip
# The version before the markers commented every column of its own tables, and none that it added to others' tables.
_EMAIL_COMMENT_BEFORE_MARKS = "Email; unique regardless of case."
_NAMESPACE = "(SELECT oid FROM pg_namespace WHERE nspname = {schema})"
_RELATIONS = (
    "SELECT c.relname::text AS name, c.relkind::text AS kind, "
    "COALESCE(obj_description(c.oid, 'pg_class'), '') AS comment, "
    "pg_has_role(c.relowner, 'USAGE') AS owned, c.relreplident::text AS identity, "
    "COALESCE((SELECT t.relname::text FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid "
    "WHERE i.indexrelid = c.oid), '') AS on_table, "
    "COALESCE((SELECT string_agg(a.attname::text, ',' ORDER BY k.parameters) FROM pg_constraint p, "
    "unnest(p.conkey) WITH ORDINALITY k(number, parameters), pg_attribute a "
    "WHERE p.conrelid = c.oid AND p.contype = 'p' AND a.attrelid = c.oid AND a.attnum = k.number), '') AS key "
    "FROM pg_class c WHERE c.relnamespace = {namespace} AND c.relname IN ({names})"
)
_COLUMNS = (
    "SELECT c.relname::text AS name, a.attname::text AS attribute, a.attnotnull AS required, "
    "COALESCE(col_description(c.oid, a.attnum), '') AS comment "
    "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = {namespace} "
    "AND c.relname IN ({names}) AND c.relkind NOT IN ('i', 'I', 'S') AND a.attnum > 0 AND NOT a.attisdropped"
)
_FUNCTION = (
    "SELECT COALESCE(obj_description(p.oid, 'pg_proc'), '') AS comment, pg_has_role(p.proowner, 'USAGE') AS owned "
    "FROM pg_proc p WHERE p.pronamespace = {namespace} AND p.proname = '" + CUSTOMERS_AS_OF + "'"
)
_TYPES = "SELECT typname::text FROM pg_type WHERE typnamespace = {namespace} AND typrelid = 0 AND typname IN ({names})"
# PostgreSQL accepts a plain unique index as replica identity when all its columns are NOT NULL.
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
    """An existing table, view, index, sequence or function.

    Attributes:
        kind: the kind of relation, in words.
        comment: its comment, or empty.
        is_owned: whether the role has the privileges of its owner.
        replica_identity: PostgreSQL's letter for the replica identity.
        on: the table of an index.
        key: the columns of the primary key.
        columns: for each column name, whether it is NOT NULL, and its comment.
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
        """Whether the sync created it, by the marker in its comment."""
        return self.comment.startswith(MARK)


@dataclass(frozen=True)
class Rename:
    """One rename.

    Attributes:
        what: a description for people.
        statements: the SQL statements.
        table: the altered table, by its new name.
    """

    what: str
    statements: tuple[str, ...]
    table: str


@dataclass(frozen=True)
class SchemaState:
    """The state of a schema.

    Attributes:
        schema: the schema's name.
        exists: whether the schema exists.
        relations: tables, views, indexes, sequences and functions by name.
        types: standalone types, not row types of tables.
        version: the revision in the version table.
        emails_are_unique: whether an index of `unified_customers` makes emails unique regardless of case.
        identity_index: a unique index of `unified_customers` that can be its replica identity.
        earlier: relations that have names of release 0001.
        renames: the pending renames; the other attributes describe the schema after them.
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
        """Return whether the sync created an existing table."""
        relation = self.relations[table.name]
        return relation.kind == "table" and (relation.is_marked or self._is_from_before_marks(table, relation))

    def _is_from_before_marks(self, table: Table, relation: Relation) -> bool:
        """Return whether the version before the markers created a table, rather than only adding columns to it."""
        versions = self.relations.get(VERSION_TABLE)
        if versions is None or versions.is_marked:
            return False
        if table is catalogue.UNIFIED_CUSTOMERS:
            return relation.columns.get("email") == (True, _EMAIL_COMMENT_BEFORE_MARKS)
        required = {c.name for c in table.columns if not c.nullable} & set(relation.columns)
        return relation.key == table.key and all(relation.columns[name][0] for name in required)

    def foreign_relations(self) -> list[str]:
        """Return other programs' relations and types that have our names, in words, sorted by name."""
        found = {name: relation.kind for name, relation in self.relations.items() if not self._fits(name, relation)}
        return [f"the {kind} {name}" for name, kind in sorted((found | dict.fromkeys(self.types, "type")).items())]

    def _fits(self, name: str, relation: Relation) -> bool:
        if name == CUSTOMERS:
            return True  # another program may have created it; `column_types` decides whether we can write to it
        table = _TABLES.get(name)
        if table:
            return self.is_ours(table)
        if name == VERSION_TABLE:
            return relation.kind == "table" and (relation.is_marked or relation.key == ("version_num",))
        if name in _VIEWS or name == CUSTOMERS_AS_OF:
            return relation.kind in {"view", "function"} and relation.is_marked
        if name in _INDEXES:
            return relation.kind == "index" and relation.on == _INDEXES[name]
        return relation.kind == "sequence" and (relation.is_marked or VERSION_TABLE in self.relations)


_TABLES = {table.name: table for table in catalogue.TABLES}
_VIEWS = tuple(view.name for view in VIEWS)
_INDEXES = {
    str(index.name): table.name for table in build_metadata("public").tables.values() for index in table.indexes
}


def read_state(query: Query, schema: str) -> SchemaState:
    """Return the state of a schema."""
    names = (*_TABLES, VERSION_TABLE)
    parameters = {"namespace": _NAMESPACE.format(schema=literal(schema)), "names": ", ".join(map(literal, names))}
    columns: dict[str, dict[str, tuple[bool, str]]] = {}
    with_columns = parameters | {"names": ", ".join(map(literal, (*names, *earlier_names.TABLES)))}
    for table, column, required, comment in query(_COLUMNS.format(**with_columns)):
        columns.setdefault(table, {})[column] = (required, comment)
    every = (*names, *_VIEWS, *_INDEXES, REVISIONS, *earlier_names.NAMES)
    every_name = parameters | {"names": ", ".join(map(literal, every))}
    found = {
        name: Relation(_KINDS.get(kind, "relation"), comment, owned, identity, on, _key(key), columns.get(name, {}))
        for name, kind, comment, owned, identity, on, key in query(_RELATIONS.format(**every_name))
    }
    relations = {name: one for name, one in found.items() if name not in earlier_names.NAMES}
    for comment, owned in query(_FUNCTION.format(**parameters)):
        relations[CUSTOMERS_AS_OF] = Relation("function", comment, owned, "", "", (), {})
    indexes = [tuple(row) for row in query(_CUSTOMER_INDEXES.format(**parameters))]
    return SchemaState(
        schema=schema,
        exists=any(found for (found,) in query(f"SELECT {parameters['namespace']} IS NOT NULL AS found")),
        relations=relations,
        types=frozenset(name for (name,) in query(_TYPES.format(**parameters))),
        version=_version(query, schema, relations),
        emails_are_unique=any(plain and expression in _LOWER_EMAIL for _, expression, plain, _ in indexes),
        identity_index=next((name for name, *_, identifies in indexes if identifies), None),
        earlier={name: one for name, one in found.items() if name in earlier_names.NAMES},
    )


def _key(columns: str) -> tuple[str, ...]:
    return tuple(columns.split(",")) if columns else ()


def _version(query: Query, schema: str, relations: Mapping[str, Relation]) -> str | None:
    relation = relations.get(VERSION_TABLE)
    if relation is None or "version_num" not in relation.columns:
        return None
    return next(
        (str(version) for (version,) in query(f'SELECT version_num::text FROM "{schema}".{VERSION_TABLE}')), None
    )
