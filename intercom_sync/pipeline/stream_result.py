"""What a sync tells while it works: how many records of a kind it has read, of how many."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from intercom_sync.domain.parse_records import ParsedBatch
from intercom_sync.intercom.errors import IntercomError
from intercom_sync.intercom.reader import ScanCounts

Progress = Callable[[str, int, int | None], None]
"""Takes a kind (contacts, conversations, parts), the number done so far, and the number expected where known."""


def no_progress(kind: str, done: int, expected: int | None) -> None:
    """Tell nobody."""


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


_LOG = logging.getLogger("intercom_sync.pipeline")


@dataclass
class StreamResult:
    """What reading one stream brought.

    Attributes:
        kind: contact or conversation.
        read: records read by this run.
        refused: those that cannot be used, by reason.
        completeness: what was read against the API's own counts; None where an earlier try had read it all.
        complete: whether a full read found all there was; None for a window.
        gone: landed records that a complete full read did not find, or that are listed as deleted.
        details: conversations whose parts were fetched.
        given_up: conversations whose parts could not be fetched; the next run takes them up.
        ignored_ratings: ratings outside 1 to 5.
    """

    kind: str
    records_seen: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    scan_counts: ScanCounts | None = None
    is_complete: bool | None = None
    deleted: int = 0
    parts_fetched: int = 0
    parts_failed: int = 0
    ignored_ratings: int = 0

    def add(self, sifted: ParsedBatch[Any]) -> None:
        """Count records that have landed, and say which of them were refused."""
        self.records_seen += len(sifted.ids)
        self.ignored_ratings += sum(getattr(one, "ignored_rating", False) for one, _ in sifted.valid.values())
        for bad in sifted.rejected.values():
            reason = bad.error.reason
            self.rejected[reason] = self.rejected.get(reason, 0) + 1
            _LOG.warning("Skipped %s %s: %s", self.kind, bad.id, bad.error)
