"""Retries with exponential backoff (R5.3): attempts, waits and request statistics of one call."""

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
"""Retries after a network error, a time-out, a 5xx or an unusable response."""
THROTTLED_RETRIES = 8
"""Retries after a 429, each after the window's reset. More than `RETRIES`, because throttling is no failure."""
MAX_WAIT_SECONDS = 60.0
"""Maximum of a single wait, also with a longer Retry-After."""
_MEMORY_PER_BYTE = 5
"""Maximum memory of a parsed response per byte of the size limit; enough for a maximum response of mostly text."""

_LOG = logging.getLogger("intercom_sync.intercom")


@dataclass(frozen=True)
class RequestStats:
    """Count the API calls so far: attempts sent, retries among them, and calls that failed after all retries."""

    requests: int = 0
    retries: int = 0
    errors: int = 0


@dataclass(frozen=True)
class ApiRequest:
    """Describe a request. The body is built for each attempt, so that a page can shrink after a time-out."""

    method: str
    path: str
    validator: Validator
    body: Callable[[], Mapping[str, Any] | None] = lambda: None
    timed_out: Callable[[], None] = lambda: None
    too_large: Callable[[], bool] = lambda: False
    """Reduces the size of the next attempt; returns False when it cannot be reduced."""


def backoff(attempt: int) -> float:
    """Return the seconds to wait after attempt 0, 1, 2…: exponential backoff with full jitter."""
    return random.uniform(0.1, min(2.0**attempt, MAX_WAIT_SECONDS))  # noqa: S311  (jitter, no secret)


def throttled_wait(headers: Mapping[str, str], attempt: int, now: float) -> float:
    """Return the seconds to wait after a 429: by Retry-After, else until the window's reset, else by backoff."""
    stated = number(headers, "Retry-After")
    wait = float(stated) if stated is not None else seconds_to_reset(headers, now)
    jitter = backoff(min(attempt, 3)) / 4
    return min(wait + jitter, MAX_WAIT_SECONDS) if wait else backoff(attempt + 1)


class RetryingCaller:
    """Call the API over one transport, with retries and statistics. Thread-safe."""

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
        """Return the statistics so far."""
        with self._lock:
            return self._counts

    def call(
        self,
        call: ApiRequest,
        limiter: RateLimiter,
        *,
        permit: Permit | None = None,
        stop: threading.Event | None = None,
        share: Share | None = None,
    ) -> Any:
        """Return the JSON value of a response; see `IntercomClient.search` for arguments and errors."""
        if share is not None:
            return self._call_with_retries(call, limiter, permit, stop, share)
        with self.budget.share() as own:
            return self._call_with_retries(call, limiter, permit, stop, own)

    def _call_with_retries(
        self, call: ApiRequest, limiter: RateLimiter, permit: Permit | None, stop: threading.Event | None, share: Share
    ) -> Any:
        failures = throttled = 0
        while True:
            permit = limiter.acquire(stop) if permit is None else permit
            self._count(requests=1, retries=int(failures + throttled > 0))
            outcome = self._attempt_outcome(call, limiter, permit, throttled, stop, share)
            if not isinstance(outcome, RetryableResponseError | NoResponseError):
                return outcome
            is_429 = isinstance(outcome, RetryableResponseError) and outcome.throttled
            failures, throttled = failures + (not is_429), throttled + is_429
            is_smaller = isinstance(outcome, NoResponseError) and outcome.too_large and call.too_large()
            if (failures > RETRIES and not is_smaller) or throttled > THROTTLED_RETRIES:
                raise self._final_error(call, outcome, failures + throttled)
            if outcome.timed_out:
                call.timed_out()
            permit = None
            if not is_429:
                interruptible_sleep(backoff(min(failures - 1, RETRIES)), self._sleep, stop)

    def _attempt_outcome(
        self,
        call: ApiRequest,
        limiter: RateLimiter,
        permit: Permit,
        throttled: int,
        stop: threading.Event | None,
        share: Share,
    ) -> Any:
        """Return the value of one attempt, or its retryable error.

        The error is returned without its traceback, whose frames would keep the response in memory.
        """
        try:
            return self._attempt(call, limiter, permit, throttled, stop, share)
        except (RetryableResponseError, NoResponseError) as error:
            share.release()
            error.__context__ = None
            return error.with_traceback(None)
        except IntercomError as fatal:
            share.release()
            self._count(errors=int(not isinstance(fatal, NotFoundError | UnsupportedVersionError | CancelledError)))
            raise

    def _attempt(
        self,
        call: ApiRequest,
        limiter: RateLimiter,
        permit: Permit,
        throttled: int,
        stop: threading.Event | None,
        share: Share,
    ) -> Any:
        limiter.mark_sent(permit)
        try:
            response = self._transport.send(call.method, call.path, call.body(), share, stop)
        except BaseException:
            limiter.on_failure(permit)
            raise
        limiter.on_response(permit, response.headers)
        if response.status == 429:
            limiter.pause(throttled_wait(response.headers, throttled, self._wall()))
        return self._parse(call, response, share, stop)

    def _parse(self, call: ApiRequest, response: RawResponse, share: Share, stop: threading.Event | None) -> Any:
        """Parse a response, after reserving memory for its parsed value."""
        memory = responses.estimate_memory(response.body)
        max_memory = _MEMORY_PER_BYTE * self._transport.max_response_bytes
        if memory > max_memory:
            raise NoResponseError(f"a response that takes more than {max_memory >> 20} MB of memory", too_large=True)
        share.hold(len(response.body) + memory, stop)
        outcome = responses.parse_response(response.status, response.headers, response.body, call.validator)
        share.settle(memory)
        return outcome

    def _final_error(
        self, call: ApiRequest, error: RetryableResponseError | NoResponseError, attempts: int
    ) -> IntercomError:
        self._count(errors=1)
        _LOG.warning("Intercom: a call failed after %d attempts (%s)", attempts, error.reason)
        if isinstance(error, NoResponseError) and error.too_large:
            return ResponseTooLargeError(f"{call.method} {call.path}", error.reason, attempts)
        if isinstance(error, NoResponseError) and not error.timed_out:
            return ConnectionFailedError(self._transport.base_url, error.reason)
        return ServiceUnavailableError(error.reason, attempts)

    def _count(self, requests: int = 0, retries: int = 0, errors: int = 0) -> None:
        with self._lock:
            counts = self._counts
            self._counts = RequestStats(counts.requests + requests, counts.retries + retries, counts.errors + errors)
