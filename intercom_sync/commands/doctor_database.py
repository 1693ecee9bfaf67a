"""What `intercom-sync doctor` checks at the database: what a sync needs, by the list that a sync asks too."""

import os
from collections.abc import Iterator

from intercom_sync.commands.doctor_intercom import Line
from intercom_sync.settings import Settings
from intercom_sync.warehouse.errors import WarehouseError
from intercom_sync.warehouse.postgres.connect import database_place, inspect_database, is_made


def check_database(settings: Settings) -> Iterator[Line]:
    """Check that the database has what a sync needs; changes nothing."""
    place = database_place(settings)
    if not is_made(settings):
        yield True, f"database: none yet; the first sync makes one, {place}"
        return
    try:
        found = inspect_database(settings, with_dagster=not os.environ.get("DAGSTER_HOME"))
    except WarehouseError as error:
        yield False, f"database: {error}"
        return
    changes = len(found.steps)
    state = (
        f"{changes} changes to make in schema {settings.schema_name}, which a sync makes first "
        "(intercom-sync migrate --dry-run lists them)"
        if changes
        else f"tables up to date in schema {settings.schema_name}"
    )
    yield True, f"database: PostgreSQL {found.version}, {place}, {state}"
    yield from ((False, f"database: {problem}") for problem in found.problems)
    yield from ((True, f"database: {note}") for note in found.notes)
