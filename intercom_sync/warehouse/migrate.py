"""Bring a database up to the catalogue: make what is missing, add our columns to tables of others, keep the rest.

Missing tables, columns and indexes are found by comparison at every start, so a table that somebody dropped comes back;
changes beyond that are Alembic revisions under `migrations/`. Nothing is ever dropped or narrowed.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError

from intercom_sync.domain import tables as catalogue
from intercom_sync.warehouse import tables
from intercom_sync.warehouse.errors import DatabaseRefusedError
from intercom_sync.warehouse.session import SETTING, Session, driver_url, plain_url, quoted

HEAD = "0001"
_MAY_MAKE_TABLES = (
    "SELECT has_schema_privilege(n, 'USAGE') AND has_schema_privilege(n, 'CREATE') FROM to_regnamespace($1) n"
)
# Of what others own, only `forget` deletes.
_NEEDED = " AND ".join(f"has_table_privilege(c.oid, '{right}')" for right in ("SELECT", "INSERT", "UPDATE"))
_LACKING = (
    "SELECT string_agg(c.relname::text, ', ' ORDER BY c.relname) FROM pg_class c "
    "WHERE c.relnamespace = to_regnamespace($1) AND c.relname = ANY(string_to_array($2, ',')) "
    f"AND NOT ({_NEEDED} AND (c.relname = 'unified_customers' OR has_table_privilege(c.oid, 'DELETE')))"
)


def prepare(url: str, schema: str) -> None:
    """Make sure that every table and column of the catalogue is there.

    A database that is up to date costs two queries. Otherwise the change is made in one transaction under a lock, so
    that several processes may start at once.

    Raises:
        DatabaseUnreachableError: no connection.
        DatabaseRefusedError: a right is missing, or `unified_customers` holds two rows for one email.
    """
    with Session(url, schema) as session, session.transaction():
        if _is_current(session, schema):
            _require_rights(session, schema)
            return
    engine = sa.create_engine(driver_url(plain_url(url)), poolclass=sa.NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('intercom_sync.migrate'))"))
            if connection.scalar(sa.text("SELECT to_regnamespace(:name)::text"), {"name": quoted(schema)}) is None:
                connection.execute(sa.schema.CreateSchema(schema))
            _add_what_is_missing(connection, schema)
            _run_revisions(connection, schema)
    except DBAPIError as error:
        raise _refusal(error, schema) from None
    with Session(url, schema) as session, session.transaction():
        _require_rights(session, schema)


def create_schema(url: str, schema: str) -> None:
    """Make a schema when absent; the role may lack the right to make one that is there already.

    Raises:
        DatabaseUnreachableError: no connection.
        DatabaseRefusedError: the role may neither make it nor make tables in it.
    """
    with Session(url, schema) as session, session.transaction():
        if session.value("SELECT to_regnamespace($1)::text", quoted(schema)) is None:
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
        if not session.value(_MAY_MAKE_TABLES, quoted(schema)):
            raise DatabaseRefusedError(
                f"The role may not make tables in the schema {schema}: grant it USAGE and CREATE there, or name "
                f"another role in {SETTING}."
            )


def _require_rights(session: Session, schema: str) -> None:
    """Refuse at the start what would fail at the end: a table that the role may not read or write.

    Raises:
        DatabaseRefusedError: naming the tables and the rights.
    """
    lacking = session.value(_LACKING, quoted(schema), ",".join(table.name for table in catalogue.TABLES))
    if lacking:
        raise DatabaseRefusedError(
            f"The role may not read and write {lacking} in the schema {schema}: grant it SELECT, INSERT, UPDATE and "
            f"DELETE there (deploy/README.md has the statements), or name another role in {SETTING}."
        )


def _is_current(session: Session, schema: str) -> bool:
    there = session.frame(
        "SELECT table_name::text AS t, column_name::text AS c FROM information_schema.columns WHERE table_schema = $1",
        schema,
    ).rows()
    wanted = {(table.name, column) for table in catalogue.TABLES for column in table.names}
    indexed = session.value("SELECT to_regclass($1)::text", f'"{schema}".{tables.EMAIL_INDEX}')
    if not wanted <= set(there) or indexed is None or ("intercom_sync_version", "version_num") not in there:
        return False
    return bool(session.value("SELECT version_num::text FROM intercom_sync_version") == HEAD)


def _add_what_is_missing(connection: sa.Connection, schema: str) -> None:
    metadata = tables.build(schema)
    inspector = sa.inspect(connection)
    existing = set(inspector.get_table_names(schema=schema))
    metadata.create_all(connection, checkfirst=True)
    for table in metadata.tables.values():
        if table.name in existing:
            _add_missing_columns(connection, table, {c["name"] for c in inspector.get_columns(table.name, schema)})
            for index in table.indexes:
                index.create(connection, checkfirst=True)


def _add_missing_columns(connection: sa.Connection, table: sa.Table, there: set[str]) -> None:
    for column in table.columns:
        if column.name not in there:
            # Rows that others wrote have no value yet, so a column that joins them cannot be required.
            definition = sa.schema.CreateColumn(column).compile(dialect=connection.dialect).string
            if column.server_default is None and column.computed is None:
                definition = definition.replace(" NOT NULL", "")
            name = connection.dialect.identifier_preparer.format_table(table)
            connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {definition}")


def _run_revisions(connection: sa.Connection, schema: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, schema=schema, metadata=tables.build(schema))
    command.upgrade(config, "head")


def _refusal(error: DBAPIError, schema: str) -> DatabaseRefusedError:
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    if state == "23505":
        return DatabaseRefusedError(
            f"{schema}.unified_customers holds rows whose emails differ only in case: merge them, then sync again."
        )
    if state == "42501":
        return DatabaseRefusedError(
            f"The role may not make or change tables in the schema {schema}: grant it CREATE there and ownership of "
            f"unified_customers (deploy/README.md has the statements), or name another role in {SETTING}."
        )
    sentence = str(error.orig).splitlines()[0] if error.orig else type(error).__name__
    return DatabaseRefusedError(f"The tables in the schema {schema} cannot be brought up to date: {sentence}")
