"""A byte budget that bounds the memory of all responses in flight (R5.10).

A response reserves bytes from the first chunk of its body until the caller has its records.
"""

import threading
from typing import Self

from intercom_sync.intercom.errors import CancelledError

TOTAL_BYTES = 96 * 2**20
"""Budget of all responses except the one that may exceed it; about a hundred usual pages."""
_POLL_SECONDS = 0.2
"""How often a waiting response checks for cancellation."""


class Budget:
    """Track the bytes that responses hold. Thread-safe.

    A response that would exceed the total waits until others release bytes. The oldest growing response waits only
    until the others are within the total, so one response can always finish and a deadlock is impossible. The maximum
    is the total plus the largest response.
    """

    def __init__(self, total: int = TOTAL_BYTES) -> None:
        self._total = total
        self._growing: dict[Share, None] = {}
        self._changed = threading.Condition()
        self.used = 0
        """Bytes held now, by all responses."""
        self.peak = 0
        """Maximum of `used` so far."""

    def share(self) -> "Share":
        """Return an empty share for one response."""
        return Share(self)

    def resize(self, share: "Share", size: int, stop: threading.Event | None) -> None:
        """Set the bytes of a growing response; see `Share.hold`."""
        with self._changed:
            self._growing.setdefault(share)
            while not self._fits(share, size):
                if stop is not None and stop.is_set():
                    raise CancelledError
                self._changed.wait(_POLL_SECONDS)
            self._set(share, size)

    def settle(self, share: "Share", size: int) -> None:
        """Set the final bytes of a response."""
        with self._changed:
            self._growing.pop(share, None)
            self._set(share, size)

    def _fits(self, share: "Share", size: int) -> bool:
        others = self.used - share.held
        if size <= share.held or others + size <= self._total:
            return True
        return others <= self._total and next(iter(self._growing)) is share

    def _set(self, share: "Share", size: int) -> None:
        is_smaller = size < share.held
        self.used += size - share.held
        share.held = size
        self.peak = max(self.peak, self.used)
        if is_smaller or share not in self._growing:
            self._changed.notify_all()


class Share:
    """Hold the bytes of one response. Use it as a context manager, or release it after passing the records on."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.held = 0

    def hold(self, size: int, stop: threading.Event | None = None) -> None:
        """Resize to this number of bytes; wait while the budget is exhausted.

        Raises:
            CancelledError: `stop` was set during the wait.
        """
        self._budget.resize(self, size, stop)

    def settle(self, size: int) -> None:
        """Set the final number of bytes."""
        self._budget.settle(self, size)

    def release(self) -> None:
        """Release all bytes; the share can be used again."""
        self._budget.settle(self, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
