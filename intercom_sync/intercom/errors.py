"""Errors of the Intercom client, one family under `IntercomError`.

A message says what to do, and contains no response body, no email and no token.
"""

import re

from intercom_sync.domain.errors import FatalError, RetryableError, SyncError

_QUOTATION = re.compile(r"\"[^\"]*\"|'[^']*'")
_WORD = re.compile(r"\S+")
_LONG_NUMBER = re.compile(r"\d{5}")
_MAX_WORD_CHARACTERS = 39


def without_personal_data(text: str) -> str:
    """Mask emails, quotations, long numbers and ids in an error text of Intercom: they may identify a person."""
    return _WORD.sub(_mask, _QUOTATION.sub("…", text))[:200]


def _mask(word: re.Match[str]) -> str:
    text = word[0]
    return "…" if "@" in text or len(text) > _MAX_WORD_CHARACTERS or _LONG_NUMBER.search(text) else text


class IntercomError(SyncError):
    """Base class of the client's errors."""


class UnauthorizedError(IntercomError, FatalError):
    """401, 402 or 403: the token is invalid or lacks a permission. Not retryable."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(
            f"Intercom refused the access token ({status} {code}): set INTERCOM_API_KEY to a token of this workspace "
            "whose app may read users, companies and conversations, on a plan that includes the API."
        )
        self.status = status
        self.code = code


class ConnectionFailedError(IntercomError, RetryableError):
    """No response: the host is unknown, refuses connections or closes them."""

    def __init__(self, base_url: str, reason: str) -> None:
        super().__init__(
            f"Intercom could not be reached at {base_url} ({reason}): "
            "check the network, and INTERCOM_BASE_URL or INTERCOM_REGION."
        )
        self.reason = reason


class ClientError(IntercomError, FatalError):
    """Another 4xx or a redirect: Intercom rejects the request. Not retryable."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        text = f"Intercom refused the request: {status} {code}"
        super().__init__(f"{text}: {without_personal_data(message)}" if message else text)
        self.status = status
        self.code = code


class UnsupportedVersionError(ClientError):
    """400 `intercom_version_invalid`: the API version does not have this endpoint."""


class NotFoundError(IntercomError, FatalError):
    """404 (deleted, archived or unknown) or 410 (merged into another contact)."""

    def __init__(self, status: int, merged_into: str | None = None) -> None:
        super().__init__(f"Intercom no longer has this record ({status})")
        self.status = status
        self.merged_into = merged_into
        """Id of the contact that it was merged into, from the response's canonical link (API 2.16 or later)."""


class ServiceUnavailableError(IntercomError, RetryableError):
    """429, 408, 5xx, a time-out or an unusable response, after all retries. A later run may succeed."""

    def __init__(self, reason: str, attempts: int, advice: str = "try again later") -> None:
        super().__init__(f"Intercom gave no usable answer after {attempts} attempts ({reason}); {advice}.")
        self.reason = reason
        self.attempts = attempts


class ResponseTooLargeError(ServiceUnavailableError):
    """A response exceeds the size limit, even with a single record."""

    def __init__(self, call: str, reason: str, attempts: int) -> None:
        advice = "reduce the size of that record in Intercom, or ask Intercom why its response is so large"
        super().__init__(f"{call}: {reason}", attempts, advice)


class PaginationLoopError(IntercomError, FatalError):
    """A search returned a page or a cursor a second time, so following it would never end."""

    def __init__(self, what: str) -> None:
        super().__init__(f"Intercom's search repeated a {what}; the scan was stopped, because it would never end.")


class TruncatedSearchError(IntercomError, FatalError):
    """A search ended twice at a full page although it counts more records."""

    def __init__(self, found: int, total: int | None) -> None:
        super().__init__(
            f"Intercom's search ended after {found} records though it counts {total}; "
            "the scan was stopped, because it would miss the others."
        )


class UnexpectedOrderError(IntercomError, FatalError):
    """A search ignored the requested order, so page boundaries prove nothing."""

    def __init__(self, field: str) -> None:
        super().__init__(
            f"Intercom's search did not sort by {field} as requested; the scan was stopped: it could miss records."
        )


class CancelledError(IntercomError, FatalError):
    """The scan was closed while a call waited."""

    def __init__(self) -> None:
        super().__init__("the scan was cancelled")
