"""Run the sandbox server: in a thread for tests and the demo (`Sandbox`), or in the foreground (`serve`)."""

import signal
import socket
import time
from collections.abc import Callable
from threading import Thread, current_thread, main_thread
from types import FrameType, TracebackType
from typing import Self

import uvicorn

from intercom_sync.sandbox.app import App
from intercom_sync.sandbox.faults import Faults
from intercom_sync.sandbox.generate import generate
from intercom_sync.sandbox.requests import Request
from intercom_sync.sandbox.wire import Protocol
from intercom_sync.sandbox.workspace import Workspace


class PortTakenError(OSError):
    """The port is in use."""


class Sandbox:
    """A sandbox Intercom on 127.0.0.1 that runs for the duration of a `with` block.

    Args:
        workspace: the data, which may be edited while the server runs.
        port: the port; 0 is any free port.
        token: the only bearer token it accepts; None accepts any.
        rate: requests per second, counted in 10-second windows; None is the documented 10,000 per minute.
        latency: delay of every response in seconds; delays overlap.
        clock: the time in UNIX seconds, for rate limit windows and Date headers.
        dated: whether responses have a Date header.

    Raises:
        PortTakenError: the port is in use; raised on entering.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        port: int = 0,
        token: str | None = None,
        rate: float | None = None,
        latency: float = 0.0,
        clock: Callable[[], float] = time.time,
        dated: bool = True,
    ) -> None:
        self.workspace = workspace
        self.url = ""
        self._port = port
        self._app = App(workspace, token=token, rate=rate, latency=latency, clock=clock, dated=dated)

    @property
    def requests(self) -> list[Request]:
        """The received requests, oldest first; the list may be cleared."""
        return self._app.requests

    @property
    def faults(self) -> Faults:
        """The planned faults."""
        return self._app.faults

    def dated(self, dated: bool) -> None:
        """Set whether responses have a Date header."""
        self._app.dated = dated

    def __enter__(self) -> Self:
        connection = listen("127.0.0.1", self._port)
        self.url = self._app.base = f"http://127.0.0.1:{connection.getsockname()[1]}"
        self._server = _server(self._app)
        self._thread = Thread(target=self._server.run, args=([connection],), daemon=True, name="sandbox-intercom")
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.001)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(timeout=10)


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Raises:
        PortTakenError: the port is in use.
    """
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        connection.bind((host, port))
        connection.listen(2048)
    except OSError as error:
        connection.close()
        message = f"Port {port} on {host} cannot be used ({error.strerror}). Choose another with --port."
        raise PortTakenError(error.errno, message) from error
    return connection


def _server(app: App) -> uvicorn.Server:
    # The application has no lifespan events and sets Date itself; access logs cost more than the responses.
    config = uvicorn.Config(
        app,
        http=Protocol,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        timeout_keep_alive=75,
        date_header=False,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def serve(
    *,
    port: int,
    contacts: int,
    conversations: int,
    seed: int,
    rate: float | None,
    latency_ms: float,
    token: str | None = None,
    host: str = "127.0.0.1",
) -> None:
    """Run a sandbox with a generated workspace until Ctrl-C or SIGTERM, and print how to connect to it.

    Raises:
        PortTakenError: the port is in use.
    """
    connection = listen(host, port)
    workspace = generate(contacts=contacts, conversations=conversations, seed=seed)
    app = App(workspace, token=token, rate=rate, latency=latency_ms / 1000, clock=time.time)
    app.base = f"http://{host}:{connection.getsockname()[1]}"
    _announce(app.base, workspace, token)
    if current_thread() is main_thread():
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, _ignore_signal)
    _server(app).run([connection])


def _ignore_signal(number: int, frame: FrameType | None) -> None:
    """Ignore the signal that uvicorn raises again after it stops, which would look like a crash."""


def _announce(url: str, workspace: Workspace, token: str | None) -> None:
    counts = len(workspace.contact_table.live.records), len(workspace.conversation_table.live.records)
    lines = (
        f"Sandbox Intercom on {url} with {counts[0]:,} contacts and {counts[1]:,} conversations. Ctrl-C stops it. Try:",
        f"  export INTERCOM_BASE_URL={url}",
        f"  export INTERCOM_API_KEY={token or 'sandbox'}",
    )
    print("\n".join(lines), flush=True)
