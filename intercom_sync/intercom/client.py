"""Client of Intercom's REST API for one workspace."""

import threading
import time
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from intercom_sync.intercom.allocation import return_freed_memory
from intercom_sync.intercom.http import responses
from intercom_sync.intercom.http.byte_budget import Budget, Share
from intercom_sync.intercom.http.rate_limiter import Clock, Permit, RateBudget, RateLimiter, Sleep
from intercom_sync.intercom.http.responses import Validator
from intercom_sync.intercom.http.retry import ApiRequest, RequestStats, RetryingCaller
from intercom_sync.intercom.http.transport import MAX_RESPONSE_BYTES, TIMEOUTS_SECONDS, Transport
from intercom_sync.intercom.search_pages import PageSize
from intercom_sync.intercom.streams import Stream

REGIONS: Mapping[str, str] = {
    "us": "https://api.intercom.io",
    "eu": "https://api.eu.intercom.io",
    "au": "https://api.au.intercom.io",
}
"""API hosts by region of the workspace (Intercom's reference, "Regional hosting")."""


class IntercomClient:
    """Call the API with retries and rate limits. Thread-safe; close it, or use it as a context manager.

    Every call raises `UnauthorizedError` (401, 402, 403), `NotFoundError` (404, 410) or `ClientError` (another 4xx)
    at once, and `ServiceUnavailableError` or `ConnectionFailedError` after its retries. It raises `CancelledError` when
    `stop` is set while it waits. A caller that passes a `share` releases it after passing the response on.

    Args:
        token: Access token.
        base_url: Host of the workspace's region.
        version: API version.
        contacts_per_second: Cap of contact searches in any second; None for the headers' rate budget alone.
        conversations_per_second: The same for conversations.
        connections: Maximum number of concurrent calls, over persistent connections.
        timeouts: Seconds to connect, and between two bytes of a response.
        max_response_bytes: Maximum bytes of a response.
        budget: Memory of all responses in flight.
        clock: Monotonic seconds.
        wall: UNIX seconds.
        sleep: Waits; a parameter for tests.
    """

    def __init__(
        self,
        token: str,
        *,
        base_url: str = REGIONS["us"],
        version: str = "2.16",
        contacts_per_second: int | None = 10,
        conversations_per_second: int | None = None,
        connections: int = 400,
        timeouts: tuple[float, float] = TIMEOUTS_SECONDS,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        budget: Budget | None = None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
        sleep: Sleep = time.sleep,
    ) -> None:
        return_freed_memory()
        self.version = version
        caps = {Stream.CONTACTS: contacts_per_second, Stream.CONVERSATIONS: conversations_per_second}
        self.limiters: Mapping[Stream, RateLimiter] = {
            stream: RateLimiter(cap, RateBudget(clock=clock, wall=wall), clock=clock, sleep=sleep)
            for stream, cap in caps.items()
        }
        self._transport = Transport(
            token,
            base_url=base_url,
            version=version,
            connections=connections,
            timeouts=timeouts,
            max_response_bytes=max_response_bytes,
            wall=wall,
        )
        self.budget = budget or Budget()
        self._caller = RetryingCaller(self._transport, self.budget, wall=wall, sleep=sleep)

    def __enter__(self) -> "IntercomClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    @property
    def request_stats(self) -> RequestStats:
        """Return the number of calls made through this client so far."""
        return self._caller.request_stats

    def server_time(self) -> datetime | None:
        """Return Intercom's time by its newest response; None before a response with a valid `Date`."""
        return self._transport.server_clock.now()

    def now(self) -> float:
        """Return Intercom's clock, UNIX seconds; the machine's before any answer with a usable `Date`."""
        now = self.server_time()
        return now.timestamp() if now else time.time()

    def me(self) -> dict[str, Any]:
        """Fetch the token's admin and app (name, region, time zone); a cheap check of the token."""
        response: dict[str, Any] = self._get("/me", validator=responses.is_object)
        return response

    def data_attributes(self) -> list[dict[str, Any]]:
        """Fetch every contact attribute with its `full_name`, its `data_type` and whether it is archived."""
        response = self._get("/data_attributes?model=contact", validator=partial(responses.has_list, "data"))
        return list(response["data"])

    def conversation(
        self, conversation_id: str, *, stop: threading.Event | None = None, share: Share | None = None
    ) -> dict[str, Any]:
        """Fetch one conversation with its parts (at most the newest 500), bodies as HTML."""
        path = f"/conversations/{quote(conversation_id, safe='')}"
        response: dict[str, Any] = self._get(path, partial(responses.is_conversation, conversation_id), stop, share)
        return response

    def contact(
        self, contact_id: str, *, stop: threading.Event | None = None, share: Share | None = None
    ) -> dict[str, Any]:
        """Fetch one contact; `NotFoundError` has the id of the contact it was merged into."""
        path = f"/contacts/{quote(contact_id, safe='')}"
        response: dict[str, Any] = self._get(path, partial(responses.is_contact, contact_id), stop, share)
        return response

    def deleted_conversations(self, page: int) -> dict[str, Any]:
        """Fetch one page of deleted conversations, newest first; pages are numbered from 1."""
        path = f"/conversations/deleted?order=desc&per_page=60&page={page}"
        response: dict[str, Any] = self._get(path, partial(responses.is_numbered_page, "conversations"))
        return response

    def search(
        self,
        stream: Stream,
        body: Mapping[str, Any],
        size: PageSize,
        *,
        permit: Permit | None = None,
        stop: threading.Event | None = None,
        share: Share | None = None,
    ) -> dict[str, Any]:
        """Fetch one page of a search.

        Args:
            stream: The stream to search.
            body: The search, from `streams.search`.
            size: Page size of each attempt; it shrinks when a response times out or is too large.
            permit: A permit of the stream's rate limiter, already acquired.
            stop: Cancels every wait when set.
            share: The response's share of the byte budget; None when the caller uses the response at once.
        """
        requested = size.current

        def paginated_body() -> dict[str, Any]:
            nonlocal requested
            requested = size.current
            return {**body, "pagination": {**body["pagination"], "per_page": requested}}

        call = ApiRequest(
            "POST",
            stream.search_path(self.version),
            validator=partial(responses.is_search_page, stream.key),
            body=paginated_body,
            timed_out=size.shrink,
            too_large=lambda: size.shrink_below(requested),
        )
        response: dict[str, Any] = self._caller.call(call, self.limiters[stream], permit=permit, stop=stop, share=share)
        size.grow()
        return response

    def _get(
        self, path: str, validator: Validator, stop: threading.Event | None = None, share: Share | None = None
    ) -> Any:
        limiter = self.limiters[Stream.CONVERSATIONS]
        return self._caller.call(ApiRequest("GET", path, validator=validator), limiter, stop=stop, share=share)
