"""Migrate a database to the catalogue in one transaction, by the steps of `migration_plan`.

Changes that a comparison cannot find are Alembic revisions under `migrations/`; they run before the steps of the
comparison. No column is dropped or narrowed. A table is dropped only after its rows were moved.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError

from intercom_sync.warehouse.errors import DatabaseRefusedError, WarehouseError
from intercom_sync.warehouse.postgres.error_translation import SETTING, from_driver
from intercom_sync.warehouse.postgres.session import LOCK_TIMEOUT, Session, literal, quoted
from intercom_sync.warehouse.postgres.urls import driver_url, with_timeouts
from intercom_sync.warehouse.schema import ddl
from intercom_sync.warehouse.schema.migration_plan import (
    Statement,
    Step,
    create_schema_steps,
    marks_version_table,
    missing_steps,
    plan,
    rename_steps,
)
from intercom_sync.warehouse.schema.preflight import missing_rights, refuse_foreign_relations, require
from intercom_sync.warehouse.schema.renames import read_renamed_state
from intercom_sync.warehouse.schema.schema_state import SchemaState

HEAD = "0002"


def prepare(url: str, schema: str) -> None:
    """Check the requirements of a sync, then migrate the tables if needed.

    Raises:
        DatabaseUnreachableError: no connection can be made.
        DatabaseBusyError: no connection is free, or another program locks the tables.
        DatabaseRefusedError: a requirement is not met; nothing was changed.
    """
    if pending(url, schema):
        migrate(url, schema)
        # Check again what the migration was expected to fix, such as a replica identity.
        pending(url, schema)


def pending(url: str, schema: str) -> list[Step]:
    """Return what `migrate` would change, after checking the requirements of a sync. Changes nothing.

    Raises:
        DatabaseRefusedError: a requirement is not met.
    """
    with Session(url, schema) as session, session.transaction():
        state = read_renamed_state(lambda query: session.frame(query).rows(), schema)
        require(session, state)
        return pending_steps(state)


def migrate(url: str, schema: str) -> list[Step]:
    """Migrate the tables in one transaction, one process at a time; return the steps.

    Raises:
        DatabaseBusyError: another program locks the tables.
        DatabaseRefusedError: a privilege is missing, or another program's table has one of our names.
    """
    engine = sa.create_engine(driver_url(with_timeouts(url)), poolclass=sa.NullPool)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SELECT {LOCK_TIMEOUT}")
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('intercom_sync.migrate'))")
            state = read_renamed_state(lambda query: connection.exec_driver_sql(query).fetchall(), schema)
            refuse_foreign_relations(state)
            steps = pending_steps(state)
            _execute(connection, create_schema_steps(state))
            # Renames run first, because the steps of the comparison expect the new names.
            _run_revisions(connection, schema, [one for step in rename_steps(state) for one in step.statements])
            _execute(connection, missing_steps(state))
            _mark_version_table(connection, schema)
    except DBAPIError as error:
        raise _refusal(error, url, schema) from None
    return steps


def has_our_tables(url: str, schema: str) -> bool:
    """Return whether an earlier migration created our tables in a schema."""
    with Session(url, schema) as session, session.transaction():
        state = read_renamed_state(lambda query: session.frame(query).rows(), schema)
        return state.version is not None and not state.foreign_relations()


def create_schema(url: str, schema: str) -> None:
    """Create a schema if it is missing. For an existing schema the role needs no privilege to create schemas.

    Raises:
        DatabaseUnreachableError: no connection can be made.
        DatabaseRefusedError: the role may not create the schema, or not create tables in it.
    """
    with Session(url, schema) as session, session.transaction():
        for problem in missing_rights(session, schema):
            raise DatabaseRefusedError(problem)
        if session.value("SELECT to_regnamespace($1)::text", quoted(schema)) is None:
            # IF NOT EXISTS alone can fail when two processes create the schema at the same time.
            session.value("SELECT pg_advisory_xact_lock(hashtext('intercom_sync.migrate'))::text")
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")


def pending_steps(state: SchemaState) -> list[Step]:
    """Return the steps of a migration; empty when the schema is up to date."""
    steps = plan(state)
    if state.version != HEAD or marks_version_table(state):
        steps.append(Step(f"record version {HEAD} in {ddl.VERSION_TABLE}", ()))
    return steps


def _execute(connection: sa.Connection, steps: list[Step]) -> None:
    for statement in (statement for step in steps for statement in step.statements):
        if isinstance(statement, str):
            connection.exec_driver_sql(statement)
        else:
            connection.execute(statement)


def _run_revisions(connection: sa.Connection, schema: str, renames: list[Statement]) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, schema=schema, metadata=ddl.build_metadata(schema), renames=renames)
    command.upgrade(config, "head")


def _mark_version_table(connection: sa.Connection, schema: str) -> None:
    connection.exec_driver_sql(f"COMMENT ON TABLE {quoted(schema)}.{ddl.VERSION_TABLE} IS {literal(ddl.MARK)}")


def _refusal(error: DBAPIError, url: str, schema: str) -> WarehouseError:
    state = getattr(error.orig, "pgcode", None)
    if state == "42501":
        return DatabaseRefusedError(
            f"The role may not create or alter tables in the schema {schema}: grant it CREATE there and ownership of "
            f"unified_customers (deploy/README.md has the statements), or name another role in {SETTING}."
        )
    return from_driver(error, url)
