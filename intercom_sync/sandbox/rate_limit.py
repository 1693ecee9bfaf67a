"""Intercom's rate limit: a number of requests per 10-second window, reported in three headers of every response.

Windows are fixed and start at multiples of ten seconds. Contacts, conversations and all other paths have separate
counters. Source: Intercom's page on rate limiting, which does not mention Retry-After.
"""

WINDOW_SECONDS = 10
_DOCUMENTED_LIMIT = round(10_000 / 6)  # a sixth of 10,000 requests per minute


class RateWindows:
    """The request counters. `rate` is requests per second; None is the documented 10,000 per minute."""

    def __init__(self, rate: float | None) -> None:
        self.limit = _DOCUMENTED_LIMIT if rate is None else max(1, round(rate * WINDOW_SECONDS))
        self._used: dict[str, tuple[int, int]] = {}

    def take(self, family: str, now: float) -> bool:
        """Count a request at `now` (UNIX seconds) and return whether it is within the limit."""
        window = int(now // WINDOW_SECONDS)
        used = self._count(family, window)
        self._used[family] = (window, used + 1)
        return used < self.limit

    def headers(self, family: str, now: float) -> dict[str, str]:
        """Return X-RateLimit-Limit, -Remaining and -Reset (UNIX seconds of the end of the window)."""
        window = int(now // WINDOW_SECONDS)
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self._count(family, window))),
            "X-RateLimit-Reset": str((window + 1) * WINDOW_SECONDS),
        }

    def _count(self, family: str, window: int) -> int:
        counted_window, used = self._used.get(family, (window, 0))
        return used if counted_window == window else 0


def family_of(path: str) -> str:
    """Return the rate limit counter of a path."""
    first = path.split("/", 2)[1]
    return first if first in ("contacts", "conversations") else "other"
