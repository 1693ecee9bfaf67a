"""`intercom-sync up`: the Dagster UI and daemon on the deployment's instance, until Ctrl-C."""

import errno
import fcntl
import os
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
_TRIED_PORTS = 100
_GUARD_SECONDS = 25
_POLL_SECONDS = 0.2


class AlreadyUpError(OSError):
    """Another process has this deployment up; the message says where."""


def up(settings: Settings, host: str, port: int | None, announce: Callable[[str], None] | None = None) -> int:
    """Serve the UI until a stop signal; return 1 when Dagster ended by itself.

    Raises:
        AlreadyUpError: this deployment is up already.
        SettingsError: the port is taken.
        WarehouseError: the database is not to be had, or another deployment uses the schema.
    """
    port = free_port(host, port)
    url = f"http://{host}:{port}"
    with deployment_lock(settings.home, url), _only_dagster(settings.home) as lock, ExitStack() as stack:
        connect = open_warehouse(settings)
        stack.enter_context(hold_schema(database_url(settings), settings.schema_name))
        use_instance(settings)
        _close_dead_runs(settings, connect)
        if settings.api_key:
            os.environ.setdefault("INTERCOM_API_KEY", settings.api_key)
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
        for sentence in close_dead_runs(instance, session):
            say(sentence)


def _serve(dagster: DagsterProcess, lock: IO[str], url: str, announce: Callable[[str], None]) -> int:
    dagster.start()
    _write(lock, str(dagster.group or ""))
    answered = dagster.answers(url)
    if answered:
        announce(url)
        dagster.wait()
    if not dagster.is_ended:
        what = "ended by itself" if answered else "did not start"
        print(f"Dagster {what}; its messages are above.", file=sys.stderr)
    return 1


def free_port(host: str, port: int | None) -> int:
    """Return the port asked for, or the first free one from 3000 on.

    Raises:
        SettingsError: the port asked for is taken, or the address is none of this machine.
    """
    for candidate in [port] if port else range(FIRST_PORT, FIRST_PORT + _TRIED_PORTS):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                raise SettingsError(f"Port {candidate} on {host} cannot be used ({error.strerror}).") from None
            return int(candidate)
    raise SettingsError(f"Port {port or FIRST_PORT} on {host} is taken: choose another with --port.")


@contextmanager
def deployment_lock(home: Path, url: str) -> Iterator[None]:
    """Hold the deployment, so that a second daemon does not run beside the first.

    Raises:
        AlreadyUpError: another process holds it.
    """
    with (make_home(home) / "up.lock").open("a+") as lock:
        if not _locked(lock):
            lock.seek(0)
            raise AlreadyUpError(f"It is up already: {lock.read().strip()}")
        _write(lock, url)
        yield


@contextmanager
def _only_dagster(home: Path) -> Iterator[IO[str]]:
    """Hold the lock that Dagster's processes inherit; yield its file, which names their process group.

    When an `up` was killed, its guard ends Dagster within seconds and releases the lock. When the guard was killed too,
    Dagster is ended here.

    Raises:
        AlreadyUpError: another Dagster of this deployment cannot be ended.
    """
    with (home / "dagster.lock").open("a+") as lock:
        if not _locked(lock, _GUARD_SECONDS):
            lock.seek(0)
            group = lock.read().strip()
            with suppress(ValueError):
                end_group(int(group), lambda: True)
            if not _locked(lock, _GUARD_SECONDS):
                raise AlreadyUpError(f"Dagster of an earlier `up` still runs: end the process group {group}.")
        yield lock


def _locked(lock: IO[str], seconds: float = 0) -> bool:
    """Try to lock a file, for some seconds at the most; return whether it worked."""
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
