"""A request as the sandbox received it, for handlers, faults and the request log."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Request:
    """A request and the status of its response.

    Attributes:
        method: the HTTP method.
        path: the path without the query string.
        query: the query parameters; the last value of each name.
        json: the parsed body; None if it is empty or malformed.
        raw: the body.
        headers: the headers, with names in lower case.
        received: the time of receipt in UNIX seconds.
        status: the status of the response; 0 until it is sent, and if the connection was reset.
    """

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    json: Any = None
    raw: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    received: float = 0.0
    status: int = 0
