"""`intercom-sync up`: run the Dagster UI and daemon of the deployment until Ctrl-C."""

import errno
import fcntl
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

import dagster as dg

from intercom_sync.commands.dagster_instance import make_home, translate_storage_errors, use_instance
from intercom_sync.commands.dagster_process import DagsterProcess
from intercom_sync.commands.guard import end_group
from intercom_sync.commands.stop_signals import say, when_stopped
from intercom_sync.orchestration.dead_runs import close_dead_runs
from intercom_sync.settings import Settings, SettingsError
from intercom_sync.warehouse.postgres.connect import database_url, open_warehouse
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.schema.dagster_schema import hold_schema

FIRST_PORT = 3000
_MAX_PORTS_TRIED = 100
_GUARD_TIMEOUT_SECONDS = 25
_POLL_SECONDS = 0.2


class AlreadyUpError(OSError):
    """Another process already serves this deployment; the message says where."""


def up(settings: Settings, host: str, port: int | None, announce: Callable[[str], None] | None = None) -> int:
    """Serve the UI until a stop signal.

    Returns:
        1, if Dagster exits by itself.

    Raises:
        AlreadyUpError: another process already serves this deployment.
        SettingsError: the port is in use.
        WarehouseError: the database is unavailable, or another deployment uses the schema.
    """
    port = free_port(host, port)
    url = f"http://{host}:{port}"
    with deployment_lock(settings.home, url), _dagster_lock(settings.home) as lock, ExitStack() as stack:
        connect = open_warehouse(settings)
        stack.enter_context(hold_schema(database_url(settings), settings.schema_name))
        use_instance(settings)
        _close_dead_runs(settings, connect)
        arguments = ["-m", "intercom_sync.definitions", "-h", host, "-p", str(port), "--log-level", "warning"]
        dagster = DagsterProcess(arguments, settings.home, lock.fileno())

        def stop(_: int) -> None:
            say("\nStopping.")
            dagster.end()

        with when_stopped(stop):
            try:
                return _serve(dagster, lock, url, announce or _announce)
            finally:
                dagster.end()


def _close_dead_runs(settings: Settings, connect: Callable[[], Session]) -> None:
    with translate_storage_errors(settings), dg.DagsterInstance.get() as instance, connect() as session:
        for sentence in close_dead_runs(instance, session, settings.schema_name):
            say(sentence)


def _serve(dagster: DagsterProcess, lock: IO[str], url: str, announce: Callable[[str], None]) -> int:
    dagster.start()
    _write(lock, str(dagster.group or ""))
    is_serving = dagster.wait_until_ready(url)
    if is_serving:
        announce(url)
        dagster.wait()
    if not dagster.is_ended:
        problem = "exited unexpectedly" if is_serving else "did not start"
        print(f"Dagster {problem}; see its messages above.", file=sys.stderr)
    return 1


def free_port(host: str, port: int | None) -> int:
    """Return the requested port, or the first free one from 3000 on.

    Raises:
        SettingsError: the port is in use, or the host is not an address of this machine.
    """
    for candidate in [port] if port else range(FIRST_PORT, FIRST_PORT + _MAX_PORTS_TRIED):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                raise SettingsError(f"Port {candidate} on {host} cannot be used ({error.strerror}).") from None
            return int(candidate)
    raise SettingsError(f"Port {port or FIRST_PORT} on {host} is in use: choose another with --port.")


@contextmanager
def deployment_lock(home: Path, url: str) -> Iterator[None]:
    """Lock the deployment, so that only one daemon runs.

    Raises:
        AlreadyUpError: another process holds the lock.
    """
    with (make_home(home) / "up.lock").open("a+") as lock:
        if not _try_lock(lock):
            lock.seek(0)
            raise AlreadyUpError(f"This deployment is already running: {lock.read().strip()}")
        _write(lock, url)
        yield


@contextmanager
def _dagster_lock(home: Path) -> Iterator[IO[str]]:
    """Hold the lock that Dagster's processes inherit, and yield its file, which holds their process group id.

    If `up` is killed, its guard terminates Dagster within seconds and the lock is released. If the guard is killed
    too, the next `up` terminates Dagster here.

    Raises:
        AlreadyUpError: another Dagster process of this deployment cannot be terminated.
    """
    with (home / "dagster.lock").open("a+") as lock:
        if not _try_lock(lock, _GUARD_TIMEOUT_SECONDS):
            lock.seek(0)
            group = lock.read().strip()
            with suppress(ValueError):
                end_group(int(group), lambda: True)
            if not _try_lock(lock, _GUARD_TIMEOUT_SECONDS):
                raise AlreadyUpError(f"Dagster of an earlier `up` is still running: kill process group {group}.")
        yield lock


def _try_lock(lock: IO[str], seconds: float = 0) -> bool:
    """Try to lock a file for at most some seconds and return whether it is locked."""
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True


def _write(lock: IO[str], text: str) -> None:
    lock.truncate(0)
    lock.write(text)
    lock.flush()


def _announce(url: str) -> None:
    print(f"Dagster is up: {url}  (Ctrl-C stops it)", flush=True)
