"""Everything is killed in the middle of a run, as by a power cut, and started again: no run waits for the dead one."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from intercom_sync.sandbox.generate import generate
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.warehouse.embedded import embedded_url
from intercom_sync.warehouse.session import Session
from intercom_sync_tests.end_to_end.dagster_dev import Dev
from intercom_sync_tests.homes import passing
from intercom_sync_tests.terminal.pseudo_terminal import Terminal
from intercom_sync_tests.terminal.test_ends import _COMMAND as COMMAND

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
_START_SECONDS = 600
_REPOSITORY = {"repositoryLocationName": "intercom_sync.definitions", "repositoryName": "__repository__"}
_LAUNCH = "mutation($execution: ExecutionParams!) { launchRun(executionParams: $execution) { __typename } }"
_RUNS = "{ runsOrError { ... on Runs { results { runId status } } } }"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(generate(contacts=600, conversations=40)) as made:
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with passing(tmp_path / "home") as folder:
        yield folder


@pytest.fixture
def settings(sandbox: Sandbox, home: Path) -> dict[str, str]:
    return os.environ | {
        "INTERCOM_API_KEY": "tok_invented",
        "INTERCOM_BASE_URL": sandbox.url,
        "INTERCOM_SYNC_HOME": str(home),
        "INTERCOM_SYNC_CONTACT_SEARCHES_PER_SECOND": "1",
    }


def _until_reading(terminal: Terminal, sandbox: Sandbox) -> None:
    sandbox.requests.clear()
    terminal.wait_until(lambda: sum(one.method == "POST" for one in sandbox.requests) > 3, _START_SECONDS)


def _cut_the_power(terminal: Terminal) -> None:
    """Kill everything but the database's server, which recovers by itself."""
    while pids := terminal.processes(server=False):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def _states(home: Path) -> list[str]:
    with Session(embedded_url(home), "public") as session, session.transaction():
        return session.frame("SELECT status FROM sync_runs ORDER BY started_at")["status"].to_list()


def test_a_killed_sync_is_closed_by_the_next_which_reads_on(
    settings: dict[str, str], sandbox: Sandbox, home: Path
) -> None:
    with Terminal([COMMAND, "sync", "--full"], settings, home) as killed:
        _until_reading(killed, sandbox)
        _cut_the_power(killed)
    with Terminal([COMMAND, "sync"], settings, home) as again:
        assert again.ends(_START_SECONDS) == 0, again.output
    assert "is closed. Its process is gone" in again.output
    assert _states(home) == ["crashed", "succeeded"]


def _up(settings: dict[str, str], home: Path) -> tuple[Terminal, Dev]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    terminal = Terminal([COMMAND, "up", "--port", str(port)], settings, home)
    return terminal, Dev(f"http://127.0.0.1:{port}", home)


def _launch(dev: Dev, **config: Any) -> bool:
    execution = {
        "selector": {**_REPOSITORY, "jobName": "sync"},
        "runConfigData": {"ops": {"raw": {"config": config}}},
        "executionMetadata": {"tags": []},
    }
    return str(dev.ask(_LAUNCH, execution=execution)["launchRun"]["__typename"]) == "LaunchRunSuccess"


def test_no_run_waits_for_one_that_died_with_the_whole_deployment(
    settings: dict[str, str], sandbox: Sandbox, home: Path
) -> None:
    terminal, dev = _up(settings, home)
    with terminal:
        terminal.wait_for("Dagster is up", _START_SECONDS)
        assert _launch(dev, full=True)
        _until_reading(terminal, sandbox)
        _cut_the_power(terminal)
    terminal, dev = _up(settings, home)
    with terminal:
        terminal.wait_for("Dagster is up", _START_SECONDS)
        assert "is closed. Its process is gone" in terminal.output
        _until_reading(terminal, sandbox)  # Dagster starts the dead run once more
        assert _launch(dev)

        def ended() -> bool:
            found = [one["status"] for one in dev.ask(_RUNS)["runsOrError"]["results"]]
            return sorted(found) == ["FAILURE", "SUCCESS", "SUCCESS"]

        terminal.wait_until(ended, _START_SECONDS)
        assert "crashed" in _states(home)
