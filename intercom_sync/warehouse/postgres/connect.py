"""Which database, and is it ready: the named server or the embedded one, with its tables brought up to date."""

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
    """Return the URL of the database; without a named server the embedded one is started and held by this process."""
    return settings.database_url or embedded_url(settings.home)


def database_place(settings: Settings) -> str:
    """Return where the database is, in words."""
    if settings.database_is_borrowed:
        return "the server of DATABASE_URL"
    return "the named server" if settings.database_url else f"embedded under {server_path(settings.home)}"


def is_made(settings: Settings) -> bool:
    """Whether there is a database: a named one, or an embedded one that an earlier command made."""
    return bool(settings.database_url) or server_is_made(settings.home)


def inspect_database(settings: Settings, *, with_dagster: bool) -> Inspection:
    """Inspect the database without changing it; an embedded server that is down is started for that.

    Raises:
        WarehouseError: it cannot be reached, or refuses to be looked at.
    """
    return inspect(database_url(settings), settings.schema_name, with_dagster=with_dagster)


@contextmanager
def open_unchanged(settings: Settings) -> Iterator[Session]:
    """Open a session that changes nothing, in a transaction, whether or not the tables are up to date.

    Raises:
        WarehouseError: the database cannot be reached, or refuses what is asked of it.
    """
    with Session(database_url(settings), settings.schema_name) as session, session.transaction():
        session.execute("SET TRANSACTION READ ONLY")
        yield session


def migrate_database(settings: Settings, *, dry_run: bool) -> list[Step]:
    """Bring the tables up to date, or only find out what that would change; return the changes.

    Raises:
        SettingsError: the database may be another program's.
        WarehouseError: no connection, or something that a sync needs is missing.
    """
    url = database_url(settings)
    _refuse_borrowed(settings, url)
    steps = pending(url, settings.schema_name)
    return migrate(url, settings.schema_name) if steps and not dry_run else steps


def open_warehouse(settings: Settings) -> Callable[[], Session]:
    """Bring the tables up to date and return what opens sessions.

    Raises:
        DatabaseUnreachableError: no connection.
        DatabaseRefusedError: a right is missing.
        SettingsError: the database may be another program's.
    """
    url = database_url(settings)
    _refuse_borrowed(settings, url)
    prepare(url, settings.schema_name)
    return partial(Session, url, settings.schema_name)


def _refuse_borrowed(settings: Settings, url: str) -> None:
    """Make nothing in another program's database: DATABASE_URL alone does not say that a sync is wanted there."""
    if settings.database_is_borrowed and not settings.api_key and not has_our_tables(url, settings.schema_name):
        raise SettingsError(
            "DATABASE_URL may be another program's, and its database holds no tables of intercom_sync: nothing was "
            "made. Set INTERCOM_SYNC_DATABASE_URL to the database that is meant."
        )


def notice_broken_connections() -> None:
    """Let SQLAlchemy try a pooled connection before it hands it out, and make one anew that a restart broke."""
    event.listen(Pool, "checkout", _refuse_broken)


def _refuse_broken(connection: DBAPIConnection, *_: object) -> None:
    try:
        connection.cursor().execute("SELECT 1")
    except Exception:
        raise DisconnectionError from None
