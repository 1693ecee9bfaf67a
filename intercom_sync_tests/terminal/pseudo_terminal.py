"""Run a command in a pseudo-terminal, with access to its output and to every process that it starts."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from intercom_sync.warehouse.embedded.filesystem import server_path

CTRL_C = b"\x03"
# A busy machine needs minutes to start Dagster.
START_SECONDS = 600
_COMMAND = str(Path(sys.executable).with_name("intercom-sync"))
_MARK = "TERMINAL_TEST"
_POLL_SECONDS = 0.05


class Terminal:
    """A command with a pseudo-terminal as controlling terminal.

    Its processes are identified by a variable in their environment, and an embedded server by its home folder.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str], home: Path) -> None:
        self._mark = f"{_MARK}={os.urandom(8).hex()}"
        self._server_folder = str(server_path(home))
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environment, _MARK: self._mark.partition("=")[2], "TERM": "xterm"},
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509  (no lock is taken in it)
        )
        os.close(slave)
        self._output = bytearray()
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        self.close()

    @property
    def output(self) -> str:
        """The output on the terminal."""
        return self._output.decode(errors="replace").replace("\r\n", "\n")

    def type(self, keys: bytes) -> None:
        """Type keys; ^C sends SIGINT to the foreground process group."""
        os.write(self._master, keys)

    def signal(self, number: int) -> None:
        """Send a signal to the command only, as `kill` does."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def close(self) -> None:
        """Close the terminal; the command receives SIGHUP."""
        if self._master >= 0:
            self._closing.set()
            self._reader.join(5)
            os.close(self._master)
            self._master = -1

    def wait_for(self, text: str, seconds: float = 120) -> None:
        """Wait until the output contains a text."""
        self.wait_until(lambda: text in self.output, seconds)

    def wait_until(self, seen: Callable[[], bool], seconds: float = 120) -> None:
        """Wait until a condition is true while the command runs."""
        end = time.monotonic() + seconds
        while not seen():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output}"
            assert time.monotonic() < end, f"it did not come:\n{self.output}"
            time.sleep(_POLL_SECONDS)

    def ends(self, seconds: float) -> int:
        """Wait until the command and all its processes exit, and return the exit code as a shell reports it."""
        end = time.monotonic() + seconds
        while self.process.poll() is None or self.processes():
            assert time.monotonic() < end, f"still there after {seconds} s: {self._described()}\n{self.output}"
            time.sleep(_POLL_SECONDS)
        if self._master >= 0:
            self._reader.join(5)
        code = self.process.returncode
        return code if code >= 0 else 128 - code

    def processes(self, *, server: bool = True) -> list[int]:
        """Return every running process of the command, and of an embedded server in its home folder."""
        return [int(found.name) for found in Path("/proc").glob("[0-9]*") if self._is_ours(found, server=server)]

    def _is_ours(self, process: Path, *, server: bool) -> bool:
        try:
            if (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
            if self._mark.encode() in (process / "environ").read_bytes():
                return True
            if not server or (process / "comm").read_text().strip() != "postgres":
                return False
            return self._server_folder.encode() in (process / "cmdline").read_bytes()
        except OSError:
            return False

    def _described(self) -> list[str]:
        found = []
        for pid in self.processes():
            command = Path(f"/proc/{pid}/cmdline")
            found.append(f"{pid} {command.read_bytes().replace(bytes(1), b' ').decode()[:160]}")
        return found

    def _read(self) -> None:
        """Collect the output. A blocking read would keep the terminal open after `close`."""
        while not self._closing.is_set():
            if not select.select([self._master], [], [], _POLL_SECONDS)[0]:
                continue
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            if not data:
                return
            self._output += data


def _take_terminal() -> None:
    """Make standard input the controlling terminal of a new session, with default handling of terminal signals.

    Tests in the background or under `nohup` ignore some signals, and their children would inherit that.
    """
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def started(settings: Mapping[str, str], *arguments: str) -> Terminal:
    """Start `intercom-sync` in a new terminal."""
    return Terminal([_COMMAND, *arguments], settings, Path(settings["INTERCOM_SYNC_HOME"]))
