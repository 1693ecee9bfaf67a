"""Choose the database (configured or embedded) and open it with its tables migrated."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import Pool

from intercom_sync.settings import Settings, SettingsError
from intercom_sync.warehouse.embedded.filesystem import server_is_made, server_path
from intercom_sync.warehouse.embedded.postgres_server import embedded_url
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.schema.inspection import Inspection, inspect
from intercom_sync.warehouse.schema.migrate import has_our_tables, migrate, pending, prepare
from intercom_sync.warehouse.schema.migration_plan import Step


def database_url(settings: Settings) -> str:
    """Return the URL of the database; without a configured server, start the embedded one."""
    return settings.database_url or embedded_url(settings.home)


def database_place(settings: Settings) -> str:
    """Describe where the database is."""
    if settings.database_is_borrowed:
        return "the server of DATABASE_URL"
    return "the named server" if settings.database_url else f"embedded under {server_path(settings.home)}"


def is_made(settings: Settings) -> bool:
    """Return whether a database exists: a configured one, or an embedded one that an earlier command created."""
    return bool(settings.database_url) or server_is_made(settings.home)


def inspect_database(settings: Settings, *, with_dagster: bool) -> Inspection:
    """Inspect the database without changing it; an embedded server is started if needed.

    Raises:
        WarehouseError: the database cannot be reached, or refuses a query.
    """
    return inspect(database_url(settings), settings.schema_name, with_dagster=with_dagster)


@contextmanager
def open_unchanged(settings: Settings) -> Iterator[Session]:
    """Open a session in a read-only transaction, without migrating the tables.

    Raises:
        WarehouseError: the database cannot be reached, or refuses a query.
    """
    with Session(database_url(settings), settings.schema_name) as session, session.transaction():
        session.execute("SET TRANSACTION READ ONLY")
        yield session


def migrate_database(settings: Settings, *, dry_run: bool) -> list[Step]:
    """Migrate the tables, or in a dry run only plan the migration; return the steps.

    Raises:
        SettingsError: the database may belong to another program.
        WarehouseError: no connection can be made, or a requirement of a sync is not met.
    """
    url = database_url(settings)
    _refuse_borrowed(settings, url)
    steps = pending(url, settings.schema_name)
    return migrate(url, settings.schema_name) if steps and not dry_run else steps


def open_warehouse(settings: Settings) -> Callable[[], Session]:
    """Migrate the tables and return a function that opens sessions.

    Raises:
        DatabaseUnreachableError: no connection can be made.
        DatabaseRefusedError: a privilege is missing.
        SettingsError: the database may belong to another program.
    """
    url = database_url(settings)
    _refuse_borrowed(settings, url)
    prepare(url, settings.schema_name)
    return partial(Session, url, settings.schema_name)


def _refuse_borrowed(settings: Settings, url: str) -> None:
    """Refuse to create tables in a database that only DATABASE_URL names, as it may belong to another program."""
    if settings.database_is_borrowed and not settings.api_key and not has_our_tables(url, settings.schema_name):
        raise SettingsError(
            "DATABASE_URL may belong to another program, and its database has no tables of intercom_sync: nothing was "
            "created. Set INTERCOM_SYNC_DATABASE_URL to the database to use."
        )


def notice_broken_connections() -> None:
    """Make SQLAlchemy test a pooled connection at checkout, and replace one that a restart broke."""
    event.listen(Pool, "checkout", _refuse_broken)


def _refuse_broken(connection: DBAPIConnection, *_: object) -> None:
    try:
        connection.cursor().execute("SELECT 1")
    except Exception:
        raise DisconnectionError from None
