"""`intercom-sync migrate`: migrate the schema and print the changes; every sync does this first."""

from intercom_sync.settings import Settings
from intercom_sync.warehouse.postgres.connect import database_place, is_made, migrate_database


def migrate(settings: Settings, *, dry_run: bool) -> int:
    """Migrate the database, or only print the pending changes, and return 0.

    Raises:
        SettingsError: the database may belong to another program.
        WarehouseError: no connection, or a requirement of a sync is missing; nothing is changed.
    """
    place = database_place(settings)
    if dry_run and not is_made(settings):
        print(f"There is no database yet: a migration creates one, {place}, with every table.")
        return 0
    steps = migrate_database(settings, dry_run=dry_run)
    for step in steps:
        print(step.what)
    if not steps:
        print(f"Schema {settings.schema_name} is up to date.")
    else:
        state = "pending" if dry_run else "applied"
        print(f"{len(steps)} changes {state} in schema {settings.schema_name}, {place}.")
    return 0
