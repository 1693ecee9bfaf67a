"""`intercom-sync forget EMAIL`: erase one person from every table of ours, and keep them out from then on.

Prints numbers of rows and never who it was.
"""

from intercom_sync.settings import Settings
from intercom_sync.warehouse.postgres.connect import open_warehouse
from intercom_sync.warehouse.privacy.erase_person import erase_person as forget_person

_KEPT_OUT = "Syncs leave them out from now on, under any spelling of the email and any contact they were known by."
_ELSEWHERE = (
    "Out of reach: Intercom itself, alerts that are in Slack already, and systems that write to unified_customers or "
    "copy it. Delete them there as well."
)


def forget(settings: Settings, email: str) -> int:
    """Forget whoever has an email; return 0.

    Raises:
        WarehouseError: the database is not to be had, or refuses; nothing is done then.
    """
    with open_warehouse(settings)() as session:
        removed = forget_person(session, email)
    for table, rows in sorted(removed.items()):
        print(f"{table}: {rows} {'row' if rows == 1 else 'rows'} removed")
    if not any(removed.values()):
        print("Nothing of them was here.")
    print(_KEPT_OUT)
    print(_ELSEWHERE)
    return 0
