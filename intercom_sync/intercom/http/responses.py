"""What a usable answer of each call looks like. Anything else that comes with status 200 is asked for again.

A search or a list ends where `pages.next` is absent or null; whatever else is no next page is not an end.
"""

import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from intercom_sync.domain.parsing import record_id
from intercom_sync.intercom.errors import ClientError, NotFoundError, UnauthorizedError, UnsupportedVersionError


def is_object(found: Any) -> bool:
    """Whether an answer is one object and no list of errors."""
    return isinstance(found, dict) and found.get("type") != "error.list" and not found.get("errors")


def has_list(key: str, found: Any) -> bool:
    """Whether an answer holds a list under its key."""
    return is_object(found) and _is_list_type(found.get("type")) and isinstance(found.get(key), list)


def is_search_page(key: str, found: Any) -> bool:
    """Whether an answer is a page of a search: records, and a cursor or no further page."""
    return has_list(key, found) and _is_next(found, cursor)


def is_numbered_page(key: str, found: Any) -> bool:
    """Whether an answer is a page of a list that is read by page numbers: there the next page is a URL."""
    return has_list(key, found) and _is_next(found, lambda following: following if isinstance(following, str) else None)


def is_contact(contact_id: str, found: Any) -> bool:
    """Whether an answer is the contact asked for: another's record says nothing of this one."""
    return is_object(found) and record_id(found) == contact_id


def is_conversation(conversation_id: str, found: Any) -> bool:
    """Whether an answer is the conversation asked for, with its parts: without them it does not say there are none."""
    if not is_object(found) or record_id(found) != conversation_id:
        return False
    parts = found.get("conversation_parts")
    return isinstance(parts.get("conversation_parts") if isinstance(parts, dict) else parts, list)


def next_page(found: dict[str, Any]) -> Any:
    """Return `pages.next` of a page; None after the last one."""
    pages = found.get("pages")
    return pages.get("next") if isinstance(pages, dict) else None


def cursor(following: Any) -> str | None:
    """Return the cursor in `pages.next`, or None where there is no usable one."""
    found = following.get("starting_after") if isinstance(following, dict) else None
    return found if isinstance(found, str) else None


def _is_next(found: dict[str, Any], usable: Any) -> bool:
    following = next_page(found)
    if following is None:
        return isinstance(found.get("pages"), dict | None)
    return bool(usable(following))


def _is_list_type(kind: Any) -> bool:
    """Whether a `type` is absent or a list's: `list`, `conversation.list`, `conversations.list`."""
    return kind is None or (isinstance(kind, str) and kind.endswith("list"))


Validator = Callable[[Any], bool]

_CANONICAL = re.compile(r"<[^>]*/contacts/([^/>?]+)[^>]*>\s*;[^,]*rel=\"?canonical")
# A text without an end reaches to the end of the body: looking for one from each quote inside would take hours.
_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_MAX_DEPTH = 200
_ONE_AT_A_TIME = threading.Lock()
"""What orjson does not read is copied some times while it is read."""
_LONGEST_LINK = 1_000
_UNAUTHORIZED = frozenset({401, 402, 403})
_TRANSIENT = frozenset({304, 408, 425})


class RetryableResponseError(Exception):
    """This attempt gave nothing, the next may: the reason, in words fit for a log."""

    def __init__(self, reason: str, *, throttled: bool = False, too_slow: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.throttled = throttled
        self.timed_out = too_slow


def memory(body: bytes | bytearray) -> int:
    """About the most that a body's JSON takes in memory, by how many objects, lists, values and characters it has.

    One character that is not ASCII may make those of its whole text four times as wide.
    """
    text = len(body) * (1 if body.isascii() and b"\\u" not in body else 4)
    return text + 90 * (len(body) - len(body.translate(None, b"{[,:")))  # one pass, which takes less than counting each


def decode(body: bytes | bytearray) -> Any:
    r"""The JSON value of a body in UTF-8 or, by its first bytes, in another Unicode encoding.

    orjson refuses half of a surrogate pair (`"\ud83d"`, an emoji cut in two), which is JSON all the same:
    such halves are left out, since no database takes them either. What is nested without a bottom becomes null, so
    that one such record does not take its page with it.

    Raises:
        ValueError: not JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        encoding = json.detect_encoding(body)
        if encoding != "utf-8":
            return decode(body.decode(encoding).lstrip("\ufeff").encode())
        with _ONE_AT_A_TIME:
            return _decoded(body)


def _decoded(body: bytes | bytearray) -> Any:
    # Python refuses to read or write thousands of digits: such a number is none to it, but infinite.
    found = json.loads(_with_a_bottom(body), parse_int=lambda digits: (int, float)[len(digits) > 400](digits))
    whole = json.dumps(found, ensure_ascii=False)
    return json.loads(whole.encode("utf-8", "ignore"))


def _with_a_bottom(body: bytes | bytearray) -> bytes:
    """Leave out what lies deeper than `_DEEPEST`; in one pass, whatever the body."""
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


def parse_response(status: int, headers: Mapping[str, str], body: bytes | bytearray, shape: Validator) -> Any:
    """The JSON value of an answer that has the shape asked for.

    Raises:
        Transient: worth another try: 408, 425, 429, 5xx, another 2xx, 304, or a 200 whose body is empty, no JSON or of
            another shape.
        Unauthorized: 401, 402, 403.
        Gone: 404, 410.
        NotInVersion: 400, this API version has no such thing.
        RequestRefused: any other status.
    """
    if status == 200:
        return _expected(body, shape)
    if status < 300 or status == 429 or status in _TRANSIENT or status >= 500:
        raise RetryableResponseError(f"status {status}", throttled=status == 429, too_slow=status in (408, 504))
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


def _expected(body: bytes | bytearray, shape: Validator) -> Any:
    if not body.strip():
        raise RetryableResponseError("an empty answer")
    try:
        found = decode(body)
    except ValueError:
        raise RetryableResponseError("an answer that is not JSON") from None
    if not shape(found):
        raise RetryableResponseError("an answer of an unknown shape")
    return found


def _first_error(body: bytes | bytearray) -> tuple[str, str]:
    """The code and message of an error list, or `unknown` and nothing: bodies may be empty or of any other form."""
    try:
        first = orjson.loads(body)["errors"][0]
        code = str(first["code"])
    except (ValueError, TypeError, LookupError):
        return "unknown", ""
    message = first.get("message")
    return (code if re.fullmatch(r"\w{1,60}", code) else "unknown"), message if isinstance(message, str) else ""


def _merged_into(headers: Mapping[str, str]) -> str | None:
    found = _CANONICAL.search(headers.get("Link", "")[:_LONGEST_LINK])
    return found.group(1) if found else None
