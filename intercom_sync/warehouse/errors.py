"""Errors of the database, each as one sentence that says what to do."""

from intercom_sync.domain.errors import FatalError, RetryableError, SyncError


class WarehouseError(SyncError):
    """The database cannot be used as it is."""


class DatabaseUnreachableError(WarehouseError, RetryableError):
    """No connection to the database can be made."""


class DatabaseBusyError(WarehouseError, RetryableError):
    """The database is there, and others keep from the sync what it needs: a connection, or a lock. That passes."""


class DatabaseRefusedError(WarehouseError, FatalError):
    """The database is there and refuses what the sync needs: rights, space, or a table that does not fit."""
