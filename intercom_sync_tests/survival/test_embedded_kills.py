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

from intercom_sync.warehouse.embedded import EmbeddedServer

_ASKED = os.environ.get("INTERCOM_SYNC_KILLS")
TRIES = int(_ASKED or 2)
_HOLDER = """
import sys
from pathlib import Path
from intercom_sync.warehouse.embedded import embedded_url
from intercom_sync.warehouse.session import Session
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
    folder = tmp_path / "home"
    yield folder
    _start(folder).communicate(timeout=120)
    shutil.rmtree(EmbeddedServer(folder).folder)


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
        victim = _start(home)
        time.sleep(chance.uniform(0, whole))
        _kill(victim, group=group)
        told = _start(home).communicate(timeout=120)[0]
        assert told == "there\n", number
