"""`dagster dev` as a child process of `intercom-sync up`, in its own process group that ends with it."""

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from intercom_sync.commands.guard import end_group, start_guard
from intercom_sync.commands.stop_signals import signals_received

_POLL_SECONDS = 0.2
_START_TIMEOUT_SECONDS = 240


class DagsterProcess:
    """Dagster's web server, daemon and code servers.

    Another thread may call `end`, also before `start`; `start` then does nothing.
    """

    def __init__(self, arguments: Sequence[str], home: Path, lock: int) -> None:
        self._command = [str(Path(sys.executable).with_name("dagster")), "dev", *arguments]
        self._home, self._lock = home, lock
        self._starting = threading.Lock()
        self.is_ended = False
        self._child: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def group(self) -> int | None:
        """The process group id, or None before the start."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start Dagster and its guard. Both inherit the lock that marks Dagster as running."""
        with self._starting:
            if not self.is_ended:
                self._child = subprocess.Popen(self._command, start_new_session=True, pass_fds=[self._lock])
                self._guard = start_guard(self._child.pid, self._home, self._lock)

    def wait_until_ready(self, url: str) -> bool:
        """Wait for the web server and return whether it answers before Dagster ends."""
        end = time.monotonic() + _START_TIMEOUT_SECONDS
        while not self._has_ended() and time.monotonic() < end:
            try:
                with urlopen(f"{url}/server_info", timeout=5):  # noqa: S310  (a local address)
                    return True
            except (URLError, OSError):
                time.sleep(_POLL_SECONDS)
        return False

    def wait(self) -> int:
        """Wait until Dagster exits and return its exit code."""
        while not self._has_ended():
            time.sleep(_POLL_SECONDS)
        return self._child.returncode if self._child else 1

    def end(self) -> None:
        """Terminate the process group; another stop signal kills it without further waiting."""
        with self._starting:
            self.is_ended = True
        if self._child:
            before = signals_received()
            end_group(self._child.pid, self._has_ended, lambda: signals_received() > before)
        if self._guard and self._guard.stdin:
            self._guard.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._guard.wait(10)

    def _has_ended(self) -> bool:
        return self._child is None or self._child.poll() is not None
