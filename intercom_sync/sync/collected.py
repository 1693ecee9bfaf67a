"""What reading one stream brought, counted as it lands. Reading and landing belong to `collect` and `parts`."""

import logging
from dataclasses import dataclass, field
from typing import Any

from intercom_sync.domain.sift import Sifted
from intercom_sync.intercom.reader import Completeness

_LOG = logging.getLogger("intercom_sync.sync")


@dataclass
class Collected:
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
    read: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    completeness: Completeness | None = None
    complete: bool | None = None
    gone: int = 0
    details: int = 0
    given_up: int = 0
    ignored_ratings: int = 0

    def add(self, sifted: Sifted[Any]) -> None:
        """Count records that have landed, and say which of them were refused."""
        self.read += len(sifted.ids)
        self.ignored_ratings += sum(getattr(one, "ignored_rating", False) for one, _ in sifted.usable.values())
        for bad in sifted.refused.values():
            reason = bad.rejection.reason
            self.refused[reason] = self.refused.get(reason, 0) + 1
            _LOG.warning("Skipped %s %s: %s", self.kind, bad.id, bad.rejection)
