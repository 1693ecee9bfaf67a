"""Fault injection: failures that a `Sandbox` returns in place of, or in addition to, its response.

    sandbox.faults.add(rate_limited(), match="POST /contacts/search", times=2)
    sandbox.faults.add(reset(), match=lambda request: request.path.endswith("/search"), after=3, times=1)

A fault applies to authenticated requests only; the first matching fault in the order of addition is used. `wire`
sends the faulty responses.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any

from intercom_sync.sandbox.errors import ApiError
from intercom_sync.sandbox.requests import Request

Match = str | Callable[[Request], bool]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of failure.

    Attributes:
        status: the response status; None keeps the correct response, which other attributes can change.
        body: the response body, if there is a status.
        headers: headers to add or replace.
        rate_headers: whether the response keeps its X-RateLimit headers.
        exhausted: whether X-RateLimit-Remaining is 0.
        stall: delay of the response in seconds.
        cut: `before` resets the connection before the response, `inside` in the middle of the body.
        shorten: whether to send only half of the body, with correct framing.
        edit: a change of the body's JSON.
        drip: which of `head` and `body` is sent one byte at a time without end.
    """

    status: int | None = None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    rate_headers: bool = True
    exhausted: bool = False
    stall: float = 0.0
    cut: str = ""
    shorten: bool = False
    edit: Callable[[Any], Any] | None = None
    drip: str = ""


def status(
    code: int, body: bytes | str = b"", headers: dict[str, str] | None = None, *, rate_headers: bool = True
) -> Fault:
    """Return a fault: a response with this status, body and headers."""
    return Fault(code, body.encode() if isinstance(body, str) else body, headers or {}, rate_headers)


def error(status: int, code: str, message: str, *, rate_headers: bool = True) -> Fault:
    """Return a fault: this status with Intercom's error body."""
    return Fault(status, ApiError(status, code, message).body(), rate_headers=rate_headers)


def rate_limited(*, headers: bool = True, retry_after: int | None = None) -> Fault:
    """Return a fault: 429, optionally without rate headers or with a Retry-After header."""
    body = ApiError(429, "rate_limit_exceeded", "Exceeded rate limit of 83 in 10_seconds").body()
    extra = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Fault(429, body, extra, rate_headers=headers, exhausted=True)


def server_error() -> Fault:
    """Return a fault: 500 with an error body."""
    return error(500, "server_error", "Something went wrong")


def bad_gateway() -> Fault:
    """Return a fault: 502 with the HTML page of a proxy."""
    page = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
    return Fault(502, page, {"Content-Type": "text/html"}, rate_headers=False)


def unavailable() -> Fault:
    """Return a fault: 503 with an error body."""
    return error(503, "service_unavailable", "Sorry, the API service is temporarily unavailable")


def empty_body() -> Fault:
    """Return a fault: 200 with an empty body, which Intercom sends occasionally."""
    return Fault(200)


def cursor_refused() -> Fault:
    """Return a fault: 400 `client_error`, as for a cursor rejected during a scan."""
    return error(400, "client_error", "starting_after is not a valid cursor")


def stall(seconds: float) -> Fault:
    """Return a fault: the correct response, delayed."""
    return Fault(stall=seconds)


def reset() -> Fault:
    """Return a fault: the connection is reset before the response."""
    return Fault(cut="before")


def reset_inside_body() -> Fault:
    """Return a fault: the connection is reset after half of the body."""
    return Fault(cut="inside")


def truncated_json() -> Fault:
    """Return a fault: half of the body with correct framing, so complete in HTTP but invalid JSON."""
    return Fault(shorten=True)


def drip(section: str) -> Fault:
    """Return a fault: `head` or `body` is sent one byte at a time without end, so no single read times out."""
    return Fault(drip=section)


def overcounted(more: int) -> Fault:
    """Return a fault: a search response whose total_count is too high."""
    return edited(lambda answer: answer | {"total_count": answer["total_count"] + more})


def edited(change: Callable[[Any], Any]) -> Fault:
    """Return a fault: the correct response with its JSON changed by a function."""
    return Fault(edit=change)


def oversized(megabytes: int) -> Fault:
    """Return a fault: 200 with a JSON body of this size."""
    return Fault(200, b'{"padding":"' + b" " * (megabytes << 20) + b'"}')


def garbled() -> Fault:
    """Return a fault: 200 whose body does not match its Content-Encoding."""
    return Fault(200, b"no gzip", {"Content-Encoding": "gzip"})


@dataclass(slots=True)
class _Plan:
    fault: Fault
    match: Match
    remaining: int | None
    after: int

    def applies(self, request: Request) -> bool:
        if self.remaining == 0 or not _matches(self.match, request):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.remaining is not None:
            self.remaining -= 1
        return True


def _matches(match: Match, request: Request) -> bool:
    if callable(match):
        return match(request)
    method, space, pattern = match.rpartition(" ")
    return (not space or method == request.method) and fnmatchcase(request.path, pattern)


class Faults:
    """The planned faults of a sandbox."""

    def __init__(self) -> None:
        self._plans: list[_Plan] = []
        self._lock = Lock()

    def add(self, fault: Fault, *, match: Match = "*", times: int | None = None, after: int = 0) -> None:
        """Plan a fault.

        Args:
            fault: the fault, from a function of this module.
            match: a path or `METHOD path` with `*` as wildcard, or a predicate on the request.
            times: to how many requests it applies; None means no limit.
            after: how many matching requests succeed first.
        """
        with self._lock:
            self._plans.append(_Plan(fault, match, times, after))

    def clear(self) -> None:
        """Remove all planned faults."""
        with self._lock:
            self._plans.clear()

    def take(self, request: Request) -> Fault | None:
        """Return the fault for this request, if any, and count it."""
        with self._lock:
            return next((plan.fault for plan in self._plans if plan.applies(request)), None)
