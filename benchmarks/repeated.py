"""Consecutive full syncs of unchanged contacts: the last compared with the first, from command start to exit.

This shows costs that grow with each sync (stale statistics, dead rows, indexes). Searches are not limited to ten per
second, which would hide them.
"""

import os
import subprocess
import sys
import time

from benchmarks import database
from benchmarks.memory import QUICK, sandbox
from benchmarks.row import Row
from intercom_sync.warehouse.embedded.postgres_server import embedded_url

SYNCS = 3


def rows(scale: float, repeat: int) -> list[Row]:
    """Measure once regardless of `repeat`, because the syncs are repetitions themselves."""
    del repeat
    contacts = max(10_000, int(100_000 * scale))
    took = _syncs(contacts)
    what = f"full sync {SYNCS} of {SYNCS} in a row, {contacts:,} unchanged contacts, against the first"
    return [Row(what, (took[-1],), (took[0],), "s", 1.1)]


def _syncs(contacts: int) -> list[float]:
    home = database.home()
    embedded_url(home)
    took = []
    with sandbox(contacts) as url:
        settings = os.environ | QUICK | {"INTERCOM_BASE_URL": url, "INTERCOM_SYNC_HOME": str(home)}
        for _ in range(SYNCS):
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "intercom_sync", "sync", "--full"],
                env=settings,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            took.append(time.perf_counter() - began)
    return took
