"""A TCP proxy between a sync and its server that can delay, stop or change the traffic."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from typing import Self


class TcpProxy:
    """Forwards bytes in both directions.

    Attributes:
        delay: delay of each chunk in seconds.
        silent: if set, nothing is forwarded and no connection is closed.
        pieces: number of forwarded chunks.
        silent_at: number of chunks after which it becomes silent; 0 for never.
    """

    def __init__(self, port: int, *, delay: float = 0.0, answer: Callable[[bytes], bytes] = bytes) -> None:
        self.delay, self._answer, self._target = delay, answer, port
        self.silent, self.pieces, self.silent_at = Event(), 0, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def url_of(self, database: str) -> str:
        """Return the URL of a database through the proxy, or a template with {database}."""
        port = self._listener.getsockname()[1]
        return f"postgresql://postgres@127.0.0.1:{port}/{database}?sslmode=disable&gssencmode=disable"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                Thread(target=self._hand_on, args=(client, server, bytes), daemon=True).start()
                Thread(target=self._hand_on, args=(server, client, self._answer), daemon=True).start()

    def _hand_on(self, source: socket.socket, sink: socket.socket, change: Callable[[bytes], bytes]) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                while self.silent.is_set():
                    time.sleep(0.1)
                time.sleep(self.delay)
                sink.sendall(change(piece))
                self.pieces += 1
                if self.pieces == self.silent_at:
                    self.silent.set()
            sink.shutdown(socket.SHUT_RDWR)
