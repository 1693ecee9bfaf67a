"""Intercom's REST API for one workspace: the handful of calls this product makes.

How a call is repeated and paced is in `calls`; in which order a stream is read, in `shards` and `reader`.
"""

import threading
import time
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from intercom_sync.intercom.allocation import give_back_large_blocks
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
"""The API's hosts by region of the workspace (Intercom's reference, "Regional hosting")."""


class IntercomClient:
    """The calls, safe for threads; close it, or use it in a `with`.

    Contact searches have a cap of their own per second; conversations only follow what the headers allow, unless
    given one. `connections` is how many calls may be under way at once over kept-open connections; `budget` is the
    memory of all their answers together. Who gives a call a `share` of it releases it when the answer was handed on.

    Every call raises `UnauthorizedError` (401, 402, 403), `NotFoundError` (404, 410) or `ClientError` (another 4xx)
    at once, and `ServiceUnavailableError` or `ConnectionFailedError` only after its retries; `CancelledError` when
    `stop` is set while it waits.
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
        largest_answer: int = MAX_RESPONSE_BYTES,
        budget: Budget | None = None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
        sleep: Sleep = time.sleep,
    ) -> None:
        give_back_large_blocks()
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
            largest_answer=largest_answer,
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
        """Calls made so far by everything that shares this client."""
        return self._caller.request_stats

    def server_time(self) -> datetime | None:
        """Intercom's own time, by its newest answer; None before any answer with a usable `Date`."""
        return self._transport.server_clock.now()

    def now(self) -> float:
        """Return Intercom's clock, UNIX seconds; the machine's before any answer with a usable `Date`."""
        now = self.server_time()
        return now.timestamp() if now else time.time()

    def me(self) -> dict[str, Any]:
        """The token's admin and its app: name, region and time zone. A cheap check of the token."""
        found: dict[str, Any] = self._get("/me", shape=responses.is_object)
        return found

    def data_attributes(self) -> list[dict[str, Any]]:
        """Every attribute of contacts with its `full_name`, its `data_type` and whether it is archived."""
        found = self._get("/data_attributes?model=contact", shape=partial(responses.has_list, "data"))
        return list(found["data"])

    def conversation(
        self, conversation_id: str, *, stop: threading.Event | None = None, share: Share | None = None
    ) -> dict[str, Any]:
        """One conversation with its parts (at most the newest 500), bodies as HTML."""
        path = f"/conversations/{quote(conversation_id, safe='')}"
        found: dict[str, Any] = self._get(path, partial(responses.is_conversation, conversation_id), stop, share)
        return found

    def contact(
        self, contact_id: str, *, stop: threading.Event | None = None, share: Share | None = None
    ) -> dict[str, Any]:
        """One contact; `NotFoundError` says what it was merged into."""
        path = f"/contacts/{quote(contact_id, safe='')}"
        found: dict[str, Any] = self._get(path, partial(responses.is_contact, contact_id), stop, share)
        return found

    def deleted_conversations(self, page: int) -> dict[str, Any]:
        """One page of the deleted conversations, newest first, by its number from 1 on; `deleted` reads them all."""
        path = f"/conversations/deleted?order=desc&per_page=60&page={page}"
        found: dict[str, Any] = self._get(path, partial(responses.is_numbered_page, "conversations"))
        return found

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
        """One page of a search.

        Args:
            stream: What is searched.
            body: The search, from `streams.search`.
            size: How many records each attempt asks for; shrinks when an answer takes too long or is too large.
            permit: A permit of the stream's rate limiter, already acquired.
            stop: Ends every wait when set.
            share: Of the budget; holds what the answer takes. None when the answer is used at once.
        """
        asked = size.current

        def paged() -> dict[str, Any]:
            nonlocal asked
            asked = size.current
            return {**body, "pagination": {**body["pagination"], "per_page": asked}}

        call = ApiRequest(
            "POST",
            stream.asked(self.version),
            validator=partial(responses.is_search_page, stream.key),
            body=paged,
            timed_out=size.shrink,
            too_large=lambda: size.shrink_below(asked),
        )
        found: dict[str, Any] = self._caller.call(call, self.limiters[stream], turn=permit, stop=stop, share=share)
        size.grow()
        return found

    def _get(self, path: str, shape: Validator, stop: threading.Event | None = None, share: Share | None = None) -> Any:
        limiter = self.limiters[Stream.CONVERSATIONS]
        return self._caller.call(ApiRequest("GET", path, validator=shape), limiter, stop=stop, share=share)
