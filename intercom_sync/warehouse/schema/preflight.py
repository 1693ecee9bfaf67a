"""Preflight checks: what a sync requires of the database. Run by the doctor, and by a sync before it changes anything.

Each check yields one sentence per unmet requirement and changes nothing. deploy/README.md has the GRANT statements.
"""

from collections.abc import Callable, Iterator

from intercom_sync.domain.schema import tables as catalogue
from intercom_sync.warehouse.errors import DatabaseRefusedError
from intercom_sync.warehouse.postgres.error_translation import SETTING
from intercom_sync.warehouse.postgres.frames import is_known
from intercom_sync.warehouse.postgres.session import Session, literal, quoted
from intercom_sync.warehouse.schema.column_types import unwritable_reasons
from intercom_sync.warehouse.schema.ddl import EMAIL_INDEX
from intercom_sync.warehouse.schema.migration_plan import lacks_identity, plan
from intercom_sync.warehouse.schema.schema_state import CUSTOMERS, SchemaState

OLDEST = 15
"""The oldest major version of PostgreSQL that the tests run on."""

_RESERVED = ("pg_", "information_schema")
_GRANTS = f"(deploy/README.md has the statements), or name another role in {SETTING}."
_IS_READ_ONLY = (
    "SELECT CASE WHEN pg_is_in_recovery() THEN 'it is a standby' "
    "WHEN current_setting('default_transaction_read_only')::bool THEN 'default_transaction_read_only is on' END"
)
# In tables that others own, only `forget` deletes rows.
_NEEDED = " AND ".join(f"has_table_privilege(c.oid, '{right}')" for right in ("SELECT", "INSERT", "UPDATE"))
_LACKING = (
    "SELECT string_agg(c.relname::text, ', ' ORDER BY c.relname) FROM pg_class c JOIN pg_namespace n "
    "ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = ANY(string_to_array($2, ',')) "
    f"AND NOT ({_NEEDED} AND (c.relname = 'unified_customers' OR has_table_privilege(c.oid, 'DELETE')))"
)
# An INSERT uses the sequences of the columns that it does not name: ours, and serial columns of other systems.
_SEQUENCES = (
    "SELECT DISTINCT format('%I.%I', o.nspname, s.relname) AS name FROM pg_attrdef d "
    "JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.adnum "
    "JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid "
    "JOIN pg_class s ON p.refclassid = 'pg_class'::regclass AND s.oid = p.refobjid "
    "JOIN pg_namespace o ON o.oid = s.relnamespace "
    "WHERE n.nspname = $1 AND c.relname = ANY(string_to_array($2, ',')) AND a.attidentity = '' "
    "AND CASE s.relkind WHEN 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') ELSE FALSE END ORDER BY 1"
)
_PUBLISHED = (
    "SELECT t.tablename::text AS name, min(t.pubname::text) AS publication FROM pg_publication_tables t "
    "JOIN pg_publication p ON p.pubname = t.pubname AND (p.pubupdate OR p.pubdelete) "
    "WHERE t.schemaname = $1 AND t.tablename = ANY(string_to_array($2, ',')) GROUP BY 1 ORDER BY 1"
)
_REFUSAL = "intercom_sync.refusal"
# The server catches the error. Otherwise the transaction would be aborted and accept no further statement.
_ASK = (
    f"DO $do$ BEGIN PERFORM set_config('{_REFUSAL}', '', TRUE); EXECUTE {{statement}}; "
    f"EXCEPTION WHEN OTHERS THEN PERFORM set_config('{_REFUSAL}', SQLERRM, TRUE); END $do$"
)
_NAMES = ",".join(table.name for table in catalogue.TABLES)


def require(session: Session, state: SchemaState) -> None:
    """Require that the database meets every requirement of a sync.

    Raises:
        DatabaseRefusedError: the first unmet requirement.
    """
    for problem in problems(session, state):
        raise DatabaseRefusedError(problem)


