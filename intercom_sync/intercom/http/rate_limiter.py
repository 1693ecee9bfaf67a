"""Rate limiting (R5.2): a cap per second, and the rate budget in Intercom's response headers.

Intercom splits the minute into windows of ten seconds. Every response says how many calls the current window still
allows and when the next one starts (Intercom's reference, "Rate limiting"). Each stream has its own limiter.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import ceil

from intercom_sync.intercom.errors import CancelledError

Clock = Callable[[], float]
Sleep = Callable[[float], None]

_WINDOW_SECONDS = 10.0
MAX_WINDOW_SECONDS = 12.0
"""Maximum wait for a reset: a window of ten seconds and some clock skew."""
_CAP_INTERVAL_SECONDS = 1.02
"""One second plus network jitter; permits are also spaced slightly apart."""
_SMOOTHING = 0.05
"""Weight of one response in the moving average of response times."""
_MAX_SLEEP_SECONDS = 0.2
"""How often a waiting call checks for a larger budget and for cancellation."""


def interruptible_sleep(seconds: float, sleep: Sleep, stop: threading.Event | None) -> None:
    """Sleep in short intervals, so that it can be cancelled.

    Raises:
        CancelledError: `stop` was set.
    """
    remaining_seconds = seconds
    while remaining_seconds > 0:
        if stop is not None and stop.is_set():
            raise CancelledError
        sleep(min(remaining_seconds, _MAX_SLEEP_SECONDS))
        remaining_seconds -= _MAX_SLEEP_SECONDS
    if stop is not None and stop.is_set():
        raise CancelledError


def number(headers: Mapping[str, str], name: str) -> int | None:
    """Return the integer in a header, or None when it is missing or invalid."""
    text = headers.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 15 else None


def seconds_to_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds until the window resets, from 0 to `MAX_WINDOW_SECONDS`; None when the headers do not say.

    They count from the response's Date when there is one, so that a wrong local clock (`now`) has no effect.
    """
    reset = number(headers, "X-RateLimit-Reset")
    if reset is None:
        return None
    with contextlib.suppress(ValueError, TypeError):
        now = parsedate_to_datetime(headers.get("Date", "")).timestamp()
    return min(max(reset - now, 0.0), MAX_WINDOW_SECONDS)


@dataclass(frozen=True)
class Permit:
    """Permission for one call: when it was granted, and its sequence number."""

    at: float
    number: int


class RateBudget:
    """Track the calls that the current window still allows, less those that Intercom may not have counted yet."""

    def __init__(self, *, clock: Clock = time.monotonic, wall: Clock = time.time) -> None:
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._limit = 1
        self._window: int | None = None
        self._resets_at: float | None = None
        self._last_allowed = 0
        self._granted = 0
        self._in_flight: set[int] = set()

    @property
    def per_second(self) -> float | None:
        """Return the calls a second over a whole window; None before the first response."""
        with self._lock:
            return None if self._resets_at is None else self._limit / _WINDOW_SECONDS

    def reserve(self) -> tuple[int, float]:
        """Return the number of the next call and 0.0, or the seconds to wait before the next attempt."""
        with self._lock:
            now = self._clock()
            if self._resets_at is not None and now >= self._resets_at:
                # A new window without any response yet: assume the last limit, less the calls in flight.
                self._last_allowed = self._granted + max(self._limit - len(self._in_flight), 1)
                self._resets_at, self._window = now + MAX_WINDOW_SECONDS, None
            if self._resets_at is not None and self._granted >= self._last_allowed:
                # The response of a call in flight may raise the budget before the window ends.
                wait = self._resets_at - now
                return 0, min(wait, _MAX_SLEEP_SECONDS) if self._in_flight else wait
            self._granted += 1
            self._in_flight.add(self._granted)
            return self._granted, 0.0

    def return_permit(self, number: int) -> None:
        """Record that a call ended without a response."""
        with self._lock:
            self._in_flight.discard(number)

    def release(self, number: int) -> None:
        """Return an unused number to the budget."""
        with self._lock:
            self._in_flight.discard(number)
            self._last_allowed += 1

    def update_from_headers(self, permit: int, headers: Mapping[str, str]) -> None:
        """Record a response and update the budget from its headers."""
        remaining, window = number(headers, "X-RateLimit-Remaining"), number(headers, "X-RateLimit-Reset")
        wait = seconds_to_reset(headers, self._wall())
        with self._lock:
            self._in_flight.discard(permit)
            if remaining is None or window is None or wait is None or window < (self._window or 0):
                return
            # This response does not count later calls, and perhaps not earlier ones without a response.
            allowed = permit + remaining - sum(other < permit for other in self._in_flight)
            resets_at = self._clock() + wait
            if window == self._window and self._resets_at is not None:
                allowed, resets_at = min(allowed, self._last_allowed), min(resets_at, self._resets_at)
            self._limit = max(number(headers, "X-RateLimit-Limit") or remaining, 1)
            self._last_allowed, self._resets_at, self._window = allowed, resets_at, window


