"""Intercom's rate limit: so many requests in each 10-second window, told in three headers on every answer.

Windows are fixed: they begin at every full ten seconds of the clock. Contacts, conversations and everything else are
counted apart. Documented on Intercom's page on rate limiting; that page knows no Retry-After.
"""

WINDOW = 10
_DOCUMENTED = round(10_000 / 6)  # 10,000 requests a minute, a sixth of them in a window


class RateWindows:
    """The counters. `rate` is requests a second (None: the documented 10,000 a minute)."""

    def __init__(self, rate: float | None) -> None:
        self.limit = _DOCUMENTED if rate is None else max(1, round(rate * WINDOW))
        self._used: dict[str, tuple[int, int]] = {}

    def take(self, family: str, now: float) -> bool:
        """Count a request at `now` (UNIX seconds); False when the window's allowance is used up."""
        window = int(now // WINDOW)
        used = self._count(family, window)
        self._used[family] = (window, used + 1)
        return used < self.limit

    def headers(self, family: str, now: float) -> dict[str, str]:
        """X-RateLimit-Limit, -Remaining and -Reset (UNIX seconds at which the window ends)."""
        window = int(now // WINDOW)
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self._count(family, window))),
            "X-RateLimit-Reset": str((window + 1) * WINDOW),
        }

    def _count(self, family: str, window: int) -> int:
        seen, used = self._used.get(family, (window, 0))
        return used if seen == window else 0


def family_of(path: str) -> str:
    """Which allowance a path draws on."""
    first = path.split("/", 2)[1]
    return first if first in ("contacts", "conversations") else "other"
