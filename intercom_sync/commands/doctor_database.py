"""What `intercom-sync doctor` checks at the database."""

from collections.abc import Iterator

from intercom_sync.commands.doctor_intercom import Line
from intercom_sync.settings import Settings
from intercom_sync.warehouse.connect import open_warehouse
from intercom_sync.warehouse.errors import WarehouseError


def check_database(settings: Settings) -> Iterator[Line]:
    """Check that the database has what a sync needs."""
    try:
        with open_warehouse(settings)() as session, session.transaction():
            version = session.value("SELECT current_setting('server_version')")
            where = "the named server" if settings.database_url else f"embedded under {settings.home}"
            yield True, f"database: PostgreSQL {version}, {where}, tables up to date in schema {settings.schema}"
    except WarehouseError as error:
        yield False, f"database: {error}"
