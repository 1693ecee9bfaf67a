"""A deadline for whole responses.

A socket's own time-out restarts with every byte, so a server that sends single bytes could block a call forever.
"""

import http.client
import io
import socket
import time
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

TOTAL_TIMEOUT_FACTOR = 2
"""Deadline of a whole response, as a multiple of the read time-out."""


class _DeadlineReader(io.RawIOBase):
    """Read a connection's bytes until the deadline."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._source = connection.makefile("rb", buffering=0)
        self._read_timeout = connection.gettimeout()
        self._deadline = time.monotonic() + TOTAL_TIMEOUT_FACTOR * (self._read_timeout or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._read_timeout is None:
            return self._source.readinto(buffer)
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._connection.settimeout(min(left, self._read_timeout))
        try:
            return self._source.readinto(buffer)
        finally:
            self._connection.settimeout(self._read_timeout)

    def close(self) -> None:
        self._source.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """Response whose head and body have a deadline."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_DeadlineReader(sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class DeadlineAdapter(HTTPAdapter):
    """Limit responses to `TOTAL_TIMEOUT_FACTOR` read time-outs, on direct connections and through proxies."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Create the connection pools."""
        super().init_poolmanager(*arguments, **options)
        _with_deadline(self.poolmanager)

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Return the connection pools of a proxy."""
        return _with_deadline(super().proxy_manager_for(*arguments, **options))


def _with_deadline(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return manager
