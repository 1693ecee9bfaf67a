"""The API over HTTP, as an ASGI application: credentials, rate limit, planned faults, then the endpoint.

Plain ASGI, as routing a dozen paths needs no framework and every microsecond counts at a thousand requests a second.
Starting and stopping a server is the business of `server`.
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
from intercom_sync.sandbox.wire import HttpAnswer, deliver
from intercom_sync.sandbox.workspace import Workspace

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_KEPT_REQUESTS = 50_000


class App:
    """The sandbox's ASGI application.

    Attributes:
        requests: what was received, oldest first; the older half is dropped beyond 50,000.
        faults: what is planned to go wrong.
    """

    def __init__(
        self,
        company: Workspace,
        *,
        token: str | None,
        rate: float | None,
        latency: float,
        clock: Callable[[], float],
        dated: bool = True,
    ) -> None:
        self.workspace = company
        self.requests: list[Request] = []
        self.faults = Faults()
        self.base = ""
        self.latency = latency
        self._token = token
        self._windows = RateWindows(rate)
        self._clock = clock
        self.dated = dated

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request = self._note(scope, await _body(receive))
        answer, fault = self._answer(request)
        pause = self.latency + (fault.stall if fault else 0.0)
        if pause:
            await asyncio.sleep(pause)
        if self.dated:
            answer.headers = {"Date": formatdate(self._clock(), usegmt=True)} | answer.headers
        request.status = 0 if fault and fault.cut else answer.status
        await deliver(answer, fault, scope, send)

    def _note(self, scope: Message, raw: bytes) -> Request:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        path = scope["raw_path"].decode("latin-1")
        request = Request(scope["method"], path, query, json_of(raw), raw, headers, self._clock())
        if len(self.requests) >= _KEPT_REQUESTS:
            del self.requests[: _KEPT_REQUESTS // 2]
        self.requests.append(request)
        return request

    def _answer(self, request: Request) -> tuple[HttpAnswer, Fault | None]:
        try:
            check_access(request, self._token)
        except ApiError as refusal:
            return _refusal(refusal), None
        family, now = family_of(request.path), self._clock()
        within = self._windows.take(family, now)
        fault = self.faults.strike(request) if within else None
        answer = self._proper(request) if within else self._too_many()
        if fault:
            answer = _faulty(answer, fault)
        if fault is None or fault.rate_headers:
            answer.headers = self._windows.headers(family, now) | answer.headers
            if fault and fault.exhausted:
                answer.headers["X-RateLimit-Remaining"] = "0"
        return answer, fault

    def _proper(self, request: Request) -> HttpAnswer:
        try:
            handler, part = route(request.method, request.path)
            call = EndpointCall(self.workspace, request, version_of(request), self.base, part)
            with self.workspace.lock:
                return HttpAnswer(200, handler(call))
        except ApiError as refusal:
            return _refusal(refusal)

    def _too_many(self) -> HttpAnswer:
        message = f"Exceeded rate limit of {self._windows.limit} in 10_seconds"
        return _refusal(ApiError(429, "rate_limit_exceeded", message))


def _faulty(answer: HttpAnswer, fault: Fault) -> HttpAnswer:
    status, body = (answer.status, answer.body) if fault.status is None else (fault.status, fault.body)
    if fault.shorten:
        body = body[: len(body) // 2]
    if fault.edit:
        body = orjson.dumps(fault.edit(orjson.loads(body)))
    return HttpAnswer(status, body, {**answer.headers, **fault.headers})


def _refusal(refusal: ApiError) -> HttpAnswer:
    return HttpAnswer(refusal.status, refusal.body(), {"X-Request-Id": str(uuid4()), **refusal.headers})


async def _body(receive: Receive) -> bytes:
    pieces = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)