class RateLimiter:
    """Grant permits: at most `per_second` in any second, within the rate budget, and none while paused. Thread-safe."""

    def __init__(
        self,
        per_second: int | None,
        budget: RateBudget,
        *,
        clock: Clock = time.monotonic,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._per_second = per_second
        self._budget = budget
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._granted: deque[float] = deque()
        self._response_seconds = 0.0
        self._paused_until = 0.0

    def target_concurrency(self) -> int:
        """Return the concurrency that uses the whole budget at the current response time; 1 while unknown."""
        rates = [rate for rate in (self._per_second, self._budget.per_second) if rate is not None]
        with self._lock:
            return max(1, ceil(min(rates, default=0.0) * self._response_seconds))

    def acquire(self, stop: threading.Event | None = None) -> Permit:
        """Wait for a permit; it is ended by `on_response`, `on_failure` or `release`.

        Raises:
            CancelledError: `stop` was set during the wait.
        """
        while True:
            permit, wait = self._try_acquire()
            if wait <= 0:
                return permit
            interruptible_sleep(wait, self._sleep, stop)

    def mark_sent(self, permit: Permit) -> None:
        """Restart the permit's second when the call is sent, because its thread may have waited for the processor."""
        with self._lock:
            if self._per_second is None:
                return
            with contextlib.suppress(ValueError):
                self._granted.remove(permit.at)
            self._granted.append(self._clock())

    def on_response(self, permit: Permit, headers: Mapping[str, str]) -> None:
        """Record the response of a call and its headers."""
        with self._lock:
            taken = self._clock() - permit.at
            self._response_seconds += (taken - self._response_seconds) * (_SMOOTHING if self._response_seconds else 1.0)
        self._budget.update_from_headers(permit.number, headers)

    def on_failure(self, permit: Permit) -> None:
        """Record a call without a response."""
        self._budget.return_permit(permit.number)

    def release(self, permit: Permit) -> None:
        """Return an unused permit."""
        with self._lock, contextlib.suppress(ValueError):
            self._granted.remove(permit.at)
        self._budget.release(permit.number)

    def pause(self, seconds: float) -> None:
        """Grant no permits for some seconds: a 429 applies to all callers."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _try_acquire(self) -> tuple[Permit, float]:
        with self._lock:
            now, permit = self._clock(), 0
            wait = max(self._paused_until - now, self._seconds_to_slot(now))
            if wait <= 0:
                permit, wait = self._budget.reserve()
            if wait <= 0 and self._per_second is not None:
                self._granted.append(now)
            return Permit(now, permit), wait

    def _seconds_to_slot(self, now: float) -> float:
        while self._granted and now - self._granted[0] >= _CAP_INTERVAL_SECONDS:
            self._granted.popleft()
        if self._per_second is None or not self._granted:
            return 0.0
        if len(self._granted) < self._per_second:
            return self._granted[-1] + 0.5 / self._per_second - now
        return max(self._granted[0] + _CAP_INTERVAL_SECONDS - now, 0.001)
