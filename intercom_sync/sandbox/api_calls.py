"""What an endpoint gets to answer a request: the company, the version asked for, and the parameters, checked.

Handlers live in `contacts_api`, `conversations_api` and `workspace_api`.
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
        """What queries on this kind of record are read against."""
        return Language(kind, ZoneInfo(self.workspace.timezone), self.exact, self.workspace.attributes.types)

    def search_body(self) -> dict[str, Any]:
        """The body of a search.

        Raises:
            ApiError: 400, no JSON object or no `query` in it; 415, not sent as JSON.
        """
        sent_as = self.request.headers.get("content-type", "application/json")
        if "json" not in sent_as:
            raise ApiError(415, "media_type_not_acceptable", "The Content-Type header should be application/json")
        if not isinstance(self.request.json, dict):
            raise ApiError(400, "bad_request", "the body is not a JSON object")
        if "query" not in self.request.json:
            raise invalid("query is required", "query")
        return self.request.json

    def pagination(self) -> dict[str, Any]:
        """The `pagination` of a search, empty when not given; a cursor in the URL is ignored, as Intercom does."""
        found = self.search_body().get("pagination")
        if found is not None and not isinstance(found, dict):
            raise invalid("pagination must be an object", "pagination")
        return found or {}

    def flag(self, name: str) -> bool:
        """A boolean query parameter, false when absent."""
        return self.request.query.get(name, "").lower() == "true"

    def number(self, name: str, default: int, most: int) -> int:
        """A query parameter from 1 to `most`.

        Raises:
            ApiError: 400 `parameter_invalid`.
        """
        text = self.request.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
            raise invalid(f"{name} must be between 1 and {most}", name)
        return int(text)


def version_of(request: Request) -> bool:
    """Whether the version asked for compares contact dates by the second; 2.16, without a header, does not.

    Raises:
        ApiError: 400 `intercom_version_invalid`, a version that the sandbox does not speak.
    """
    asked = request.headers.get("intercom-version", "2.16").strip()
    if asked not in VERSIONS:
        raise ApiError(400, "intercom_version_invalid", f"Version {asked!r} is none of {', '.join(VERSIONS)}")
    return VERSIONS[asked]


def json_of(raw: bytes) -> Any:
    """The JSON of a request's body, None when it is empty or malformed."""
    try:
        return orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError:
        return None
