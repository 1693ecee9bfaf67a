"""Validation and parsing of responses. A status 200 with another shape is retried, because it is not a valid answer.

A search or a list ends when `pages.next` is absent or null; an invalid `pages.next` is an error and never an end.
"""

import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from intercom_sync.domain.parsing import record_id
from intercom_sync.intercom.errors import ClientError, NotFoundError, UnauthorizedError, UnsupportedVersionError


def is_object(value: Any) -> bool:
    """Return whether a response is an object and no list of errors."""
    return isinstance(value, dict) and value.get("type") != "error.list" and not value.get("errors")


def has_list(key: str, value: Any) -> bool:
    """Return whether a response has a list under the key."""
    return is_object(value) and _is_list_type(value.get("type")) and isinstance(value.get(key), list)


def is_search_page(key: str, value: Any) -> bool:
    """Return whether a response is a page of a search: records, and a cursor or no next page."""
    return has_list(key, value) and _is_next(value, cursor)


def is_numbered_page(key: str, value: Any) -> bool:
    """Return whether a response is a page of a numbered list, whose next page is a URL."""
    return has_list(key, value) and _is_next(value, lambda url: url if isinstance(url, str) else None)


def is_contact(contact_id: str, value: Any) -> bool:
    """Return whether a response is the requested contact."""
    return is_object(value) and record_id(value) == contact_id


def is_conversation(conversation_id: str, value: Any) -> bool:
    """Return whether a response is the requested conversation with its list of parts, which may be empty."""
    if not is_object(value) or record_id(value) != conversation_id:
        return False
    parts = value.get("conversation_parts")
    return isinstance(parts.get("conversation_parts") if isinstance(parts, dict) else parts, list)


def next_page(value: dict[str, Any]) -> Any:
    """Return `pages.next` of a page; None on the last page."""
    pages = value.get("pages")
    return pages.get("next") if isinstance(pages, dict) else None


def cursor(next_value: Any) -> str | None:
    """Return the cursor in `pages.next`, or None when there is no valid one."""
    value = next_value.get("starting_after") if isinstance(next_value, dict) else None
    return value if isinstance(value, str) else None


def _is_next(value: dict[str, Any], parse: Any) -> bool:
    next_value = next_page(value)
    if next_value is None:
        return isinstance(value.get("pages"), dict | None)
    return bool(parse(next_value))


def _is_list_type(kind: Any) -> bool:
    """Return whether a `type` is absent or a list type: `list`, `conversation.list`, `conversations.list`."""
    return kind is None or (isinstance(kind, str) and kind.endswith("list"))


Validator = Callable[[Any], bool]

_CANONICAL = re.compile(r"<[^>]*/contacts/([^/>?]+)[^>]*>\s*;[^,]*rel=\"?canonical")
# An unterminated string extends to the end of the body; a search from each quote in it would take quadratic time.
_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_MAX_DEPTH = 200
_SLOW_PATH = threading.Lock()
"""Limits the memory of the slow parser, which copies the body several times, to one body."""
_MAX_LINK_CHARACTERS = 1_000
_UNAUTHORIZED = frozenset({401, 402, 403})
_TRANSIENT = frozenset({304, 408, 425})


class RetryableResponseError(Exception):
    """A retryable failure of one attempt; the reason is fit for a log."""

    def __init__(self, reason: str, *, throttled: bool = False, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.throttled = throttled
        self.timed_out = timed_out


def estimate_memory(body: bytes | bytearray) -> int:
    """Estimate the maximum memory of a body's parsed JSON from its characters, objects, lists and values.

    A single non-ASCII character can make its whole text take four bytes per character.
    """
    text = len(body) * (1 if body.isascii() and b"\\u" not in body else 4)
    return text + 90 * (len(body) - len(body.translate(None, b"{[,:")))  # one pass, faster than four counts


def decode(body: bytes | bytearray) -> Any:
    r"""Parse a JSON body in UTF-8 or, detected by its first bytes, another Unicode encoding.

    Lone surrogates (`"\ud83d"`, half an emoji), which orjson rejects although they are JSON, are removed, because no
    database stores them. Values nested too deeply become null, so that one record does not invalidate its page.

    Raises:
        ValueError: the body is not JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        encoding = json.detect_encoding(body)
        if encoding != "utf-8":
            return decode(body.decode(encoding).lstrip("\ufeff").encode())
        with _SLOW_PATH:
            return _decode_slowly(body)


def _decode_slowly(body: bytes | bytearray) -> Any:
    # Python refuses to convert thousands of digits, so such a number becomes infinite.
    value = json.loads(_limit_depth(body), parse_int=lambda digits: (int, float)[len(digits) > 400](digits))
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(text.encode("utf-8", "ignore"))


def _limit_depth(body: bytes | bytearray) -> bytes:
    """Replace values nested deeper than `_MAX_DEPTH` by null, in one pass."""
    pieces, depth, at = [], 0, 0
    for token in _NESTING.finditer(body):
        if token[0] in b"[{":
            depth += 1
            if depth == _MAX_DEPTH:
                pieces.append(body[at : token.start()] + b"null")
        elif token[0] in b"]}":
            depth -= 1
            if depth == _MAX_DEPTH - 1:
                at = token.end()
    return b"".join([*pieces, body[at:]])


def parse_response(status: int, headers: Mapping[str, str], body: bytes | bytearray, validator: Validator) -> Any:
    """Return the JSON value of a response that passes the validator.

    Raises:
        RetryableResponseError: 408, 425, 429, 5xx, another 2xx, 304, or a 200 whose body is empty, no JSON or of
            another shape.
        UnauthorizedError: 401, 402, 403.
        NotFoundError: 404, 410.
        UnsupportedVersionError: 400 because the API version does not have the endpoint.
        ClientError: any other status.
    """
    if status == 200:
        return _parse_valid(body, validator)
    if status < 300 or status == 429 or status in _TRANSIENT or status >= 500:
        raise RetryableResponseError(f"status {status}", throttled=status == 429, timed_out=status in (408, 504))
    code, message = _first_error(body)
    if status in _UNAUTHORIZED:
        raise UnauthorizedError(status, code)
    if status in (404, 410):
        raise NotFoundError(status, _merged_into(headers))
    if code == "intercom_version_invalid":
        raise UnsupportedVersionError(status, code, message)
    if 300 <= status < 400:
        code = "redirect: INTERCOM_BASE_URL must name the API's own host"
    raise ClientError(status, code, message)


def _parse_valid(body: bytes | bytearray, validator: Validator) -> Any:
    if not body.strip():
        raise RetryableResponseError("an empty response")
    try:
        value = decode(body)
    except ValueError:
        raise RetryableResponseError("a response that is not JSON") from None
    if not validator(value):
        raise RetryableResponseError("a response of an unknown shape")
    return value


def _first_error(body: bytes | bytearray) -> tuple[str, str]:
    """Return code and message of an error list; `unknown` and "" for any other body."""
    try:
        first = orjson.loads(body)["errors"][0]
        code = str(first["code"])
    except (ValueError, TypeError, LookupError):
        return "unknown", ""
    message = first.get("message")
    return (code if re.fullmatch(r"\w{1,60}", code) else "unknown"), message if isinstance(message, str) else ""


def _merged_into(headers: Mapping[str, str]) -> str | None:
    value = _CANONICAL.search(headers.get("Link", "")[:_MAX_LINK_CHARACTERS])
    return value.group(1) if value else None
