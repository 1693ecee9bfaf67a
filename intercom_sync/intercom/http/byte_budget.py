"""A limit on the memory that all answers in flight take together: each holds its bytes, and waits for those of others.

An answer holds bytes from the first piece of its body until its records were handed to who asked for them.
"""

import threading
from typing import Self

from intercom_sync.intercom.errors import CancelledError

TOTAL = 96 * 2**20
"""Bytes of all answers together, but for the one that may go beyond: some hundred pages of the usual size."""
_NAP = 0.2
"""Seconds after which a waiting answer looks whether its read was stopped."""


class Budget:
    """Bytes that answers hold. Safe for threads.

    An answer that would go beyond the total waits until others give bytes back. The one that grows for the longest
    time waits only until the others fit: so one can always be read to its end, and no two wait for each other. All
    together never hold more than the total and the largest answer.
    """

    def __init__(self, total: int = TOTAL) -> None:
        self._total = total
        self._growing: dict[Share, None] = {}
        self._changed = threading.Condition()
        self.used = 0
        """Bytes held now."""
        self.peak = 0
        """The most that was ever held."""

    def share(self) -> "Share":
        """Return what one answer will hold; nothing as yet."""
        return Share(self)

    def resize(self, share: "Share", held: int, stop: threading.Event | None) -> None:
        """Let an answer hold so many bytes; see `Share.hold`."""
        with self._changed:
            self._growing.setdefault(share)
            while not self._fits(share, held):
                if stop is not None and stop.is_set():
                    raise CancelledError
                self._changed.wait(_NAP)
            self._set(share, held)

    def settle(self, share: "Share", held: int) -> None:
        """Let an answer that will not grow any more hold so many bytes."""
        with self._changed:
            self._growing.pop(share, None)
            self._set(share, held)

    def _fits(self, share: "Share", held: int) -> bool:
        others = self.used - share.held
        if held <= share.held or others + held <= self._total:
            return True
        return others <= self._total and next(iter(self._growing)) is share

    def _set(self, share: "Share", held: int) -> None:
        less = held < share.held
        self.used += held - share.held
        share.held = held
        self.peak = max(self.peak, self.used)
        if less or share not in self._growing:
            self._changed.notify_all()


class Share:
    """The bytes that one answer holds. Use it in a `with`, or release it when its records are handed on."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.held = 0

    def hold(self, size: int, stop: threading.Event | None = None) -> None:
        """Hold so many bytes in all, after a wait where others hold too many.

        Raises:
            Stopped: `stop` was set during the wait.
        """
        self._budget.resize(self, size, stop)

    def settle(self, size: int) -> None:
        """Hold so many bytes from now on, and no more."""
        self._budget.settle(self, size)

    def release(self) -> None:
        """Give everything back; what was given back may be held again."""
        self._budget.settle(self, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