def problems(session: Session, state: SchemaState) -> Iterator[str]:
    """Yield one sentence per unmet requirement of a sync. Runs inside the caller's transaction."""
    for check in CHECKS:
        yield from check(session, state)


def refuse_foreign_relations(state: SchemaState) -> None:
    """Refuse a schema in which another program's table has one of our names.

    Raises:
        DatabaseRefusedError: there is such a table; the message names it.
    """
    for problem in _foreign_relations(state):
        raise DatabaseRefusedError(problem)


def missing_rights(session: Session, schema: str) -> Iterator[str]:
    """Yield the privileges that the role lacks to create tables in a schema, or the schema itself."""
    privileges = session.frame(
        "SELECT has_schema_privilege(oid, 'USAGE') AS usage, has_schema_privilege(oid, 'CREATE') AS make "
        "FROM pg_namespace WHERE nspname = $1",
        schema,
    ).rows()
    if not privileges:
        if not session.value("SELECT has_database_privilege(current_database(), 'CREATE')"):
            yield (
                f"The schema {schema} is missing, and the role may not create it: create it and grant USAGE and CREATE "
                f"on it, or grant CREATE on the database {_GRANTS}"
            )
    elif not all(privileges[0]):
        yield (
            f"The role may not create tables in the schema {schema}: grant it CREATE there; "
            f"grant USAGE and CREATE on the schema {schema} to it {_GRANTS}"
        )


def notes(state: SchemaState, encoding: str) -> Iterator[str]:
    """Yield facts that do not affect a sync but may affect other programs."""
    if encoding != "UTF8":
        yield (
            f"the encoding {encoding} lacks some characters: contacts that use them are rejected; UTF8 has them all"
            if encoding != "SQL_ASCII"
            else "the encoding SQL_ASCII knows no characters: other programs may read names wrongly; UTF8 is better"
        )
    customers = state.relations.get(CUSTOMERS)
    if customers and not state.is_ours(catalogue.UNIFIED_CUSTOMERS) and lacks_identity(customers):
        why = "the role does not own it" if state.identity_index else "and no unique index on required columns"
        yield (
            f"{CUSTOMERS} has no primary key or replica identity ({why}): before a change-data-capture tool publishes "
            f"it, {_give_identity(CUSTOMERS)}"
        )


def _server(session: Session, _: SchemaState) -> Iterator[str]:
    version = int(session.value("SELECT current_setting('server_version_num')"))
    if version < OLDEST * 10_000:
        yield f"PostgreSQL {version // 10_000} is too old: {OLDEST} or newer is needed; name one in {SETTING}."
    if why := session.value(_IS_READ_ONLY):
        yield f"PostgreSQL is read-only: name a primary server in {SETTING}: {why}."


def _encoding(session: Session, _: SchemaState) -> Iterator[str]:
    encoding = str(session.value("SELECT current_setting('server_encoding')"))
    if not is_known(encoding):
        yield (
            f"The sync does not know which characters the database's encoding {encoding} has: create a database of "
            f"encoding UTF8 and name it in {SETTING}."
        )


def _temporary_tables(session: Session, _: SchemaState) -> Iterator[str]:
    if not session.value("SELECT has_database_privilege(current_database(), 'TEMPORARY')"):
        yield f"The role may not create temporary tables: grant it TEMPORARY on the database {_GRANTS}"


def _schema(session: Session, state: SchemaState) -> Iterator[str]:
    if state.schema.startswith(_RESERVED):
        yield (f"INTERCOM_SYNC_SCHEMA is {state.schema}, a name that PostgreSQL reserves: set it to another schema.")
    elif not state.exists or any(step.what.startswith("create ") for step in plan(state)):
        yield from missing_rights(session, state.schema)
    elif not session.value("SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1",
                           state.schema):  # fmt: skip
        yield f"The role may not use the schema {state.schema}: grant USAGE and CREATE on the schema {state.schema}."


