"""`intercom-sync migrate`: bring the tables up to date and print what was changed; a sync does the same first."""

from intercom_sync.settings import Settings
from intercom_sync.warehouse.postgres.connect import database_place, is_made, migrate_database


def migrate(settings: Settings, *, dry_run: bool) -> int:
    """Migrate the database, or only print what that would change; return 0.

    Raises:
        SettingsError: the database may be another program's.
        WarehouseError: no connection, or something that a sync needs is missing; nothing was changed then.
    """
    place = database_place(settings)
    if dry_run and not is_made(settings):
        print(f"There is no database yet: a migration makes one, {place}, with every table.")
        return 0
    steps = migrate_database(settings, dry_run=dry_run)
    for step in steps:
        print(step.what)
    if not steps:
        print(f"Schema {settings.schema_name} is up to date.")
    else:
        done = "to make" if dry_run else "made"
        print(f"{len(steps)} changes {done} in schema {settings.schema_name}, {place}.")
    return 0
