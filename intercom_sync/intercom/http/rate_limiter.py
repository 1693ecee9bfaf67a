"""How fast Intercom may be called: a cap per second of our own, and the allowance Intercom states in its headers.

Intercom cuts the minute into windows of ten seconds and says with every answer how many calls the window still allows
and when the next begins (its reference, "Rate limiting"); each stream has its own limiter and
allowance. Which answers are tried again is not decided here.
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
"""Seconds."""
MAX_WINDOW_SECONDS = 12.0
"""Seconds: no stated reset is waited for longer than a window of ten and some skew between the clocks."""
_ONE_SECOND = 1.02
"""A second and some of the jitter between leaving here and arriving there; for the rest, turns come a little apart."""
_SMOOTHING = 0.05
"""The weight of one answer in how long answers take."""
_MAX_SLEEP_SECONDS = 0.2
"""Seconds after which a waiting call looks again: the allowance may have grown, or the read may have been stopped."""


def interruptible_sleep(seconds: float, sleep: Sleep, stop: threading.Event | None) -> None:
    """Sleep in short pieces.

    Raises:
        Stopped: `stop` was set before the time was over.
    """
    left = seconds
    while left > 0:
        if stop is not None and stop.is_set():
            raise CancelledError
        sleep(min(left, _MAX_SLEEP_SECONDS))
        left -= _MAX_SLEEP_SECONDS
    if stop is not None and stop.is_set():
        raise CancelledError


def number(headers: Mapping[str, str], name: str) -> int | None:
    """A header's whole number, or None where it is missing or nonsense."""
    text = headers.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 15 else None


def seconds_to_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until the stated window ends, between 0 and `MAX_WINDOW_SECONDS`; None where the headers do not say.

    Measured from the answer's own Date where there is one, so that a wrong local clock (`now`) does no harm.
    """
    reset = number(headers, "X-RateLimit-Reset")
    if reset is None:
        return None
    with contextlib.suppress(ValueError, TypeError):
        now = parsedate_to_datetime(headers.get("Date", "")).timestamp()
    return min(max(reset - now, 0.0), MAX_WINDOW_SECONDS)


@dataclass(frozen=True)
class Permit:
    """One call's leave to go: when it was given, and its number among all that were."""

    at: float
    number: int


class RateBudget:
    """What Intercom's headers still allow in the current window, less the calls it may not have counted yet."""

    def __init__(self, *, clock: Clock = time.monotonic, wall: Clock = time.time) -> None:
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._limit = 1
        self._window: int | None = None
        self._resets: float | None = None
        self._last_allowed = 0
        self._given = 0
        self._under_way: set[int] = set()

    @property
    def per_second(self) -> float | None:
        """Calls a second over a whole window; None before any answer told."""
        with self._lock:
            return None if self._resets is None else self._limit / _WINDOW_SECONDS

    def reserve(self) -> tuple[int, float]:
        """The number of the next call and 0.0, or the seconds to wait before asking again."""
        with self._lock:
            now = self._clock()
            if self._resets is not None and now >= self._resets:
                # A window nobody has told of yet: as much as the last one, less what is still on its way.
                self._last_allowed = self._given + max(self._limit - len(self._under_way), 1)
                self._resets, self._window = now + MAX_WINDOW_SECONDS, None
            if self._resets is not None and self._given >= self._last_allowed:
                # With calls under way the next answer may tell more before the window ends.
                wait = self._resets - now
                return 0, min(wait, _MAX_SLEEP_SECONDS) if self._under_way else wait
            self._given += 1
            self._under_way.add(self._given)
            return self._given, 0.0

    def return_permit(self, number: int) -> None:
        """Note that a call is over without an answer."""
        with self._lock:
            self._under_way.discard(number)

    def release(self, number: int) -> None:
        """Note that a number given will never be sent."""
        with self._lock:
            self._under_way.discard(number)
            self._last_allowed += 1

    def update_from_headers(self, permit: int, headers: Mapping[str, str]) -> None:
        """Note that a call was answered, and what the answer says of the window."""
        remaining, window = number(headers, "X-RateLimit-Remaining"), number(headers, "X-RateLimit-Reset")
        wait = seconds_to_reset(headers, self._wall())
        with self._lock:
            self._under_way.discard(permit)
            if remaining is None or window is None or wait is None or window < (self._window or 0):
                return
            # Calls sent after this one are not counted in its answer, those sent before and not answered perhaps not.
            allowed = permit + remaining - sum(each < permit for each in self._under_way)
            resets = self._clock() + wait
            if window == self._window and self._resets is not None:
                allowed, resets = min(allowed, self._last_allowed), min(resets, self._resets)
            self._limit = max(number(headers, "X-RateLimit-Limit") or remaining, 1)
            self._last_allowed, self._resets, self._window = allowed, resets, window


