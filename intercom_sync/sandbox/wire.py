"""Bytes on the connection: whole answers, and answers cut short by a reset of the connection.

ASGI has no way to reset a connection, so the protocol here hands its transport along with each request.
"""

import socket
import struct
from asyncio import Transport
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TRANSPORT = "intercom_sync.transport"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: closing sends RST instead of FIN


@dataclass(slots=True)
class Answer:
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
    answer: Answer,
    cut: str,
    scope: MutableMapping[str, Any],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Send an answer; `cut` is `before` or `inside` for a reset, empty for none."""
    transport: Transport = scope["extensions"][_TRANSPORT]
    if cut == "before":
        _reset(transport)
        return
    headers = {"Content-Type": "application/json; charset=utf-8", **answer.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    if cut == "inside":
        await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
        _reset(transport)
        return
    await send({"type": "http.response.body", "body": answer.body})


def _reset(transport: Transport) -> None:
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
