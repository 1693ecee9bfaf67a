"""`intercom-sync up`: the Dagster UI and daemon on the deployment's instance, until Ctrl-C."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from intercom_sync.commands.instance import make_home, use_instance
from intercom_sync.settings import Settings, SettingsError
from intercom_sync.warehouse.connect import database_url, open_warehouse
from intercom_sync.warehouse.deployment import hold_schema

FIRST_PORT = 3000
_TRIED_PORTS = 100
_PATIENCE_SECONDS = 120


class AlreadyUpError(OSError):
    """Another process has this deployment up; the message says where."""


def up(settings: Settings, host: str, port: int | None, announce: Callable[[str], None] | None = None) -> int:
    """Serve the UI until Ctrl-C or SIGTERM; return 0 when it was stopped, 1 when Dagster ended by itself.

    Raises:
        AlreadyUpError: this deployment is up already.
        SettingsError: the port is taken.
        WarehouseError: the database is not to be had, or another deployment uses the schema.
    """
    port = free_port(host, port)
    url = f"http://{host}:{port}"
    with only_one(settings.home, url), ExitStack() as stack:
        open_warehouse(settings)
        stack.enter_context(hold_schema(database_url(settings), settings.schema))
        use_instance(settings)
        if settings.api_key:
            os.environ.setdefault("INTERCOM_API_KEY", settings.api_key)
        command = ["dagster", "dev", "-m", "intercom_sync.definitions", "-h", host, "-p", str(port)]
        dagster = subprocess.Popen(
            [str(Path(sys.executable).with_name(command[0])), *command[1:], "--log-level", "warning"],
            start_new_session=True,
        )
        with _stopped_together(dagster):
            if not _answers(url, dagster):
                print("Dagster did not start; its messages stand above.", file=sys.stderr)
                return 1
            (announce or _announce)(url)
            return 1 if dagster.wait() else 0
        return 0


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
def only_one(home: Path, url: str) -> Iterator[None]:
    """Hold the deployment, so that a second daemon does not run beside the first.

    Raises:
        AlreadyUpError: another process holds it.
    """
    with (make_home(home) / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise AlreadyUpError(f"It is up already: {lock.read().strip()}") from None
        lock.truncate(0)
        lock.write(url)
        lock.flush()
        yield


@contextmanager
def _stopped_together(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the child and its children with this process, however that is asked for."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        print("\nStopping.", file=sys.stderr)
    finally:
        signal.signal(signal.SIGTERM, before)
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    for number, patience in ((signal.SIGINT, 20), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        if child.poll() is not None:
            break
        os.killpg(child.pid, number)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def _answers(url: str, child: subprocess.Popen[bytes]) -> bool:
    for _ in range(_PATIENCE_SECONDS * 2):
        if child.poll() is not None:
            return False
        try:
            with urlopen(f"{url}/server_info", timeout=5):  # noqa: S310  (our own address)
                return True
        except (URLError, OSError):
            time.sleep(0.5)
    return False


def _announce(url: str) -> None:
    print(f"Dagster is up: {url}  (Ctrl-C stops it)", flush=True)
