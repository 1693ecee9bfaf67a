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
from intercom_sync.warehouse.column_types import refuse_unfit
from intercom_sync.warehouse.errors import DatabaseRefusedError, WarehouseError
from intercom_sync.warehouse.refusals import SETTING, from_driver
from intercom_sync.warehouse.rights import may_make_tables, refuse_old_servers, require_rights
from intercom_sync.warehouse.session import Session, quoted
from intercom_sync.warehouse.urls import driver_url, patient_url

HEAD = "0001"


def prepare(url: str, schema: str) -> None:
    """Make sure that every table and column of the catalogue is there.

    A database that is up to date costs two queries. Otherwise the change is made in one transaction under a lock, so
    that several processes may start at once.

    Raises:
        DatabaseUnreachableError: no connection.
        DatabaseBusyError: no connection is free, or another program holds the tables.
        DatabaseRefusedError: a right is missing, the server is too old, or `unified_customers` cannot be written: it is
            no table, a column is generated or of another kind, or it holds two rows for one email.
    """
    with Session(url, schema) as session, session.transaction():
        refuse_old_servers(session)
        refuse_unfit(session, schema)
        if _is_current(session, schema):
            require_rights(session, schema)
            return
    engine = sa.create_engine(driver_url(patient_url(url)), poolclass=sa.NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('intercom_sync.migrate'))"))
            if connection.scalar(sa.text("SELECT to_regnamespace(:name)::text"), {"name": quoted(schema)}) is None:
                connection.execute(sa.schema.CreateSchema(schema))
            _add_what_is_missing(connection, schema)
            _run_revisions(connection, schema)
    except DBAPIError as error:
        raise _refusal(error, url, schema) from None
    with Session(url, schema) as session, session.transaction():
        require_rights(session, schema)


def create_schema(url: str, schema: str) -> None:
    """Make a schema when absent; the role may lack the right to make one that is there already.

    Raises:
        DatabaseUnreachableError: no connection.
        DatabaseRefusedError: the role may neither make it nor make tables in it.
    """
    with Session(url, schema) as session, session.transaction():
        if session.value("SELECT to_regnamespace($1)::text", quoted(schema)) is None:
            # IF NOT EXISTS alone may fail when two make it at the same moment.
            session.value("SELECT pg_advisory_xact_lock(hashtext('intercom_sync.migrate'))::text")
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
        may_make_tables(session, schema)


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


def _refusal(error: DBAPIError, url: str, schema: str) -> WarehouseError:
    state = getattr(error.orig, "pgcode", None)
    if state == "23505":
        return DatabaseRefusedError(
            f"{schema}.unified_customers holds rows whose emails differ only in case: merge them, then sync again."
        )
    if state == "42501":
        return DatabaseRefusedError(
            f"The role may not make or change tables in the schema {schema}: grant it CREATE there and ownership of "
            f"unified_customers (deploy/README.md has the statements), or name another role in {SETTING}."
        )
    return from_driver(error, url)
