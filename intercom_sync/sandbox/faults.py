"""Trouble on demand: what a `Sandbox` does instead of answering as it should.

    sandbox.faults.add(rate_limited(), match="POST /contacts/search", times=2)
    sandbox.faults.add(reset(), match=lambda request: request.path.endswith("/search"), after=3, times=1)

Faults strike authenticated requests only, in the order they were added, the first that matches. How an answer is
cut on the wire is the business of `wire`.
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
    """One kind of trouble.

    Attributes:
        status: of the answer; None leaves the proper answer, to be stalled, cut or shortened.
        body: of the answer, when there is a status.
        headers: to add to the answer, or to replace its own with.
        rate_headers: whether the answer keeps its X-RateLimit headers.
        exhausted: whether those say that nothing is left of the window.
        stall: seconds before anything happens.
        cut: `before` resets the connection without a byte, `inside` in the middle of the body.
        shorten: whether the body is only half of itself, in correct framing.
        edit: what is made of the body's JSON.
        drip: `head` or `body` comes a byte at a time and never ends.
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
    """An answer of this status, body and headers."""
    return Fault(code, body.encode() if isinstance(body, str) else body, headers or {}, rate_headers)


def error(code: int, word: str, message: str, *, rate_headers: bool = True) -> Fault:
    """An answer of this status with Intercom's error body."""
    return Fault(code, ApiError(code, word, message).body(), rate_headers=rate_headers)


def rate_limited(*, headers: bool = True, retry_after: int | None = None) -> Fault:
    """429, with or without the rate headers, and with a Retry-After only where asked for."""
    body = ApiError(429, "rate_limit_exceeded", "Exceeded rate limit of 83 in 10_seconds").body()
    extra = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Fault(429, body, extra, rate_headers=headers, exhausted=True)


def server_error() -> Fault:
    """500 with an error body."""
    return error(500, "server_error", "Something went wrong")


def bad_gateway() -> Fault:
    """502 with a proxy's HTML page."""
    page = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
    return Fault(502, page, {"Content-Type": "text/html"}, rate_headers=False)


def unavailable() -> Fault:
    """503 with an error body."""
    return error(503, "service_unavailable", "Sorry, the API service is temporarily unavailable")


def empty_body() -> Fault:
    """200 with nothing in it, which Intercom is known to send now and then."""
    return Fault(200)


def cursor_refused() -> Fault:
    """400 `client_error`, as for a cursor refused in the middle of a scan."""
    return error(400, "client_error", "starting_after is not a valid cursor")


def stall(seconds: float) -> Fault:
    """The proper answer, late."""
    return Fault(stall=seconds)


def reset() -> Fault:
    """The connection is reset before any byte of an answer."""
    return Fault(cut="before")


def reset_inside_body() -> Fault:
    """The connection is reset when half of the body is sent."""
    return Fault(cut="inside")


def truncated_json() -> Fault:
    """Half of the body in correct framing: complete by HTTP's rules, no JSON."""
    return Fault(shorten=True)


def drip(what: str) -> Fault:
    """An answer whose `head` or `body` comes a byte at a time, without end: no single wait is ever long."""
    return Fault(drip=what)


def overcounted(more: int) -> Fault:
    """The proper answer of a search, but for its total_count, which tells of more records than come."""
    return edited(lambda answer: answer | {"total_count": answer["total_count"] + more})


def edited(change: Callable[[Any], Any]) -> Fault:
    """The proper answer, changed: its JSON is passed through a function."""
    return Fault(edit=change)


def oversized(megabytes: int) -> Fault:
    """200 with so many megabytes of JSON, which is all of its body."""
    return Fault(200, b'{"padding":"' + b" " * (megabytes << 20) + b'"}')


def garbled() -> Fault:
    """200 whose body is not packed as its header says."""
    return Fault(200, b"no gzip", {"Content-Encoding": "gzip"})


@dataclass(slots=True)
class _Plan:
    fault: Fault
    match: Match
    left: int | None
    after: int

    def strikes(self, request: Request) -> bool:
        if self.left == 0 or not _matches(self.match, request):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.left is not None:
            self.left -= 1
        return True


def _matches(match: Match, request: Request) -> bool:
    if callable(match):
        return match(request)
    method, space, pattern = match.rpartition(" ")
    return (not space or method == request.method) and fnmatchcase(request.path, pattern)


class Faults:
    """What is planned for the requests to come."""

    def __init__(self) -> None:
        self._plans: list[_Plan] = []
        self._lock = Lock()

    def add(self, fault: Fault, *, match: Match = "*", times: int | None = None, after: int = 0) -> None:
        """Plan a fault.

        Args:
            fault: what happens; made by the functions of this module.
            match: a path or `METHOD path`, with `*` for anything, or a predicate on the request.
            times: how often it strikes; None is for ever.
            after: how many matching requests pass unharmed first.
        """
        with self._lock:
            self._plans.append(_Plan(fault, match, times, after))

    def clear(self) -> None:
        """Forget everything planned."""
        with self._lock:
            self._plans.clear()

    def strike(self, request: Request) -> Fault | None:
        """The fault that this request meets, if any; it counts as one of its times."""
        with self._lock:
            return next((plan.fault for plan in self._plans if plan.strikes(request)), None)
