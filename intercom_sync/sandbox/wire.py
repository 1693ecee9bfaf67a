"""Bytes on the connection: whole answers, answers cut short by a reset of the connection, and answers that drip.

ASGI has no way to reset a connection, so the protocol here hands its transport along with each request.
"""

import asyncio
import socket
import struct
from asyncio import Transport
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from intercom_sync.sandbox.faults import Fault

_TRANSPORT = "intercom_sync.transport"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: closing sends RST instead of FIN
_NO_END = 10**9
_BETWEEN_DROPS = 0.05


@dataclass(slots=True)
class HttpAnswer:
    """An answer before it is sent."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which puts the connection's transport into the scope."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {_TRANSPORT: self.transport}  # type: ignore[dict-item]


async def deliver(
    answer: HttpAnswer,
    fault: Fault | None,
    scope: MutableMapping[str, Any],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Send an answer, as its fault would have it."""
    transport: Transport = scope["extensions"][_TRANSPORT]
    cut, drip = (fault.cut, fault.drip) if fault else ("", "")
    if cut == "before":
        _reset(transport)
        return
    if drip == "head":
        await _drip(transport, b"HTTP/1.1 200 OK\r\nX-Endless: ")
        return
    headers = {"Content-Type": "application/json; charset=utf-8", **answer.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    # A body that never ends is promised, too.
    raw.append((b"content-length", b"%d" % (_NO_END if drip else len(answer.body))))
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    if cut == "inside":
        await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
        _reset(transport)
        return
    if drip == "body":
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        await _drip(transport, b"")
        return
    await send({"type": "http.response.body", "body": answer.body})


async def _drip(transport: Transport, first: bytes) -> None:
    """Send a byte now and then, for as long as somebody listens."""
    transport.write(first)
    while not transport.is_closing():
        transport.write(b" ")
        await asyncio.sleep(_BETWEEN_DROPS)


def _reset(transport: Transport) -> None:
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
