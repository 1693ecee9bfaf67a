"""Errors of the Intercom API. `http.retry` repeats single requests; these are raised when that did not help.

A `RetryableError` may be tried again later, a `FatalError` may not. A message says what to do and carries no answer's
body, no address of a person and no token.
"""

import re

from intercom_sync.domain.errors import FatalError, RetryableError, SyncError

_QUOTATION = re.compile(r"\"[^\"]*\"|'[^']*'")
_WORD = re.compile(r"\S+")
_LONG_NUMBER = re.compile(r"\d{5}")
_LONGEST_WORD = 39


def without_personal_data(text: str) -> str:
    """Mask what in Intercom's own error text may name a person: addresses, quotations, long numbers and ids."""
    return _WORD.sub(_masked, _QUOTATION.sub("…", text))[:200]


def _masked(word: re.Match[str]) -> str:
    text = word[0]
    return "…" if "@" in text or len(text) > _LONGEST_WORD or _LONG_NUMBER.search(text) else text


class IntercomError(SyncError):
    """Intercom failed, or refused a request."""


class UnauthorizedError(IntercomError, FatalError):
    """401, 402 or 403: the token is wrong, or may not read what was asked for. Trying again cannot help."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(
            f"Intercom refused the access token ({status} {code}): set INTERCOM_API_KEY to a token of this workspace "
            "whose app may read users, companies and conversations, on a plan that includes the API."
        )
        self.status = status
        self.code = code


class ConnectionFailedError(IntercomError, RetryableError):
    """No answer came: the host cannot be found, refuses connections, or breaks them off."""

    def __init__(self, base_url: str, reason: str) -> None:
        super().__init__(
            f"Intercom could not be reached at {base_url} ({reason}): "
            "check the network, and INTERCOM_BASE_URL or INTERCOM_REGION."
        )
        self.reason = reason


class ClientError(IntercomError, FatalError):
    """Another 4xx (or a redirect): Intercom understood and said no; the same request would be refused again."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        text = f"Intercom refused the request: {status} {code}"
        super().__init__(f"{text}: {without_personal_data(message)}" if message else text)
        self.status = status
        self.code = code


class UnsupportedVersionError(ClientError):
    """400 `intercom_version_invalid`: the API version asked for has no such thing."""


class NotFoundError(IntercomError, FatalError):
    """The record is not there: 404 (deleted, archived, never existed) or 410 (merged into another contact)."""

    def __init__(self, status: int, merged_into: str | None = None) -> None:
        super().__init__(f"Intercom no longer has this record ({status})")
        self.status = status
        self.merged_into = merged_into
        """The id of the contact it was merged into, from the answer's canonical link (API 2.16 on)."""


class ServiceUnavailableError(IntercomError, RetryableError):
    """429, 408, 5xx, a time-out or an empty answer, still so after every retry. Later it may work."""

    def __init__(self, reason: str, attempts: int, advice: str = "try again later") -> None:
        super().__init__(f"Intercom gave no usable answer after {attempts} attempts ({reason}); {advice}.")
        self.reason = reason
        self.attempts = attempts


class ResponseTooLargeError(ServiceUnavailableError):
    """An answer is larger than what is read of any, also when a single record was asked for."""

    def __init__(self, call: str, reason: str, attempts: int) -> None:
        advice = "make that record smaller in Intercom, or ask Intercom why its answer is so large"
        super().__init__(f"{call}: {reason}", attempts, advice)


class PaginationLoopError(IntercomError, FatalError):
    """A search answered with a page or a cursor it had given before: following it would never end."""

    def __init__(self, what: str) -> None:
        super().__init__(f"Intercom's search repeated a {what}; the read was stopped rather than go round for ever.")


class TruncatedSearchError(IntercomError, FatalError):
    """A search said twice that a full page is its last one, though it counts more records."""

    def __init__(self, found: int, total: int | None) -> None:
        super().__init__(
            f"Intercom's search named no page after {found} records though it counts {total}; "
            "the read was stopped rather than miss the others."
        )


class UnexpectedOrderError(IntercomError, FatalError):
    """A search did not come in the order asked for, so nothing can be concluded from where a page ends."""

    def __init__(self, field: str) -> None:
        super().__init__(
            f"Intercom's search did not sort by {field} as asked; reading on could miss records unnoticed."
        )


class CancelledError(IntercomError, FatalError):
    """The reader was closed while a call was waiting for its turn."""

    def __init__(self) -> None:
        super().__init__("the read was stopped")
