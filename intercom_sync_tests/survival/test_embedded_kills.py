"""The embedded server when those who start it are killed: in the middle of initdb, of the start, or of the stop."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from intercom_sync.sandbox.server import Sandbox
from intercom_sync.warehouse.embedded.postgres_server import EmbeddedServer, embedded_url
from intercom_sync_tests.homes import passing, stop_server
from intercom_sync_tests.survival.killed_process import command
from intercom_sync_tests.survival.random_edits import RandomEdits
from intercom_sync_tests.survival.state import differences, opened
from intercom_sync_tests.survival.steps import Order

_ASKED = os.environ.get("INTERCOM_SYNC_KILLS")
TRIES = int(_ASKED or 1)
_HOLDER = """
import sys
from pathlib import Path
from intercom_sync.warehouse.embedded.postgres_server import embedded_url
from intercom_sync.warehouse.postgres.session import Session
print("begins", flush=True)
url = embedded_url(Path(sys.argv[1]))
with Session(url, "public") as session, session.transaction():
    session.execute("CREATE TABLE IF NOT EXISTS kept (number integer)")
    session.execute("INSERT INTO kept VALUES (7)")
print("there", flush=True)
"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(0 if _ASKED else 300)]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with passing(tmp_path / "home") as folder:
        yield folder


def _start(home: Path) -> subprocess.Popen[str]:
    """A process that starts the server, writes a row and leaves; it has come to the start when this returns."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(home)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout
    assert process.stdout.readline() == "begins\n"
    return process


def _kill(process: subprocess.Popen[str], *, group: bool) -> None:
    """Kill a process alone, so that what it has started goes on without it, or with all that it has started."""
    if process.poll() is None:
        (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)


@pytest.mark.parametrize("group", [False, True], ids=["alone", "with its children"])
def test_whenever_the_first_starter_is_killed_the_next_has_a_server(home: Path, group: bool) -> None:
    chance = random.Random(4)
    began = time.monotonic()
    assert _start(home).communicate(timeout=120)[0] == "there\n"
    whole = time.monotonic() - began
    for number in range(TRIES):
        if number % 3 != 2:  # mostly at the very first start, where there is most to break
            shutil.rmtree(EmbeddedServer(home).folder)
        killed_sync = _start(home)
        time.sleep(chance.uniform(0, whole))
        _kill(killed_sync, group=group)
        told = _start(home).communicate(timeout=120)[0]
        assert told == "there\n", number


def test_a_stranger_with_the_old_servers_number_is_not_taken_for_it(home: Path) -> None:
    """After the machine went down, the file that names the server's process may name any other."""
    assert _start(home).communicate(timeout=120)[0] == "there\n"
    server = EmbeddedServer(home)
    owner = server.data.stat()
    stranger = subprocess.Popen(["sleep", "300"], user=owner.st_uid, group=owner.st_gid, extra_groups=[])
    try:
        noted = server.data / "postmaster.pid"
        noted.write_text(f"{stranger.pid}\n{server.data}\n1780000000\n5432\n{server.folder}\n\n  0  0\n")
        os.chown(noted, owner.st_uid, owner.st_gid)
        assert _start(home).communicate(timeout=120)[0] == "there\n"
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_command_killed_at_its_very_first_start_is_done_by_the_next(home: Path, tmp_path: Path) -> None:
    """In the making of the server, of its tables, of Dagster's, or of the sync."""
    random_edits, log, chance = RandomEdits(5, 60), tmp_path / "log", random.Random(6)
    with Sandbox(random_edits.world.company) as sandbox:
        order = Order("", "", "public", sandbox.url, random_edits.world.now + 60, full=True)
        began = time.monotonic()
        assert command(order, home, log, database=False).wait() == 0, log.read_text()[-2000:]
        whole = time.monotonic() - began
        with opened(embedded_url(home), "public") as state:
            wanted = state.tables()
        stop_server(home)
        for _ in range(TRIES):
            shutil.rmtree(EmbeddedServer(home).folder)
            killed_sync = command(order, home, log, database=False)
            time.sleep(chance.uniform(0.1 * whole, whole))
            killed_sync.kill()
            assert command(order, home, log, database=False).wait() == 0, log.read_text()[-2000:]
            with opened(embedded_url(home), "public") as state:
                assert differences(state.tables(), wanted) == {}
            stop_server(home)
