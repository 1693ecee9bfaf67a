"""The input of an endpoint handler: workspace, API version and validated parameters.

The handlers are in `contacts_api`, `conversations_api` and `workspace_api`.
"""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from intercom_sync.sandbox.errors import ApiError, invalid
from intercom_sync.sandbox.query import Language
from intercom_sync.sandbox.requests import Request
from intercom_sync.sandbox.stored_record import Kind
from intercom_sync.sandbox.workspace import Workspace

VERSIONS = {"2.16": False, "2.17": True}  # whether contact dates are exact seconds


@dataclass(frozen=True, slots=True)
class EndpointCall:
    """A request to one endpoint. `base` is the server's URL, `part` the variable part of the path."""

    workspace: Workspace
    request: Request
    exact: bool
    base: str
    part: str = ""

    def language(self, kind: Kind) -> Language:
        """Return the query language for this kind of record."""
        return Language(kind, ZoneInfo(self.workspace.timezone), self.exact, self.workspace.attributes.types)

    def search_body(self) -> dict[str, Any]:
        """Return the body of a search request.

        Raises:
            ApiError: 400 if it is not a JSON object with a `query`, 415 if it is not sent as JSON.
        """
        content_type = self.request.headers.get("content-type", "application/json")
        if "json" not in content_type:
            raise ApiError(415, "media_type_not_acceptable", "The Content-Type header should be application/json")
        if not isinstance(self.request.json, dict):
            raise ApiError(400, "bad_request", "the body is not a JSON object")
        if "query" not in self.request.json:
            raise invalid("query is required", "query")
        return self.request.json

    def pagination(self) -> dict[str, Any]:
        """Return the `pagination` of a search, or an empty object. A cursor in the URL is ignored, as by Intercom."""
        pagination = self.search_body().get("pagination")
        if pagination is not None and not isinstance(pagination, dict):
            raise invalid("pagination must be an object", "pagination")
        return pagination or {}

    def flag(self, name: str) -> bool:
        """Return a boolean query parameter; the default is False."""
        return self.request.query.get(name, "").lower() == "true"

    def number(self, name: str, default: int, maximum: int) -> int:
        """Return a query parameter from 1 to `maximum`.

        Raises:
            ApiError: 400 `parameter_invalid`.
        """
        text = self.request.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= maximum):
            raise invalid(f"{name} must be between 1 and {maximum}", name)
        return int(text)


def version_of(request: Request) -> bool:
    """Return whether the requested API version compares contact dates by the second; the default, 2.16, does not.

    Raises:
        ApiError: 400 `intercom_version_invalid` for an unsupported version.
    """
    requested = request.headers.get("intercom-version", "2.16").strip()
    if requested not in VERSIONS:
        raise ApiError(400, "intercom_version_invalid", f"Version {requested!r} is none of {', '.join(VERSIONS)}")
    return VERSIONS[requested]


def json_of(raw: bytes) -> Any:
    """Parse the JSON of a request body; return None if it is empty or malformed."""
    try:
        return orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError:
        return None
