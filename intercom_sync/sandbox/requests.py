"""One request as the sandbox received it: what handlers answer, what faults match, what the log keeps."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Request:
    """A request and, once answered, its status.

    Attributes:
        method: the HTTP method.
        path: the path without the query string.
        query: the query parameters, the last of each name.
        json: the body's JSON; None when there is none or it is malformed.
        raw: the body.
        headers: names in lower case.
        received: when it came, in UNIX seconds.
        status: the answer's status; 0 until it is sent, and for good when the connection was cut.
    """

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    json: Any = None
    raw: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    received: float = 0.0
    status: int = 0
