"""API errors: status, code and message, rendered as Intercom's `error.list` body."""

from typing import Any
from uuid import uuid4

import orjson


class ApiError(Exception):
    """An error response.

    Args:
        status: the HTTP status.
        code: Intercom's error code, such as `parameter_invalid`.
        message: a description of the error.
        field: the invalid parameter, if any.
        headers: additional headers, such as the Link of a merged contact.
    """

    def __init__(
        self, status: int, code: str, message: str, *, field: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.error: dict[str, Any] = {"code": code, "message": message}
        if field is not None:
            self.error["field"] = field

    def body(self) -> bytes:
        """Return the JSON body."""
        return orjson.dumps({"type": "error.list", "request_id": str(uuid4()), "errors": [self.error]})


def invalid(message: str, field: str | None = None) -> ApiError:
    """Return a 400 `parameter_invalid` error."""
    return ApiError(400, "parameter_invalid", message, field=field)


def not_found(message: str = "Resource Not Found", code: str = "not_found") -> ApiError:
    """Return a 404 error; for conversations the code is `conversation_not_found`."""
    return ApiError(404, code, message)
