"""One HTTP request to Intercom: host, headers, connections, time-outs, and an answer or none.

Nothing is tried again here and no answer judged: see `calls` and `answers`.
"""

import os
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
import requests
import urllib3
from requests.utils import get_environ_proxies

from intercom_sync.intercom.http.byte_budget import Share
from intercom_sync.intercom.http.deadline import DeadlineAdapter
from intercom_sync.intercom.http.decompression import PIECE, TooLarge, unpacked
from intercom_sync.intercom.http.rate_limiter import Clock
from intercom_sync.intercom.http.server_clock import ServerClock

TIMEOUTS_SECONDS = (10.0, 75.0)
"""Seconds to connect, and that may pass without a byte; a page of conversations may take most of a minute.

A whole answer may take twice the latter (see `deadline`)."""
MAX_RESPONSE_BYTES = 32 * 2**20
"""Bytes of an answer, packed or unpacked: far more than the largest page. Several are in memory at once (`budget`)."""
_LARGEST_ERROR = 2**16
"""Bytes that are read of any answer but a 200: its words fit into them, and nothing else of it is used."""


@dataclass(frozen=True)
class RawResponse:
    """What came back, unjudged."""

    status: int
    headers: Mapping[str, str]
    body: bytes | bytearray


class NoResponseError(Exception):
    """Nothing usable came back: the network failed, or the answer took too long or was too large."""

    def __init__(self, reason: str, *, too_slow: bool = False, too_large: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.timed_out = too_slow
        self.too_large = too_large


class _Token(requests.auth.AuthBase):
    """Sets the header per request, since requests would let a .netrc entry replace one of the session's."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Session(requests.Session):
    """Sees no redirect in an answer: requests would unpack the whole body of one before it leaves it alone."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return nothing."""
        del resp


class Transport:
    """Kept-open connections to one host, for as many threads as `connections`. Safe for threads."""

    def __init__(
        self,
        token: str,
        *,
        base_url: str,
        version: str,
        connections: int,
        timeouts: tuple[float, float] = TIMEOUTS_SECONDS,
        largest_answer: int = MAX_RESPONSE_BYTES,
        wall: Clock = time.time,
    ) -> None:
        self.server_clock = ServerClock(wall)
        self.base_url = base_url.rstrip("/")
        self._timeouts = timeouts
        self.largest_answer = largest_answer
        self._session = _Session()
        # Looked up once: requests would ask the environment and the proxy settings again for every call.
        self._session.trust_env = False
        self._session.proxies = get_environ_proxies(self.base_url)
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self._session.auth = _Token(token)
        self._token = token.encode()
        self._session.headers.update(
            {
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                # A proxy's copy of an answer would tell an old time, and perhaps of another workspace.
                "Cache-Control": "no-cache",
                "Content-Type": "application/json",
                "Intercom-Version": version,
                "User-Agent": "intercom-sync",
            }
        )
        self._adapter = DeadlineAdapter(pool_connections=4, pool_maxsize=connections)
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, self._adapter)

    def send(
        self,
        method: str,
        path: str,
        asked: Mapping[str, Any] | None,
        share: Share,
        stop: threading.Event | None = None,
    ) -> RawResponse:
        """Send one request and read the whole answer. Redirects are not followed: the token stays with its host.

        Args:
            method: Of HTTP.
            path: Below the base URL, with its query.
            asked: The body, as JSON.
            share: Holds the bytes of the answer's body.
            stop: Ends the wait for those bytes when set.

        Raises:
            NoAnswer: no connection, a broken one, or the answer took longer or was larger than it may be.
            Stopped: `stop` was set.
        """
        try:
            with self._session.request(
                method,
                self.base_url + path,
                data=None if asked is None else orjson.dumps(asked),
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            ) as response:
                self.server_clock.note(response.headers)
                body = self._body(response, share, stop)
                return RawResponse(response.status_code, response.headers, body)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # The name alone: the text of some holds a proxy's password.
            timed_out = isinstance(error, requests.ReadTimeout) or "Read timed out" in str(error)
            raise NoResponseError(type(error).__name__, too_slow=timed_out) from None
        except zlib.error:
            raise NoResponseError("an answer that is not packed as its header says") from None
        except TooLarge:
            raise NoResponseError(f"an answer of more than {self.largest_answer >> 20} MB", too_large=True) from None

    def _body(self, response: requests.Response, share: Share, stop: threading.Event | None) -> bytearray:
        if response.status_code == 200:
            return _whole(response, bytearray(), self.largest_answer, share, stop)
        body = bytearray()
        with suppress(TooLarge):
            _whole(response, body, _LARGEST_ERROR, share, stop)
        # An error may repeat the request, and its text is shown to people.
        return body.replace(self._token, b"***") if self._token else body

    def close(self) -> None:
        """Close the connections."""
        # The session only lets go of its pools; one that an error of the past still refers to would stay open.
        for manager in (self._adapter.poolmanager, *self._adapter.proxy_manager.values()):
            for pool in [manager.pools[key] for key in manager.pools.keys()]:  # noqa: SIM118  (no iteration of its own)
                pool.close()
        self._session.close()


def _whole(
    response: requests.Response, body: bytearray, limit: int, share: Share, stop: threading.Event | None
) -> bytearray:
    """Append a body to the bytes given, and return them; what was read stays there when it turns out too large."""
    for piece in unpacked(_as_sent(response), response.headers.get("Content-Encoding", ""), limit):
        share.hold(len(body) + len(piece), stop)
        body += piece
    return body


def _as_sent(response: requests.Response) -> Iterator[bytes]:
    while piece := response.raw.read(PIECE, decode_content=False):
        yield piece
