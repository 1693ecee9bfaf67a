"""`intercom-sync forget EMAIL`: erase one person from every table and add them to the suppression list.

It prints row counts and never the person's identity.
"""

from intercom_sync.settings import Settings
from intercom_sync.warehouse.postgres.connect import open_warehouse
from intercom_sync.warehouse.privacy.erase_person import erase_person

_SUPPRESSED = "Later syncs exclude this person, under any spelling of the email and any of their contact ids."
_NOT_DELETED = (
    "Not deleted: data in Intercom, alerts already sent to Slack, and copies in systems that read or write "
    "unified_customers. Delete it there as well."
)


def forget(settings: Settings, email: str) -> int:
    """Erase everyone with an email and return 0.

    Raises:
        WarehouseError: the database is unavailable or rejects the change; nothing is erased.
    """
    with open_warehouse(settings)() as session:
        removed = erase_person(session, email)
    for table, rows in sorted(removed.items()):
        print(f"{table}: {rows} {'row' if rows == 1 else 'rows'} removed")
    if not any(removed.values()):
        print("No data of this person was found.")
    print(_SUPPRESSED)
    print(_NOT_DELETED)
    return 0
