"""A soak test: a month of six-hourly syncs in minutes, and the resource use of process, connections and tables.

    python -m intercom_sync_tests.survival.soak

Between the syncs the workspace is edited; Intercom fails in every way, syncs are killed, Postgres restarts. The exit
code is 1 if resource use grew or records were lost.
"""

import json
import logging
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from intercom_sync.domain.schema.tables import TABLES
from intercom_sync.sandbox import faults
from intercom_sync.warehouse.embedded.postgres_server import embedded_url
from intercom_sync_tests.homes import passing, stop_server
from intercom_sync_tests.survival.killed_process import ROOT, steps
from intercom_sync_tests.survival.reference_run import SchemaPair, schema_pair
from intercom_sync_tests.survival.state import BOOKS, differences
from intercom_sync_tests.survival.steps import Order, sync

SYNCS, WEEK, HOURS = 120, 28, 6
_PASSING: tuple[Callable[[], faults.Fault], ...] = (
    lambda: faults.rate_limited(headers=False), faults.server_error, faults.bad_gateway, faults.unavailable,
    faults.reset, faults.reset_inside_body, faults.truncated_json, faults.empty_body, lambda: faults.stall(0.3),
)  # fmt: skip
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
_LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
_FLAT = {"memory_mb": 1.25, "open_files": 1.0, "threads": 1.0, "connections": 1.0, "locks": 1.0, "books": 1.0,
         "cpu_seconds": 1.5, "requests": 1.5}  # fmt: skip
"""What may not grow, and to how much of the first week's median; the weeks differ in what people do."""

_FETCHED = ("parts_fetched_version", "parts_missing")
_MOST_BYTES = 3.0
"""To so much of the first week's may a table grow, by the row: what was deleted is used again."""


class Soak:
    """The simulated month."""

    def __init__(self, both: SchemaPair, folder: Path) -> None:
        self.both, self.log = both, folder / "killed.log"
        self.home = folder / "home"
        self.chance = random.Random(3)
        self.measured: list[dict[str, float]] = []
        self.sizes: list[dict[str, tuple[int, int]]] = []
        self.met = {"faults": 0, "failed syncs": 0, "kills": 0, "restarts": 0}
        self.worker = subprocess.Popen(
            [sys.executable, "-m", "intercom_sync_tests.survival.worker"], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(folder / "worker.log").open("w"),
        )  # fmt: skip

    def live(self) -> None:
        """Run the syncs, with edits and failures between and during them."""
        random_edits = self.both.random_edits
        second = random_edits.world.now
        for number in range(SYNCS):
            second += HOURS * 3600
            self._work(40, second)
            order = self.both.order(f"run-{number:03d}", full=number % WEEK == 0, slack=self.both.slack.url, per_page=5)
            if number % 15 == 7:
                self._kill(order)
            self._trouble()
            self.both.sandbox.requests.clear()
            told = self._ask(replace(order, run=f"{order.run}-a"), restart=number in {40, 90})
            if told["error"]:
                self.met["failed syncs"] += 1
                self.both.sandbox.faults.clear()
                told = self._ask(replace(order, run=f"{order.run}-b"))
                assert not told["error"], told
            self._measure(told)
        self.both.sandbox.faults.clear()

    def _work(self, edits: int, until: int) -> None:
        """Apply edits in simulated time until an instant."""
        self.both.random_edits.edit_randomly(edits)
        self.both.random_edits.world.now = max(self.both.random_edits.world.now, until)

    def _ask(self, order: Order, *, restart: bool = False) -> dict[str, Any]:
        """Run a sync in the worker."""
        assert self.worker.stdin
        assert self.worker.stdout
        self.worker.stdin.write(order.as_json() + "\n")
        self.worker.stdin.flush()
        if restart:
            self.met["restarts"] += 1
            time.sleep(0.4)
            self._restart()
        told: dict[str, Any] = json.loads(self.worker.stdout.readline())
        return told

    def _restart(self) -> None:
        """Restart Postgres while connections are open."""
        stop_server(self.home)
        embedded_url(self.home)

    def _kill(self, order: Order) -> None:
        """Start the same sync in another process and kill it."""
        killed_sync = steps(replace(order, run=f"{order.run}-k"), self.log)
        killed_sync.until(lambda: "extract" in killed_sync.steps)
        time.sleep(self.chance.uniform(0, 0.6))
        self.met["kills"] += killed_sync.kill()

    def _trouble(self) -> None:
        planned = self.both.sandbox.faults
        planned.clear()
        if self.chance.random() < 0.5:
            fault = self.chance.choice(_PASSING)()
            planned.add(fault, times=self.chance.randrange(1, 3), after=self.chance.randrange(0, 8))
            self.met["faults"] += 1
        if self.chance.random() < 0.2:
            digit = str(self.chance.randrange(10))
            planned.add(faults.cursor_refused(), match=f"GET /conversations/*{digit}")
            self.met["faults"] += 1
        if self.chance.random() < 0.1:
            planned.add(faults.error(403, "forbidden", "no"), match="POST *", after=self.chance.randrange(0, 3))
            self.met["faults"] += 1

    def _measure(self, told: dict[str, Any]) -> None:
        state = self.both.disturbed
        # The server releases a killed process's resources when it notices.
        told |= {"connections": state.value(_CONNECTIONS), "locks": state.value(_LOCKS)}
        told |= {"requests": len(self.both.sandbox.requests), "books": sum(state.books().values())}
        self.measured.append({name: value for name, value in told.items() if name != "error"})
        size = "SELECT (SELECT count(*) FROM {0}), pg_total_relation_size('{0}')"
        self.sizes.append({table.name: state.query(size.format(table.name))[0] for table in TABLES})
        self.both.slack.taken.clear()
        self.both.slack.requests.clear()

    def weeks(self, name: str) -> tuple[float, float]:
        """Return the medians of the first and the last week, without the full syncs at their start."""
        values = [one[name] for number, one in enumerate(self.measured) if number % WEEK]
        return median(values[: WEEK - 1]), median(values[-WEEK + 1 :])

    def table(self, name: str) -> tuple[int, int, float, float]:
        """Return rows and bytes of a table after the first week and at the end."""
        (early, before), (late, after) = self.sizes[WEEK - 1][name], self.sizes[-1][name]
        return early, late, before, after


