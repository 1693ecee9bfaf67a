"""Errors of the database. Each message is one sentence that says what to do."""

from intercom_sync.domain.errors import FatalError, RetryableError, SyncError


class WarehouseError(SyncError):
    """The database cannot be used as it is."""


class DatabaseUnreachableError(WarehouseError, RetryableError):
    """No connection to the database can be made."""


class DatabaseBusyError(WarehouseError, RetryableError):
    """The database is reachable, but others hold a connection or lock that the sync needs; retrying helps."""


class DatabaseRefusedError(WarehouseError, FatalError):
    """The database is reachable but refuses a request: a privilege, disk space or a fitting table is missing."""
