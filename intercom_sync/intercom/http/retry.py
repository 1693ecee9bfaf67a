"""A call that gets as many attempts as its failures deserve, each in its turn, and is counted.

Turns are the limiter's (`limits`), verdicts on an answer those of `answers`; which calls to make is decided elsewhere.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from intercom_sync.intercom.errors import (
    CancelledError,
    ConnectionFailedError,
    IntercomError,
    NotFoundError,
    ResponseTooLargeError,
    ServiceUnavailableError,
    UnsupportedVersionError,
)
from intercom_sync.intercom.http import responses
from intercom_sync.intercom.http.byte_budget import Budget, Share
from intercom_sync.intercom.http.rate_limiter import (
    Clock,
    Permit,
    RateLimiter,
    Sleep,
    interruptible_sleep,
    number,
    seconds_to_reset,
)
from intercom_sync.intercom.http.responses import RetryableResponseError, Validator
from intercom_sync.intercom.http.transport import NoResponseError, RawResponse, Transport

RETRIES = 3
"""Further attempts after a network error, a time-out, a 5xx or an unusable answer."""
THROTTLED_RETRIES = 8
"""Further attempts after a 429, each after the window's reset: waiting one's turn is no failure, but has an end."""
MAX_WAIT_SECONDS = 60.0
"""Seconds that no single wait exceeds, whatever a Retry-After says."""
_MEMORY_PER_BYTE = 5
"""How many times its largest size an answer may take once it is read: one of the largest that is mostly text fits."""

_LOG = logging.getLogger("intercom_sync.intercom")


@dataclass(frozen=True)
class RequestStats:
    """API calls so far: attempts sent, those of them that were retries, and calls given up."""

    requests: int = 0
    retries: int = 0
    errors: int = 0


@dataclass(frozen=True)
class ApiRequest:
    """What to ask: the body is made anew for each attempt, so that a page can shrink after a time-out."""

    method: str
    path: str
    validator: Validator
    body: Callable[[], Mapping[str, Any] | None] = lambda: None
    timed_out: Callable[[], None] = lambda: None
    too_large: Callable[[], bool] = lambda: False
    """Asks for less from the next attempt on; False where that cannot be."""


def backoff(attempt: int) -> float:
    """Seconds to wait before the retry after attempt 0, 1, 2…: exponential, with full jitter."""
    return random.uniform(0.1, min(2.0**attempt, MAX_WAIT_SECONDS))  # noqa: S311  (jitter, no secret)


def throttled_wait(headers: Mapping[str, str], attempt: int, now: float) -> float:
    """Seconds to wait after a 429: its Retry-After, else until the window's reset, else exponential backoff."""
    stated = number(headers, "Retry-After")
    wait = float(stated) if stated is not None else seconds_to_reset(headers, now)
    jitter = backoff(min(attempt, 3)) / 4
    return min(wait + jitter, MAX_WAIT_SECONDS) if wait else backoff(attempt + 1)


class RetryingCaller:
    """Makes calls over one transport and counts them. Safe for threads."""

    def __init__(
        self, transport: Transport, budget: Budget, *, wall: Clock = time.time, sleep: Sleep = time.sleep
    ) -> None:
        self._transport = transport
        self.budget = budget
        self._wall = wall
        self._sleep = sleep
        self._counts = RequestStats()
        self._lock = threading.Lock()

    @property
    def request_stats(self) -> RequestStats:
        """Calls made so far."""
        with self._lock:
            return self._counts

    def call(
        self,
        call: ApiRequest,
        limiter: RateLimiter,
        *,
        turn: Permit | None = None,
        stop: threading.Event | None = None,
        share: Share | None = None,
    ) -> Any:
        """The JSON value that a call answers; see `IntercomClient.search` for its arguments and what it raises."""
        if share is not None:
            return self._made(call, limiter, turn, stop, share)
        with self.budget.share() as own:
            return self._made(call, limiter, turn, stop, own)

    def _made(
        self, call: ApiRequest, limiter: RateLimiter, turn: Permit | None, stop: threading.Event | None, share: Share
    ) -> Any:
        failures = throttled = 0
        while True:
            turn = limiter.acquire(stop) if turn is None else turn
            self._count(requests=1, retries=int(failures + throttled > 0))
            found = self._outcome(call, limiter, turn, throttled, stop, share)
            if not isinstance(found, RetryableResponseError | NoResponseError):
                return found
            is_429 = isinstance(found, RetryableResponseError) and found.throttled
            failures, throttled = failures + (not is_429), throttled + is_429
            is_smaller = isinstance(found, NoResponseError) and found.too_large and call.too_large()
            if (failures > RETRIES and not is_smaller) or throttled > THROTTLED_RETRIES:
                raise self._given_up(call, found, failures + throttled)
            if found.timed_out:
                call.timed_out()
            turn = None
            if not is_429:
                interruptible_sleep(backoff(min(failures - 1, RETRIES)), self._sleep, stop)

    def _outcome(
        self,
        call: ApiRequest,
        limiter: RateLimiter,
        turn: Permit,
        throttled: int,
        stop: threading.Event | None,
        share: Share,
    ) -> Any:
        """The value of one attempt, or why there is none.

        The reason is returned without its traceback, whose frames would keep the answer in memory.
        """
        try:
            return self._attempt(call, limiter, turn, throttled, stop, share)
        except (RetryableResponseError, NoResponseError) as verdict:
            share.release()
            verdict.__context__ = None
            return verdict.with_traceback(None)
        except IntercomError as error:
            share.release()
            self._count(errors=int(not isinstance(error, NotFoundError | UnsupportedVersionError | CancelledError)))
            raise

    def _attempt(
        self,
        call: ApiRequest,
        limiter: RateLimiter,
        turn: Permit,
        throttled: int,
        stop: threading.Event | None,
        share: Share,
    ) -> Any:
        limiter.mark_sent(turn)
        try:
            answer = self._transport.send(call.method, call.path, call.body(), share, stop)
        except BaseException:
            limiter.on_failure(turn)
            raise
        limiter.on_response(turn, answer.headers)
        if answer.status == 429:
            limiter.pause(throttled_wait(answer.headers, throttled, self._wall()))
        return self._value(call, answer, share, stop)

    def _value(self, call: ApiRequest, answer: RawResponse, share: Share, stop: threading.Event | None) -> Any:
        """What an answer says, which takes memory of its own once it is read."""
        memory = responses.memory(answer.body)
        largest = _MEMORY_PER_BYTE * self._transport.largest_answer
        if memory > largest:
            raise NoResponseError(f"an answer that takes more than {largest >> 20} MB of memory", too_large=True)
        share.hold(len(answer.body) + memory, stop)
        found = responses.parse_response(answer.status, answer.headers, answer.body, call.validator)
        share.settle(memory)
        return found

    def _given_up(
        self, call: ApiRequest, verdict: RetryableResponseError | NoResponseError, attempts: int
    ) -> IntercomError:
        self._count(errors=1)
        _LOG.warning("Intercom: a call was given up after %d attempts (%s)", attempts, verdict.reason)
        if isinstance(verdict, NoResponseError) and verdict.too_large:
            return ResponseTooLargeError(f"{call.method} {call.path}", verdict.reason, attempts)
        if isinstance(verdict, NoResponseError) and not verdict.timed_out:
            return ConnectionFailedError(self._transport.base_url, verdict.reason)
        return ServiceUnavailableError(verdict.reason, attempts)

    def _count(self, requests: int = 0, retries: int = 0, errors: int = 0) -> None:
        with self._lock:
            was = self._counts
            self._counts = RequestStats(was.requests + requests, was.retries + retries, was.errors + errors)
