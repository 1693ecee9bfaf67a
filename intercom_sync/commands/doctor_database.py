"""Database checks of `intercom-sync doctor`: the same requirements that a sync checks."""

import os
from collections.abc import Iterator

from intercom_sync.commands.doctor_intercom import Line
from intercom_sync.settings import Settings
from intercom_sync.warehouse.errors import WarehouseError
from intercom_sync.warehouse.postgres.connect import database_place, inspect_database, is_made


def check_database(settings: Settings) -> Iterator[Line]:
    """Check that the database meets the requirements of a sync, without changing it."""
    place = database_place(settings)
    if not is_made(settings):
        yield True, f"database: none yet; the first sync creates one, {place}"
        return
    try:
        inspection = inspect_database(settings, with_dagster=not os.environ.get("DAGSTER_HOME"))
    except WarehouseError as error:
        yield False, f"database: {error}"
        return
    changes = len(inspection.steps)
    state = (
        f"{changes} pending changes in schema {settings.schema_name}; the next sync applies them first "
        "(intercom-sync migrate --dry-run lists them)"
        if changes
        else f"tables up to date in schema {settings.schema_name}"
    )
    yield True, f"database: PostgreSQL {inspection.version}, {place}, {state}"
    yield from ((False, f"database: {problem}") for problem in inspection.problems)
    yield from ((True, f"database: {note}") for note in inspection.notes)