def main() -> int:
    began = time.monotonic()
    logging.disable()  # the failures are intended
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with passing(folder / "home") as home, schema_pair(embedded_url(home), 11, 200) as both:
            # Time passes some ten thousand times as fast as for a real autovacuum.
            both.disturbed.query("ALTER SYSTEM SET autovacuum_naptime = '1s'")
            both.disturbed.query("SELECT pg_reload_conf()")
            soak = Soak(both, folder)
            soak.live()
            grown = report(soak) + lost(soak)
    print(f"\n{time.monotonic() - began:.0f} s. " + ("; ".join(grown) if grown else "Nothing grew, nothing was lost."))
    return 1 if grown else 0


def report(soak: Soak) -> list[str]:
    """Print the measurements and return those that grew."""
    grown = []
    print(f"{SYNCS} syncs; {soak.met}\n\n| a sync | first week | last week | at most |\n| --- | --- | --- | --- |")
    for name in ("seconds", *_FLAT):
        first, last = soak.weeks(name)
        most = _FLAT.get(name)
        print(f"| {name} | {first:.2f} | {last:.2f} | {'' if most is None else f'{most:g} times'} |")
        if most is not None and last > first * most:
            grown.append(f"{name} grew from {first:.2f} to {last:.2f}")
    print("\n| table | rows after a week | rows at the end | kB after a week | kB at the end |\n" + "| --- " * 5 + "|")
    for table in TABLES:
        early, late, before, after = soak.table(table.name)
        print(f"| {table.name} | {early} | {late} | {before / 1024:.0f} | {after / 1024:.0f} |")
        if after > before * max(1.0, late / max(early, 1)) * _MOST_BYTES:
            grown.append(f"{table.name} grew from {before} to {after} bytes")
        if table.name in BOOKS and late:
            grown.append(f"{table.name} holds {late} rows")
    return grown


def lost(soak: Soak) -> list[str]:
    """Return the differences of the landed tables after a full sync from those of a sync into empty tables."""
    both = soak.both
    order = both.order("the last", full=True)
    sync(order)
    both.sync_clean(order)
    found, wanted = both.disturbed.tables(), both.clean.tables()
    refused = {key.split()[1] for key in wanted["rejected_records"]}
    different = []
    for name in ("intercom_contacts", "intercom_conversations", "revenue_metrics"):
        found_rows, wanted_rows = (
            # The times of fetches may differ.
            {key: row | dict.fromkeys(_FETCHED) for key, row in one[name].items() if key not in refused}
            for one in (found, wanted)
        )
        if found_rows != wanted_rows:
            different.append(f"{name} differs: {differences({name: found_rows}, {name: wanted_rows})}")
    return different


if __name__ == "__main__":
    sys.exit(main())
