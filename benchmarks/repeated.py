"""Full syncs in a row of contacts that do not change: the last against the first, command start to exit.

Whatever grows from sync to sync (statistics that grow stale, dead rows, indexes) shows here. Searches are not held
to ten a second, which would hide it.
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
    """Measure once, however often is asked for: the syncs are a repetition already."""
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