class RateLimiter:
    """Lets calls through one at a time: at most `per_second` in any second, within the allowance, not while paused.

    Safe for threads. `sleep` and the clocks are parameters, so that a test can run them by hand.
    """

    def __init__(
        self,
        per_second: int | None,
        allowance: RateBudget,
        *,
        clock: Clock = time.monotonic,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._per_second = per_second
        self._allowance = allowance
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._granted: deque[float] = deque()
        self._answer_takes = 0.0
        self._paused_until = 0.0

    def target_concurrency(self) -> int:
        """How many calls must be under way at once to use all that is allowed, as answers take; 1 while unknown."""
        rates = [rate for rate in (self._per_second, self._allowance.per_second) if rate is not None]
        with self._lock:
            return max(1, ceil(min(rates, default=0.0) * self._answer_takes))

    def acquire(self, stop: threading.Event | None = None) -> Permit:
        """Wait for one call's turn, and return it; every turn is ended by `answered`, `on_failure` or `release`.

        Raises:
            Stopped: `stop` was set while waiting.
        """
        while True:
            turn, wait = self._try()
            if wait <= 0:
                return turn
            interruptible_sleep(wait, self._sleep, stop)

    def mark_sent(self, permit: Permit) -> None:
        """Say that the call leaves now: its second begins here, however long its thread waited for the processor."""
        with self._lock:
            if self._per_second is None:
                return
            with contextlib.suppress(ValueError):
                self._granted.remove(permit.at)
            self._granted.append(self._clock())

    def on_response(self, permit: Permit, headers: Mapping[str, str]) -> None:
        """Say that the call was answered, and with which headers."""
        with self._lock:
            taken = self._clock() - permit.at
            self._answer_takes += (taken - self._answer_takes) * (_SMOOTHING if self._answer_takes else 1.0)
        self._allowance.update_from_headers(permit.number, headers)

    def on_failure(self, permit: Permit) -> None:
        """Say that the call was made and no answer came."""
        self._allowance.return_permit(permit.number)

    def release(self, permit: Permit) -> None:
        """Give back a turn that no call was made in."""
        with self._lock, contextlib.suppress(ValueError):
            self._granted.remove(permit.at)
        self._allowance.release(permit.number)

    def pause(self, seconds: float) -> None:
        """Let nothing through for some seconds: what a 429 asks of every caller, not just of the one it met."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _try(self) -> tuple[Permit, float]:
        with self._lock:
            now, turn = self._clock(), 0
            wait = max(self._paused_until - now, self._until_slot(now))
            if wait <= 0:
                turn, wait = self._allowance.reserve()
            if wait <= 0 and self._per_second is not None:
                self._granted.append(now)
            return Permit(now, turn), wait

    def _until_slot(self, now: float) -> float:
        while self._granted and now - self._granted[0] >= _ONE_SECOND:
            self._granted.popleft()
        if self._per_second is None or not self._granted:
            return 0.0
        if len(self._granted) < self._per_second:
            return self._granted[-1] + 0.5 / self._per_second - now
        return max(self._granted[0] + _ONE_SECOND - now, 0.001)
