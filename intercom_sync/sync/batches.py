"""Cut what comes one by one into batches that land together."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from intercom_sync.intercom.errors import IntercomError

_LARGEST = 16 * 2**20
"""Bytes after which a batch is full: what lands together is in memory together, and some copies of it."""


class _Sized(Protocol):
    @property
    def size(self) -> int:
        """About the bytes of memory that it takes."""
        ...


_Item = TypeVar("_Item", bound=_Sized)


def batches(items: Iterable[_Item], most: int) -> Iterator[list[_Item]]:
    """Yield items in batches of as many, or of fewer large ones.

    When Intercom fails, what came before is yielded before the error goes on.
    """
    batch: list[_Item] = []
    try:
        for item in items:
            batch.append(item)
            if len(batch) == most or sum(each.size for each in batch) >= _LARGEST:
                yield batch
                batch = []
    except IntercomError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
