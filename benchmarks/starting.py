"""Start-up cost: a sync of a window without changes from command start to exit, compared with importing Dagster."""

import os
import subprocess
import sys
import time

from benchmarks import database
from benchmarks.row import Row
from intercom_sync.sandbox.generate import generate
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.warehouse.embedded.postgres_server import embedded_url


def rows(scale: float, repeat: int) -> list[Row]:
    """Measure the suite."""
    del scale  # the workspace is small, because the fixed cost of a sync is measured
    home = database.home()
    embedded_url(home)
    with Sandbox(generate(contacts=200, conversations=200)) as sandbox:
        settings = {"INTERCOM_BASE_URL": sandbox.url, "INTERCOM_API_KEY": "bench", "INTERCOM_SYNC_HOME": str(home)}
        sync = [sys.executable, "-m", "intercom_sync", "sync"]
        _seconds([*sync, "--full"], settings)
        ours, floor = [], []
        for _ in range(repeat):
            ours.append(_seconds(sync, settings))
            floor.append(_seconds([sys.executable, "-c", "import dagster"], settings))
    return [Row("a window without changes, command start to exit", tuple(ours), tuple(floor), "s", 5)]


def _seconds(command: list[str], settings: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=os.environ | settings, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
