"""Cut what comes one by one into batches that land together."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from intercom_sync.intercom.errors import IntercomError

_Item = TypeVar("_Item")


def batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Yield items in batches; when Intercom fails, what came before is yielded before the error goes on."""
    batch: list[_Item] = []
    try:
        for item in items:
            batch.append(item)
            if len(batch) == size:
                yield batch
                batch = []
    except IntercomError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
