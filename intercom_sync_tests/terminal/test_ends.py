"""Every long command in a real terminal: Ctrl-C, a closed window and SIGTERM end it and all that it started."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from intercom_sync.sandbox.server import Sandbox
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.homes import passing
from intercom_sync_tests.terminal.pseudo_terminal import CTRL_C, START_SECONDS, Terminal, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
# Seconds on an idle machine; a busy one needs more.
_END_SECONDS = 60
_WAYS: dict[str, tuple[Callable[[Terminal], None], int]] = {
    "ctrl-c": (lambda terminal: terminal.type(CTRL_C), 130),
    "closed": (lambda terminal: terminal.close(), 129),
    "SIGTERM": (lambda terminal: terminal.signal(signal.SIGTERM), 143),
}


def _end(terminal: Terminal, way: str, *, twice: bool = False) -> None:
    """End a command and look that it ended as it should, with all that it started."""
    act, code = _WAYS[way]
    shown = len(terminal.output)
    act(terminal)
    if twice:
        time.sleep(0.3)
        terminal.signal(signal.SIGINT)
    assert terminal.ends(_END_SECONDS) == code, terminal.output
    ending = terminal.output[shown:]
    assert "Traceback" not in ending, terminal.output
    assert "Exception" not in ending, terminal.output


def _is_reading(sandbox: Sandbox) -> Callable[[], bool]:
    sandbox.requests.clear()
    return lambda: any(request.method == "POST" for request in sandbox.requests)


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_a_sync_that_reads(
    named: dict[str, str], sandbox: Sandbox, database_url: str, schema: str, way: str, twice: bool
) -> None:
    with started(named, "sync", "--full") as terminal:
        terminal.wait_until(_is_reading(sandbox), START_SECONDS)
        _end(terminal, way, twice=twice)
    with Session(database_url, schema) as session, session.transaction():
        noted = session.frame("SELECT status FROM sync_runs")["status"].to_list()
        alerts = session.frame("SELECT details->>'sentence' AS said FROM customer_alerts")["said"].to_list()
    # A person who types Ctrl-C knows of it.
    assert noted == (["canceled"] if way == "ctrl-c" else ["failed"])
    assert len(alerts) == (0 if way == "ctrl-c" else 1)
    for said in alerts:
        assert "It is not retried automatically" in said
        assert "Dagster retries it" not in said


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("delay", [0.4, 2.0, 6.0])
def test_a_sync_that_starts(named: dict[str, str], way: str, delay: float) -> None:
    with started(named, "sync", "--full") as terminal:
        time.sleep(delay)
        _end(terminal, way)


def test_a_first_sync_that_makes_its_embedded_server(settings: dict[str, str], home: Path) -> None:
    with started(settings, "sync", "--full") as terminal:
        terminal.wait_until(lambda: len(terminal.processes()) > 1, START_SECONDS)
        _end(terminal, "ctrl-c")


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("arguments", [("doctor",), ("migrate",), ("sandbox", "--port", "0")], ids=lambda a: a[0])
def test_the_other_commands(named: dict[str, str], way: str, arguments: tuple[str, ...]) -> None:
    with started(named, *arguments) as terminal:
        time.sleep(0.4)  # doctor and migrate are done after a second or two
        _end(terminal, way)


def test_a_running_sandbox(named: dict[str, str]) -> None:
    with started(named, "sandbox", "--port", "0") as terminal:
        terminal.wait_for("Ctrl-C stops it", START_SECONDS)
        _end(terminal, "ctrl-c")


def test_psql_answers_ctrl_c_itself_and_ends_with_the_window_and_by_sigterm(named: dict[str, str]) -> None:
    with started(named, "migrate") as migrated:
        assert migrated.ends(START_SECONDS) == 0, migrated.output
    for way in ("closed", "SIGTERM"):
        with started(named, "psql") as terminal:
            terminal.wait_for("=#", START_SECONDS)
            terminal.type(b"SELECT pg_sleep(900);\n")
            time.sleep(1)
            terminal.type(CTRL_C)
            terminal.wait_for("canceling statement", 30)
            act, code = _WAYS[way]
            act(terminal)
            # psql may see the end of its input before the signal; then it ends by itself, with 0.
            assert terminal.ends(_END_SECONDS) in ({0, code} if way == "closed" else {code}), terminal.output
            assert "Traceback" not in terminal.output, terminal.output


def _daemons(terminal: Terminal) -> int:
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in terminal.processes()]
    return sum(b"dagster._daemon" in line for line in lines)


def test_up_ends_whole_and_starts_again_whatever_ended_it(settings: dict[str, str], home: Path) -> None:
    """One home for all ways, so that each start meets what the end before it left."""
    for way, twice in (("ctrl-c", False), ("closed", False), ("SIGTERM", True)):
        with started(settings, "up") as starting:
            starting.wait_until(lambda starting=starting: len(starting.processes()) > 3, START_SECONDS)
            _end(starting, way)
        with started(settings, "up") as running:
            running.wait_for("Dagster is up", START_SECONDS)
            _end(running, way, twice=twice)
    with started(settings, "up") as killed:
        killed.wait_for("Dagster is up", START_SECONDS)
        with started(settings, "up") as second:
            assert second.process.wait(START_SECONDS) == 1
            assert second.processes(server=False) == []
            assert "This deployment is already running" in second.output
        killed.signal(signal.SIGKILL)
        with started(settings, "up") as again:
            again.wait_for("Dagster is up", START_SECONDS)
            assert killed.processes(server=False) == []
            assert _daemons(again) == 1
            _end(again, "ctrl-c")


@pytest.mark.parametrize("way", _WAYS)
def test_the_demo(settings: dict[str, str], home: Path, way: str) -> None:
    demo = ("demo", "--contacts", "60", "--conversations", "40")
    with passing(home / "demo"):
        with started(settings, *demo) as syncing:
            syncing.wait_for("Sandbox Intercom with", START_SECONDS)
            _end(syncing, way)
        with started(settings, *demo) as running:
            running.wait_for("Ctrl-C stops it all", START_SECONDS)
            _end(running, way)
