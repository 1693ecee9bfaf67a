"""One HTTP request to Intercom: host, headers, connections, time-outs, and an answer or none.

Nothing is tried again here and no answer judged: see `calls` and `answers`.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import requests
from requests.utils import get_environ_proxies

from intercom_sync.intercom.limits import Clock
from intercom_sync.intercom.patience import PatientAdapter
from intercom_sync.intercom.server_clock import ServerClock

TIMEOUTS = (10.0, 75.0)
"""Seconds to connect, and that may pass without a byte; a page of conversations may take most of a minute.

A whole answer may take twice the latter (see `patience`)."""
LARGEST_ANSWER = 256 * 2**20
"""Bytes of an answer, unpacked: far more than the largest page, and less than a machine's memory."""
_PIECE = 2**17


@dataclass(frozen=True)
class Answer:
    """What came back, unjudged."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswer(Exception):
    """Nothing usable came back: the network failed, or the answer took too long."""

    def __init__(self, reason: str, *, too_slow: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.too_slow = too_slow


class _Token(requests.auth.AuthBase):
    """Sets the header per request, since requests would let a .netrc entry replace one of the session's."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Transport:
    """Kept-open connections to one host, for as many threads as `connections`. Safe for threads."""

    def __init__(
        self,
        token: str,
        *,
        base_url: str,
        version: str,
        connections: int,
        timeouts: tuple[float, float] = TIMEOUTS,
        largest_answer: int = LARGEST_ANSWER,
        wall: Clock = time.time,
    ) -> None:
        self.server_clock = ServerClock(wall)
        self.base_url = base_url.rstrip("/")
        self._timeouts = timeouts
        self._largest_answer = largest_answer
        self._session = requests.Session()
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
        self._adapter = PatientAdapter(pool_connections=4, pool_maxsize=connections)
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, self._adapter)

    def send(self, method: str, path: str, asked: Mapping[str, Any] | None) -> Answer:
        """Send one request and read the whole answer. Redirects are not followed: the token stays with its host.

        Raises:
            NoAnswer: no connection, a broken one, or the answer took longer or was larger than it may be.
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
                whole = self._whole(response)
                # An error may repeat what it was asked with, and its words are told to people.
                body = whole if response.ok or not self._token else whole.replace(self._token, b"***")
                return Answer(response.status_code, response.headers, body)
        except requests.RequestException as error:
            # The name alone: the text of some holds a proxy's password.
            timed_out = isinstance(error, requests.ReadTimeout) or "Read timed out" in str(error)
            raise NoAnswer(type(error).__name__, too_slow=timed_out) from None

    def _whole(self, response: requests.Response) -> bytes:
        body = bytearray()
        for piece in response.iter_content(_PIECE):
            body += piece
            if len(body) > self._largest_answer:
                # Smaller pages may help, as they do where an answer is too slow.
                raise NoAnswer(f"an answer of more than {self._largest_answer >> 20} MB", too_slow=True)
        return bytes(body)

    def close(self) -> None:
        """Close the connections."""
        # The session only lets go of its pools; one that an error of the past still refers to would stay open.
        for manager in (self._adapter.poolmanager, *self._adapter.proxy_manager.values()):
            for pool in [manager.pools[key] for key in manager.pools.keys()]:  # noqa: SIM118  (no iteration of its own)
                pool.close()
        self._session.close()
