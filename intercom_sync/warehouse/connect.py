"""Which database, and is it ready: the named server or the embedded one, with its tables brought up to date."""

from collections.abc import Callable
from functools import partial

from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import Pool

from intercom_sync.settings import Settings
from intercom_sync.warehouse.embedded import embedded_url
from intercom_sync.warehouse.migrate import prepare
from intercom_sync.warehouse.session import Session


def database_url(settings: Settings) -> str:
    """Return the URL of the database; without a named server the embedded one is started and held by this process."""
    return settings.database_url or embedded_url(settings.home)


def open_warehouse(settings: Settings) -> Callable[[], Session]:
    """Bring the tables up to date and return what opens sessions.

    Raises:
        DatabaseUnreachableError: no connection.
        DatabaseRefusedError: a right is missing.
    """
    url = database_url(settings)
    prepare(url, settings.schema)
    return partial(Session, url, settings.schema)


def notice_broken_connections() -> None:
    """Let SQLAlchemy try a pooled connection before it hands it out, and make one anew that a restart broke."""
    event.listen(Pool, "checkout", _refuse_broken)


def _refuse_broken(connection: DBAPIConnection, *_: object) -> None:
    try:
        connection.cursor().execute("SELECT 1")
    except Exception:
        raise DisconnectionError from None