def _check_foreign_relations(_: Session, state: SchemaState) -> Iterator[str]:
    yield from _foreign_relations(state)


def _foreign_relations(state: SchemaState) -> Iterator[str]:
    if found := state.foreign_relations():
        yield (
            f"The schema {state.schema} holds {', '.join(found)}, which intercom_sync did not create: nothing was "
            "changed. Set INTERCOM_SYNC_SCHEMA to a schema of its own, or rename what is there."
        )


def _customers(session: Session, state: SchemaState) -> Iterator[str]:
    if CUSTOMERS in state.relations:
        yield from unwritable_reasons(session, state.schema)


def _ownership(_: Session, state: SchemaState) -> Iterator[str]:
    altered = {step.table for step in plan(state) if step.table and not state.relations[step.table].is_owned}
    if altered:
        yield (
            f"The role may not change {', '.join(sorted(altered))} in the schema {state.schema}: grant it ownership of "
            f"{' and of '.join(sorted(altered))} for one intercom-sync migrate {_GRANTS}"
        )


def _unique_emails(session: Session, state: SchemaState) -> Iterator[str]:
    customers = state.relations.get(CUSTOMERS)
    if (
        customers is None
        or "email" not in customers.columns
        or state.emails_are_unique
        or EMAIL_INDEX in state.relations
    ):
        return
    table = f"{quoted(state.schema)}.{CUSTOMERS}"
    twice = f"SELECT lower(email) FROM {table} WHERE email IS NOT NULL GROUP BY lower(email) HAVING count(*) > 1"
    if customers.kind == "table" and session.value(f"SELECT EXISTS ({twice})"):
        yield f"{state.schema}.{CUSTOMERS} holds rows whose emails differ only in case: merge them, then sync again."


def _rights(session: Session, state: SchemaState) -> Iterator[str]:
    if lacking := session.value(_LACKING, state.schema, _NAMES):
        yield (
            f"The role may not read and write {lacking} in the schema {state.schema}: grant it SELECT, INSERT, UPDATE "
            f"and DELETE there {_GRANTS}"
        )


def _sequences(session: Session, state: SchemaState) -> Iterator[str]:
    for name in session.frame(_SEQUENCES, state.schema, _NAMES)["name"]:
        yield f"The role may not draw from the sequence {name}: grant it USAGE on the sequence {name} {_GRANTS}"


def _replica_identity(session: Session, state: SchemaState) -> Iterator[str]:
    """Try an EXPLAIN UPDATE of each published table: PostgreSQL also checks the publication's columns and filters."""
    changing = {rename.table for rename in state.renames}
    changing |= {CUSTOMERS} & {step.table for step in plan(state)}
    for name, publication in session.frame(_PUBLISHED, state.schema, _NAMES).iter_rows():
        if name in changing:
            # A pending migration may add a replica identity or rename columns; `prepare` checks again after it.
            continue
        column = quoted(next(iter(state.relations[name].columns)))
        update = f"EXPLAIN UPDATE {quoted(state.schema)}.{name} SET {column} = {column} WHERE FALSE"
        session.execute(_ASK.format(statement=literal(update)))
        if refusal := session.value(f"SELECT current_setting('{_REFUSAL}')"):
            yield (
                f"The publication {publication} keeps the sync from writing {name} ({refusal}): {_give_identity(name)}"
            )


def _give_identity(table: str) -> str:
    return f"ALTER TABLE {table} REPLICA IDENTITY FULL, or give it a primary key that the publication includes."


CHECKS: tuple[Callable[[Session, SchemaState], Iterator[str]], ...] = (
    _server,
    _encoding,
    _temporary_tables,
    _schema,
    _check_foreign_relations,
    _customers,
    _ownership,
    _rights,
    _unique_emails,
    _sequences,
    _replica_identity,
)
"""All requirements of a sync, in the order in which they are checked."""
