"""Two Dagsters with homes of their own on one database, and a sync in the foreground: harmless.

The second is started as a person does who does not use `intercom-sync up`, which refuses to be the second in a schema.

Takes minutes, because sensors run once a minute; run by command only, see README.md in this folder.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from intercom_sync_tests.end_to_end.dagster_dev import Dev
from intercom_sync_tests.model.harness import instant
from intercom_sync_tests.slack.server import TOKEN
from intercom_sync_tests.survival.killed_process import command as start_sync
from intercom_sync_tests.survival.reference_run import SchemaPair, schema_pair
from intercom_sync_tests.survival.state import BOOKS

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(600)]
_REPOSITORY = {"repositoryLocationName": "intercom_sync.definitions", "repositoryName": "__repository__"}
_LAUNCH = "mutation($execution: ExecutionParams!) { launchRun(executionParams: $execution) { __typename } }"
_PATIENCE = 240


_UP = ("-m", "intercom_sync", "up", "--port")
_DAGSTER = (
    "-c",
    "import os, sys; from intercom_sync.commands.dagster_instance import use_instance; from intercom_sync.settings "
    "import Settings; use_instance(Settings.load()); dagster = os.path.join(os.path.dirname(sys.executable), "
    "'dagster'); os.execv(dagster, [dagster, 'dev', '-m', 'intercom_sync.definitions', '-p', sys.argv[1]])",
)


@contextmanager
def _up(both: SchemaPair, home: Path, command: tuple[str, ...]) -> Iterator[Dev]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "INTERCOM_API_KEY": "tok_invented",
        "INTERCOM_BASE_URL": both.sandbox.url,
        "INTERCOM_SYNC_DATABASE_URL": both.url,
        "INTERCOM_SYNC_SCHEMA": both.schemas[0],
        "INTERCOM_SYNC_HOME": str(home),
        "SLACK_BOT_TOKEN": TOKEN,
        "SLACK_API_URL": both.slack.url,
    }
    log = home.with_suffix(".log")
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *command, str(port)],
            env=os.environ | settings, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield Dev(f"http://127.0.0.1:{port}", log)
    finally:
        process.terminate()
        process.wait(60)


def _launches(dev: Dev, as_of: int) -> bool:
    """Whether the UI has taken a sync into its queue."""
    asked = {"catch_up": True, "as_of": instant(as_of).isoformat(), "end": instant(as_of).isoformat()}
    execution = {
        "selector": {**_REPOSITORY, "jobName": "sync"},
        "runConfigData": {"ops": {"raw": {"config": asked}}},
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "2026-03-01T00"}]},
    }
    launched: str = dev.ask(_LAUNCH, execution=execution)["launchRun"]["__typename"]
    return launched == "LaunchRunSuccess"


def _wait(what: str, both: SchemaPair, query: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not both.disturbed.value(query):
        assert time.monotonic() < end, what
        time.sleep(1)


def test_two_daemons_and_a_sync_in_the_foreground_on_one_database(database_url: str, tmp_path: Path) -> None:
    with schema_pair(database_url, 31, 120) as both, ExitStack() as stack:
        devs = [
            stack.enter_context(_up(both, tmp_path / f"home-{one}", command))
            for one, command in enumerate((_UP, _DAGSTER))
        ]
        order = both.order("foreground")
        for dev in devs:
            dev.wait_for("the queue of a UI", lambda dev=dev: _launches(dev, order.as_of))
        killed_sync = start_sync(order, tmp_path / "home", tmp_path / "log")
        assert killed_sync.wait() == 0, (tmp_path / "log").read_text()[-3000:]
        _wait("three runs", both, "SELECT count(*) = 3 FROM sync_runs WHERE status = 'succeeded'")
        both.sync_clean(order)
        assert both.differences() == {}
        assert both.disturbed.books() == dict.fromkeys(BOOKS, 0)
        _wait("Slack", both, "SELECT count(*) = 0 FROM customer_alerts WHERE delivered_at IS NULL")
        assert both.disturbed.query("SELECT DISTINCT attempts FROM customer_alerts") == [(1,)]
        assert max(both.told().values()) == 1
