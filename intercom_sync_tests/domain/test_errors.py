"""Every expected error says in its type whether the same attempt may succeed later."""

from collections.abc import Iterator

from intercom_sync import definitions
from intercom_sync.domain.errors import FatalError, RetryableError, SyncError
from intercom_sync.intercom.errors import ConnectionFailedError, IntercomError, ServiceUnavailableError
from intercom_sync.slack.slack_client import SlackUnavailableError
from intercom_sync.warehouse.errors import DatabaseBusyError, DatabaseUnreachableError, WarehouseError


def _subclasses(base: type[SyncError]) -> Iterator[type[SyncError]]:
    for one in base.__subclasses__():
        yield one
        yield from _subclasses(one)


def test_every_error_is_either_retryable_or_fatal() -> None:
    assert definitions  # which imports every module of a sync
    bases = {RetryableError, FatalError, IntercomError, WarehouseError}
    found = set(_subclasses(SyncError)) - bases
    assert [one for one in found if issubclass(one, RetryableError) == issubclass(one, FatalError)] == []
    passing = {ConnectionFailedError, ServiceUnavailableError, DatabaseBusyError, DatabaseUnreachableError}
    assert passing | {SlackUnavailableError} <= {one for one in found if issubclass(one, RetryableError)}


def test_an_error_of_a_package_belongs_to_its_family() -> None:
    for one in _subclasses(SyncError):
        package = one.__module__.split(".")[1]
        base = {"intercom": IntercomError, "warehouse": WarehouseError}.get(package, SyncError)
        assert issubclass(one, base), one
