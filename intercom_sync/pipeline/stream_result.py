"""Results, progress reports and batches of a stream's extraction."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from intercom_sync.domain.parse_records import ParsedBatch
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.intercom.errors import IntercomError
from intercom_sync.intercom.reader import ScanCounts

Progress = Callable[[str, int, int | None], None]
"""Takes a kind (contacts, conversations, parts), the number done so far, and the number expected where known."""


def no_progress(kind: str, done: int, expected: int | None) -> None:
    """Report no progress."""


_MAX_BATCH_BYTES = 16 * 2**20
"""The size at which a batch is full; while it lands, a batch is in memory several times."""


class _Sized(Protocol):
    @property
    def size(self) -> int:
        """Its approximate size in memory, in bytes."""
        ...


_Item = TypeVar("_Item", bound=_Sized)


def batches(items: Iterable[_Item], most: int) -> Iterator[list[_Item]]:
    """Yield items in batches of at most `most`, and fewer if they are large.

    If Intercom fails, the items fetched before are yielded before the error is raised.
    """
    batch: list[_Item] = []
    try:
        for item in items:
            batch.append(item)
            if len(batch) == most or sum(each.size for each in batch) >= _MAX_BATCH_BYTES:
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
    """The result of extracting one stream.

    Attributes:
        kind: contact or conversation.
        records_seen: the number of records fetched by this run.
        rejected: the number of rejected records by reason.
        scan_counts: seen records compared with Intercom's own counts; None if an earlier attempt finished the scan.
        is_complete: whether a full scan saw all records; None for a window.
        deleted: the number of landed records deleted because a complete full scan did not see them, or because Intercom
            lists them as deleted.
        parts_fetched: the number of conversations whose parts were fetched.
        parts_failed: the number of conversations whose parts could not be fetched; the next run retries them.
        ignored_ratings: the number of ratings outside 1 to 5.
    """

    kind: RecordKind
    records_seen: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    scan_counts: ScanCounts | None = None
    is_complete: bool | None = None
    deleted: int = 0
    parts_fetched: int = 0
    parts_failed: int = 0
    ignored_ratings: int = 0

    def add(self, batch: ParsedBatch[Any]) -> None:
        """Count a landed batch, and log its rejected records."""
        self.records_seen += len(batch.ids)
        self.ignored_ratings += sum(getattr(one, "ignored_rating", False) for one, _ in batch.valid.values())
        for record in batch.rejected.values():
            reason = record.error.reason
            self.rejected[reason] = self.rejected.get(reason, 0) + 1
            _LOG.warning("Skipped %s %s: %s", self.kind, record.id, record.error)
