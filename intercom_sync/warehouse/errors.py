"""What can go wrong with the database, each as one sentence that says what to do."""


class WarehouseError(Exception):
    """The database cannot be used as it is."""


class DatabaseUnreachableError(WarehouseError):
    """No connection to the database can be made."""


class DatabaseBusyError(WarehouseError):
    """The database is there, and others keep from the sync what it needs: a connection, or a lock. That passes."""


class DatabaseRefusedError(WarehouseError):
    """The database is there and refuses what the sync needs: rights, space, or a table that does not fit."""
