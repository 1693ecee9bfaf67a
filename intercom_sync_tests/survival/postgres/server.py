"""A temporary PostgreSQL server for tests: version 15 from Debian, 16 and 18 from the embedded packages.

INTERCOM_SYNC_TEST_POSTGRES chooses the version (default 18). As root, it runs as the embedded server's user.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import psycopg2

from intercom_sync.warehouse.embedded.filesystem import as_server_user, binaries, server_user

CHOICE = "INTERCOM_SYNC_TEST_POSTGRES"
_DEBIAN = {15: Path("/usr/lib/postgresql/15/bin")}
# No fsync: the writes of a crashed server survive in the page cache.
_CARELESS = ("fsync=off", "full_page_writes=off")
_PATIENCE = 20


class Server:
    """A PostgreSQL server in a new folder in /tmp, or in a given folder that its user can write to.

    Args:
        settings: `name=value` lines of postgresql.conf.
        folder: the data folder.
        initdb: additional arguments of initdb.
    """

    def __init__(self, *settings: str, folder: Path | None = None, initdb: tuple[str, ...] = ()) -> None:
        self.version = int(os.environ.get(CHOICE, "18"))
        self._programs = _DEBIAN.get(self.version) or binaries(self.version)
        self._settings = (*_CARELESS, *settings)
        self.home = Path(tempfile.mkdtemp(prefix="intercom_sync_pg_"))
        self.data = (folder or self.home) / "data"
        self.port = _free_port()
        owned_by_server(self.home)
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8") if self.version >= 17 else ()
        made = self._run("initdb", "-D", str(self.data), "-U", "postgres", "-E", "UTF8", "-A", "trust", "-N",
                         *locale, *initdb)  # fmt: skip
        assert made.returncode == 0, made.stderr

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop("immediate")
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def url(self) -> str:
        """The URL of the server by its Unix socket."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Return the URL of a database by the Unix socket."""
        return f"postgresql://postgres@/{database}?host={self.home}&port={self.port}"

    @property
    def log(self) -> str:
        """Return the server's log."""
        return (self.home / "log").read_text()

    def start(self, *settings: str, wait: bool = True) -> None:
        """Start the server with additional settings; without `wait`, the start may be incomplete or fail."""
        options = " ".join(f"-c {one}" for one in (*self._settings, *settings))
        where = f"-c unix_socket_directories={self.home} -c listen_addresses=127.0.0.1 -c port={self.port}"
        started = self._run("pg_ctl", "-D", str(self.data), "-l", str(self.home / "log"), "-o", f"{where} {options}",
                            "-w" if wait else "-W", "start")  # fmt: skip
        assert started.returncode == 0, self.log[-2000:]

    def stop(self, mode: str = "fast") -> None:
        """Stop the server normally (fast) or as in a crash (immediate), if it is running."""
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def restart(self, mode: str = "fast", *settings: str) -> None:
        """Restart the server."""
        self.stop(mode)
        self.start(*settings)

    def ask(self, query: str, *values: Any, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Return the rows of a query, on a new connection."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def connect(self, database: str) -> Any:
        """Open a psycopg2 connection in autocommit and UTC, waiting for a restarting server."""
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                connection = psycopg2.connect(self.url_of(database), options="-c timezone=UTC", client_encoding="UTF8")
            except psycopg2.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
            else:
                connection.autocommit = True
                return connection

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return as_server_user([str(self._programs / program), *arguments], cwd=self.home, check=False)


def owned_by_server(folder: Path) -> None:
    """Change the owner of a folder to the server's user."""
    folder.chmod(0o700)
    if os.geteuid() == 0:
        user = server_user()
        os.chown(folder, user.pw_uid, user.pw_gid)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
