"""Send responses: complete, interrupted by a connection reset, or one byte at a time without end.

ASGI cannot reset a connection, so `Protocol` passes its transport with each request.
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
_ENDLESS_BYTES = 10**9
_DRIP_INTERVAL_SECONDS = 0.05


@dataclass(slots=True)
class HttpResponse:
    """A response before it is sent."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with the connection's transport in the scope."""

    def on_message_begin(self) -> None:
        """Add the transport to the scope of a new request."""
        super().on_message_begin()
        self.scope["extensions"] = {_TRANSPORT: self.transport}  # type: ignore[dict-item]


async def deliver(
    response: HttpResponse,
    fault: Fault | None,
    scope: MutableMapping[str, Any],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Send a response with its fault applied."""
    transport: Transport = scope["extensions"][_TRANSPORT]
    cut, drip = (fault.cut, fault.drip) if fault else ("", "")
    if cut == "before":
        _reset(transport)
        return
    if drip == "head":
        await _drip(transport, b"HTTP/1.1 200 OK\r\nX-Endless: ")
        return
    headers = {"Content-Type": "application/json; charset=utf-8", **response.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    # An endless body announces a huge length.
    raw.append((b"content-length", b"%d" % (_ENDLESS_BYTES if drip else len(response.body))))
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    if cut == "inside":
        await send({"type": "http.response.body", "body": response.body[: len(response.body) // 2], "more_body": True})
        _reset(transport)
        return
    if drip == "body":
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        await _drip(transport, b"")
        return
    await send({"type": "http.response.body", "body": response.body})


async def _drip(transport: Transport, first: bytes) -> None:
    """Send one byte at a time until the client disconnects."""
    transport.write(first)
    while not transport.is_closing():
        transport.write(b" ")
        await asyncio.sleep(_DRIP_INTERVAL_SECONDS)


def _reset(transport: Transport) -> None:
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
