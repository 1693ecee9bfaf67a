"""Every long command in a real terminal: Ctrl-C, a closed window and SIGTERM end it and all that it started."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from intercom_sync.sandbox.generate import generate
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.warehouse.session import Session
from intercom_sync_tests.homes import passing
from intercom_sync_tests.terminal.pseudo_terminal import CTRL_C, Terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
_START_SECONDS = 600
# Seconds on an idle machine; a busy one needs more.
_END_SECONDS = 60
_COMMAND = str(Path(sys.executable).with_name("intercom-sync"))
_WAYS: dict[str, tuple[Callable[[Terminal], None], int]] = {
    "ctrl-c": (lambda terminal: terminal.type(CTRL_C), 130),
    "closed": (lambda terminal: terminal.close(), 129),
    "SIGTERM": (lambda terminal: terminal.signal(signal.SIGTERM), 143),
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(generate(contacts=600, conversations=40)) as made:
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with passing(tmp_path / "home") as folder:
        yield folder


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """An environment in which reading takes a while, so that it can be interrupted."""
    return os.environ | {
        "INTERCOM_API_KEY": "tok_invented",
        "INTERCOM_BASE_URL": sandbox.url,
        "INTERCOM_SYNC_HOME": str(tmp_path / "home"),
        "INTERCOM_SYNC_CONTACT_SEARCHES_PER_SECOND": "1",
    }


@pytest.fixture
def named(settings: dict[str, str], database_url: str, schema: str) -> dict[str, str]:
    """The same with a named server."""
    return settings | {"INTERCOM_SYNC_DATABASE_URL": database_url, "INTERCOM_SYNC_SCHEMA": schema}


def _start(settings: dict[str, str], *arguments: str) -> Terminal:
    return Terminal([_COMMAND, *arguments], settings, Path(settings["INTERCOM_SYNC_HOME"]))


def _end(terminal: Terminal, way: str, *, twice: bool = False, server: bool = True) -> None:
    """End a command and look that it ended as it should, with all that it started."""
    act, code = _WAYS[way]
    act(terminal)
    if twice:
        time.sleep(0.3)
        terminal.signal(signal.SIGINT)
    assert terminal.ends(_END_SECONDS, server=server) == code, terminal.output
    assert "Traceback" not in terminal.output
    assert "Exception" not in terminal.output


def _is_reading(sandbox: Sandbox) -> Callable[[], bool]:
    sandbox.requests.clear()
    return lambda: any(request.method == "POST" for request in sandbox.requests)


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_a_sync_that_reads(
    named: dict[str, str], sandbox: Sandbox, database_url: str, schema: str, way: str, twice: bool
) -> None:
    with _start(named, "sync", "--full") as terminal:
        terminal.wait_until(_is_reading(sandbox), _START_SECONDS)
        _end(terminal, way, twice=twice)
    with Session(database_url, schema) as session, session.transaction():
        noted = session.frame("SELECT status FROM sync_runs")["status"].to_list()
        alerts = session.frame("SELECT details->>'sentence' AS said FROM customer_alerts")["said"].to_list()
    # A person who types Ctrl-C knows of it.
    assert noted == (["canceled"] if way == "ctrl-c" else ["failed"])
    assert len(alerts) == (0 if way == "ctrl-c" else 1)
    for said in alerts:
        assert "Nothing starts it again by itself" in said
        assert "It is started once more" not in said


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("delay", [0.4, 2.0, 6.0])
def test_a_sync_that_starts(named: dict[str, str], way: str, delay: float) -> None:
    with _start(named, "sync", "--full") as terminal:
        time.sleep(delay)
        _end(terminal, way)


def test_a_first_sync_that_makes_its_embedded_server(settings: dict[str, str], home: Path) -> None:
    with _start(settings, "sync", "--full") as terminal:
        terminal.wait_until(lambda: len(terminal.processes()) > 1, _START_SECONDS)
        _end(terminal, "ctrl-c")


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("arguments", [("doctor",), ("migrate",), ("sandbox", "--port", "0")], ids=lambda a: a[0])
def test_the_other_commands(named: dict[str, str], way: str, arguments: tuple[str, ...]) -> None:
    with _start(named, *arguments) as terminal:
        time.sleep(0.4)  # doctor and migrate are done after a second or two
        _end(terminal, way)


def test_a_running_sandbox(named: dict[str, str]) -> None:
    with _start(named, "sandbox", "--port", "0") as terminal:
        terminal.wait_for("Ctrl-C ends it", _START_SECONDS)
        _end(terminal, "ctrl-c")


def test_psql_answers_ctrl_c_itself_and_ends_with_the_window(named: dict[str, str], database_url: str) -> None:
    with _start(named, "migrate") as migrated:
        assert migrated.ends(_START_SECONDS) == 0, migrated.output
    with _start(named, "psql") as terminal:
        terminal.wait_for("=#", _START_SECONDS)
        terminal.type(b"SELECT pg_sleep(900);\n")
        time.sleep(1)
        terminal.type(CTRL_C)
        terminal.wait_for("canceling statement", 30)
        terminal.close()
        # psql may see the end of its input before the signal; then it ends by itself, with 0.
        assert terminal.ends(_END_SECONDS) in {0, _WAYS["closed"][1]}, terminal.output
        assert "Traceback" not in terminal.output


def _daemons(terminal: Terminal) -> int:
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in terminal.processes()]
    return sum(b"dagster._daemon" in line for line in lines)


def test_up_ends_whole_and_starts_again_whatever_ended_it(settings: dict[str, str], home: Path) -> None:
    """One home for all ways, so that each start meets what the end before it left."""
    for way, twice in (("ctrl-c", False), ("closed", False), ("SIGTERM", True)):
        with _start(settings, "up") as starting:
            starting.wait_until(lambda starting=starting: len(starting.processes()) > 3, _START_SECONDS)
            _end(starting, way, server=False)
        with _start(settings, "up") as running:
            running.wait_for("Dagster is up", _START_SECONDS)
            _end(running, way, twice=twice, server=False)
    with _start(settings, "up") as killed, _start(settings, "up") as second:
        killed.wait_for("Dagster is up", _START_SECONDS)
        assert second.ends(_START_SECONDS) == 1
        assert "It is up already" in second.output
        killed.signal(signal.SIGKILL)
        with _start(settings, "up") as again:
            again.wait_for("Dagster is up", _START_SECONDS)
            assert killed.processes(server=False) == []
            assert _daemons(again) == 1
            _end(again, "ctrl-c", server=False)


@pytest.mark.parametrize("way", _WAYS)
def test_the_demo(settings: dict[str, str], home: Path, way: str) -> None:
    demo = ("demo", "--contacts", "60", "--conversations", "40")
    with passing(home / "demo"):
        with _start(settings, *demo) as syncing:
            syncing.wait_for("Sandbox Intercom with", _START_SECONDS)
            _end(syncing, way, server=False)
        with _start(settings, *demo) as running:
            running.wait_for("Ctrl-C stops it all", _START_SECONDS)
            _end(running, way, server=False)
