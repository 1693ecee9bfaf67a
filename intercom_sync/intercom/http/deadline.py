"""How long a whole answer may take: a server that sends a byte now and then would hold a call for ever otherwise.

A socket's own time-out starts anew with every byte. Which time-outs there are is said in `transport`.
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
"""An answer must be whole after so many times the time that may pass before its first byte."""


class _Bytes(io.RawIOBase):
    """A connection's bytes until the time is over."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._source = connection.makefile("rb", buffering=0)
        self._patience = connection.gettimeout()
        self._until = time.monotonic() + TOTAL_TIMEOUT_FACTOR * (self._patience or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._patience is None:
            return self._source.readinto(buffer)
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._connection.settimeout(min(left, self._patience))
        try:
            return self._source.readinto(buffer)
        finally:
            self._connection.settimeout(self._patience)

    def close(self) -> None:
        self._source.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer whose head and body are read against the clock."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Bytes(sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class DeadlineAdapter(HTTPAdapter):
    """Connections, also through a proxy, on which no answer takes longer than `TOTAL_TIMEOUT_FACTOR` read time-outs."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the connection pools."""
        super().init_poolmanager(*arguments, **options)
        _bound(self.poolmanager)

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Return the connection pools of a proxy."""
        return _bound(super().proxy_manager_for(*arguments, **options))


def _bound(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return manager
