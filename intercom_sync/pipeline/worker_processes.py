"""Worker processes of runs: their identity, and the heartbeat that a run writes every few seconds."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from intercom_sync.domain.errors import RetryableError
from intercom_sync.domain.identifiers import RunId
from intercom_sync.warehouse.errors import WarehouseError
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import liveness

INTERVAL_SECONDS = 5.0
_beating: set[str] = set()
_lock = threading.Lock()


def keep_beating(connect: Callable[[], Session], run_id: RunId) -> None:
    """Write a run's heartbeat from a thread, until the run is closed or this process ends."""
    with _lock:
        if run_id in _beating:
            return
        _beating.add(run_id)
    threading.Thread(target=_beat, args=(connect, run_id), name="heartbeat", daemon=True).start()


def _beat(connect: Callable[[], Session], run_id: RunId) -> None:
    pause = threading.Event()
    try:
        while _is_open(connect, run_id):
            pause.wait(INTERVAL_SECONDS)
    finally:
        with _lock:
            _beating.discard(run_id)


def _is_open(connect: Callable[[], Session], run_id: RunId) -> bool:
    try:
        with connect() as session:
            return liveness.beat(session, run_id)
    except RetryableError:
        return True  # it may come back
    except WarehouseError:
        return False


@dataclass(frozen=True)
class Worker:
    """The process that works on a run.

    Attributes:
        host: the machine since its last start, and the container.
        pid: the process id.
        started: when the process started, as the operating system reports it.
        beats_always: whether it writes heartbeats without a pause; with one process per step there are pauses.
    """

    host: str
    pid: int
    started: str
    beats_always: bool = True

    def is_gone(self) -> bool | None:
        """Return whether the process has ended; None if it ran on another host and cannot be checked."""
        if self.host != this_host():
            return None
        return process_start(self.pid) not in {self.started, _HIDDEN}

    def as_text(self) -> str:
        """Serialize the worker for a table or a tag."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Worker":
        """Parse the result of `as_text`."""
        return cls(**json.loads(text))


_HIDDEN = "hidden"


def this_worker(pid: int | None = None, *, beats_always: bool = True) -> Worker:
    """Return the worker of this process, or of another running process of this host."""
    pid = pid or os.getpid()
    return Worker(this_host(), pid, process_start(pid) or "", beats_always)


@cache
def this_host() -> str:
    """Return an identifier of this machine since its last boot, and of the container of this process."""
    return "/".join((socket.gethostname(), _read("/proc/sys/kernel/random/boot_id"), _process_ids()))


def process_start(pid: int) -> str | None:
    """Return when a process started; None if it does not run; `_HIDDEN` if the system hides it from this user."""
    if not Path("/proc/self/stat").exists():
        found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return found.stdout.strip() or None
    state, *fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split() or [""]
    if not state:
        return _HIDDEN if _exists(pid) else None
    return None if state in "ZX" else fields[18]


def is_descendant_of(pid: int) -> bool:
    """Return whether a process is the parent of this process, or a more distant ancestor."""
    ancestor = os.getpid()
    while ancestor > 1:
        fields = _read(f"/proc/{ancestor}/stat").rpartition(")")[2].split()
        ancestor = int(fields[1]) if len(fields) > 1 else 0
        if ancestor == pid:
            return True
    return False


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _process_ids() -> str:
    """Return the name of the process id namespace, which differs between containers."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
