"""Everything is killed in the middle of a run, as by a power cut, and started again: no run waits for the dead one."""

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from intercom_sync.sandbox.server import Sandbox
from intercom_sync.warehouse.embedded.postgres_server import embedded_url
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.end_to_end.dagster_dev import Dev
from intercom_sync_tests.terminal.pseudo_terminal import START_SECONDS, Terminal, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
_REPOSITORY = {"repositoryLocationName": "intercom_sync.definitions", "repositoryName": "__repository__"}
_LAUNCH = "mutation($execution: ExecutionParams!) { launchRun(executionParams: $execution) { __typename } }"
_OURS = "SELECT status FROM sync_runs ORDER BY started_at"
_DAGSTERS = "SELECT status FROM dagster.runs ORDER BY id"


def _until_reading(terminal: Terminal, sandbox: Sandbox) -> None:
    sandbox.requests.clear()
    terminal.wait_until(lambda: sum(one.method == "POST" for one in sandbox.requests) > 3, START_SECONDS)


def _cut_the_power(terminal: Terminal) -> None:
    """Kill everything but the database's server, which recovers by itself."""
    while pids := terminal.processes(server=False):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def _states(home: Path, query: str) -> list[str]:
    with Session(embedded_url(home), "public") as session, session.transaction():
        return session.frame(query)["status"].to_list()


def test_a_killed_sync_is_closed_by_the_next_which_reads_on(
    settings: dict[str, str], sandbox: Sandbox, home: Path
) -> None:
    with started(settings, "sync", "--full") as killed:
        _until_reading(killed, sandbox)
        _cut_the_power(killed)
    with started(settings, "sync") as again:
        assert again.ends(START_SECONDS) == 0, again.output
    assert "is closed. Its process is gone" in again.output
    assert _states(home, _OURS) == ["crashed", "succeeded"]
    assert _states(home, _DAGSTERS) == ["FAILURE", "SUCCESS"]


def _up(settings: dict[str, str], home: Path) -> tuple[Terminal, Dev]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    terminal = started(settings, "up", "--port", str(port))
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
        terminal.wait_for("Dagster is up", START_SECONDS)
        assert _launch(dev, full=True)
        _until_reading(terminal, sandbox)
        _cut_the_power(terminal)
    terminal, dev = _up(settings, home)
    with terminal:
        terminal.wait_for("Dagster is up", START_SECONDS)
        assert "is closed. Its process is gone" in terminal.output
        _until_reading(terminal, sandbox)  # Dagster starts the dead run once more
        assert _launch(dev)

        wanted = ["FAILURE", "SUCCESS", "SUCCESS"]
        terminal.wait_until(lambda: sorted(_states(home, _DAGSTERS)) == wanted, START_SECONDS)
        assert sorted(_states(home, _OURS)) == ["crashed", "succeeded", "succeeded"]
