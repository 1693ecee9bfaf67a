"""A refusal in Intercom's words: status, code and message, as the API's `error.list` body."""

from typing import Any
from uuid import uuid4

import orjson


class ApiError(Exception):
    """An answer that is an error.

    Args:
        status: HTTP status.
        code: Intercom's word for it, such as `parameter_invalid`.
        message: what is wrong, for a person.
        field: the parameter at fault, where there is one.
        headers: to send along, such as the Link of a merged contact.
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
        """The JSON body."""
        return orjson.dumps({"type": "error.list", "request_id": str(uuid4()), "errors": [self.error]})


def invalid(message: str, field: str | None = None) -> ApiError:
    """400 parameter_invalid."""
    return ApiError(400, "parameter_invalid", message, field=field)


def not_found(message: str = "Resource Not Found", code: str = "not_found") -> ApiError:
    """404; for a conversation the code is `conversation_not_found`."""
    return ApiError(404, code, message)
