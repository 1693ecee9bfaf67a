"""One HTTP request to Intercom: headers, connections, time-outs, size limits."""

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

from intercom_sync.intercom.http.byte_budget import Share
from intercom_sync.intercom.http.deadline import DeadlineAdapter
from intercom_sync.intercom.http.decompression import CHUNK_BYTES, BodyTooLargeError, decompress
from intercom_sync.intercom.http.rate_limiter import Clock
from intercom_sync.intercom.http.server_clock import ServerClock

TIMEOUTS_SECONDS = (10.0, 75.0)
"""Time-outs to connect and between two bytes; a page of conversations may take most of a minute.

A whole response may take twice the latter (see `deadline`)."""
MAX_RESPONSE_BYTES = 32 * 2**20
"""Maximum size of a response, compressed or not; far more than the largest page."""
_MAX_ERROR_BYTES = 2**16
"""Bytes read of an error response; enough for its code and message."""


@dataclass(frozen=True)
class RawResponse:
    """Hold a response that was not validated yet."""

    status: int
    headers: Mapping[str, str]
    body: bytes | bytearray


class NoResponseError(Exception):
    """No usable response: the network failed, or the response was too slow or too large."""

    def __init__(self, reason: str, *, timed_out: bool = False, too_large: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.timed_out = timed_out
        self.too_large = too_large


class _Token(requests.auth.AuthBase):
    """Set the token per request, because requests lets a .netrc entry replace a session header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Session(requests.Session):
    """Ignore redirects, because requests would decompress the whole body of one, without a limit."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None, which means no redirect."""
        del resp


class Transport:
    """Send requests to one host over persistent connections, one for each of `connections` threads. Thread-safe."""

    def __init__(
        self,
        token: str,
        *,
        base_url: str,
        version: str,
        connections: int,
        timeouts: tuple[float, float] = TIMEOUTS_SECONDS,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        wall: Clock = time.time,
    ) -> None:
        self.server_clock = ServerClock(wall)
        self.base_url = base_url.rstrip("/")
        self._timeouts = timeouts
        self.max_response_bytes = max_response_bytes
        self._session = _Session()
        # Read once: requests would read environment and proxy settings at every call.
        found = self._session.merge_environment_settings(self.base_url, {}, None, None, None)
        self._session.trust_env = False
        self._session.proxies, self._session.verify = found["proxies"], found["verify"]
        self._session.auth = _Token(token)
        self._token = token.encode()
        self._session.headers.update(
            {
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                # A cached response would have an old time, and perhaps another workspace's data.
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
        payload: Mapping[str, Any] | None,
        share: Share,
        stop: threading.Event | None = None,
    ) -> RawResponse:
        """Send one request and read the whole response. Redirects are not followed, so the token stays with its host.

        Args:
            method: HTTP method.
            path: Path below the base URL, with its query.
            payload: JSON body.
            share: Holds the bytes of the response body.
            stop: Cancels the wait for these bytes when set.

        Raises:
            NoResponseError: the connection failed, or the response was too slow or too large.
            CancelledError: `stop` was set.
        """
        try:
            with self._session.request(
                method,
                self.base_url + path,
                data=None if payload is None else orjson.dumps(payload),
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            ) as response:
                self.server_clock.update(response.headers)
                body = self._read_body(response, share, stop)
                return RawResponse(response.status_code, response.headers, body)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # Only the class name, because some messages contain a proxy's password.
            timed_out = isinstance(error, requests.ReadTimeout) or "Read timed out" in str(error)
            raise NoResponseError(type(error).__name__, timed_out=timed_out) from None
        except zlib.error:
            raise NoResponseError("a response that does not match its Content-Encoding") from None
        except BodyTooLargeError:
            reason = f"a response of more than {self.max_response_bytes >> 20} MB"
            raise NoResponseError(reason, too_large=True) from None

    def _read_body(self, response: requests.Response, share: Share, stop: threading.Event | None) -> bytearray:
        if response.status_code == 200:
            return _append_body(response, bytearray(), self.max_response_bytes, share, stop)
        body = bytearray()
        with suppress(BodyTooLargeError):
            _append_body(response, body, _MAX_ERROR_BYTES, share, stop)
        # An error may echo the request's token, and its message is shown to people.
        return body.replace(self._token, b"***") if self._token else body

    def close(self) -> None:
        """Close the connections."""
        # The session drops its pools without closing them; one that an old error still references would stay open.
        for manager in (self._adapter.poolmanager, *self._adapter.proxy_manager.values()):
            for pool in [manager.pools[key] for key in manager.pools.keys()]:  # noqa: SIM118  (no iteration of its own)
                pool.close()
        self._session.close()


def _append_body(
    response: requests.Response, body: bytearray, limit: int, share: Share, stop: threading.Event | None
) -> bytearray:
    """Append a response body to `body` and return it; when it is too large, `body` keeps what was read."""
    for chunk in decompress(_raw_chunks(response), response.headers.get("Content-Encoding", ""), limit):
        share.hold(len(body) + len(chunk), stop)
        body += chunk
    return body


def _raw_chunks(response: requests.Response) -> Iterator[bytes]:
    while chunk := response.raw.read(CHUNK_BYTES, decode_content=False):
        yield chunk
