"""The HTTP API as an ASGI application: authentication, rate limit, injected faults, then the endpoint.

It is plain ASGI: a dozen paths need no framework, and overhead matters at a thousand requests per second.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import orjson

from intercom_sync.sandbox.access import check_access
from intercom_sync.sandbox.api_calls import EndpointCall, json_of, version_of
from intercom_sync.sandbox.errors import ApiError
from intercom_sync.sandbox.faults import Fault, Faults
from intercom_sync.sandbox.rate_limit import RateWindows, family_of
from intercom_sync.sandbox.requests import Request
from intercom_sync.sandbox.routes import route
from intercom_sync.sandbox.wire import HttpResponse, deliver
from intercom_sync.sandbox.workspace import Workspace

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_MAX_LOGGED_REQUESTS = 50_000


class App:
    """The sandbox's ASGI application.

    Attributes:
        requests: the log of received requests, oldest first; beyond 50,000 the older half is dropped.
        faults: the planned faults.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        token: str | None,
        rate: float | None,
        latency: float,
        clock: Callable[[], float],
        dated: bool = True,
    ) -> None:
        self.workspace = workspace
        self.requests: list[Request] = []
        self.faults = Faults()
        self.base = ""
        self.latency = latency
        self._token = token
        self._windows = RateWindows(rate)
        self._clock = clock
        self.dated = dated

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Respond to one HTTP request."""
        request = self._log_request(scope, await _read_body(receive))
        response, fault = self._respond(request)
        delay_seconds = self.latency + (fault.stall if fault else 0.0)
        if delay_seconds:
            await asyncio.sleep(delay_seconds)
        if self.dated:
            response.headers = {"Date": formatdate(self._clock(), usegmt=True)} | response.headers
        request.status = 0 if fault and fault.cut else response.status
        await deliver(response, fault, scope, send)

    def _log_request(self, scope: Message, raw: bytes) -> Request:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        path = scope["raw_path"].decode("latin-1")
        request = Request(scope["method"], path, query, json_of(raw), raw, headers, self._clock())
        if len(self.requests) >= _MAX_LOGGED_REQUESTS:
            del self.requests[: _MAX_LOGGED_REQUESTS // 2]
        self.requests.append(request)
        return request

    def _respond(self, request: Request) -> tuple[HttpResponse, Fault | None]:
        try:
            check_access(request, self._token)
        except ApiError as error:
            return _error_response(error), None
        family, now = family_of(request.path), self._clock()
        is_allowed = self._windows.take(family, now)
        fault = self.faults.take(request) if is_allowed else None
        response = self._call_handler(request) if is_allowed else self._rate_limited()
        if fault:
            response = _apply_fault(response, fault)
        if fault is None or fault.rate_headers:
            response.headers = self._windows.headers(family, now) | response.headers
            if fault and fault.exhausted:
                response.headers["X-RateLimit-Remaining"] = "0"
        return response, fault

    def _call_handler(self, request: Request) -> HttpResponse:
        try:
            handler, part = route(request.method, request.path)
            call = EndpointCall(self.workspace, request, version_of(request), self.base, part)
            with self.workspace.lock:
                return HttpResponse(200, handler(call))
        except ApiError as error:
            return _error_response(error)

    def _rate_limited(self) -> HttpResponse:
        message = f"Exceeded rate limit of {self._windows.limit} in 10_seconds"
        return _error_response(ApiError(429, "rate_limit_exceeded", message))


def _apply_fault(response: HttpResponse, fault: Fault) -> HttpResponse:
    status, body = (response.status, response.body) if fault.status is None else (fault.status, fault.body)
    if fault.shorten:
        body = body[: len(body) // 2]
    if fault.edit:
        body = orjson.dumps(fault.edit(orjson.loads(body)))
    return HttpResponse(status, body, {**response.headers, **fault.headers})


def _error_response(error: ApiError) -> HttpResponse:
    return HttpResponse(error.status, error.body(), {"X-Request-Id": str(uuid4()), **error.headers})


async def _read_body(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)
