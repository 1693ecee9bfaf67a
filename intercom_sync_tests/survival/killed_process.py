"""A sync in its own process group, and the point at which the whole group is killed."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from intercom_sync_tests.slack.server import LocalSlack
from intercom_sync_tests.survival.state import State
from intercom_sync_tests.survival.steps import STEPS, Order

ROOT = Path(__file__).parents[2]
_PATIENCE = 120
_WRITING = (
    "SELECT count(*) FROM pg_locks WHERE relation = 'unified_customers'::regclass AND mode = 'ShareRowExclusiveLock' "
    "AND granted"
)


class KilledSync:
    """A running sync; `steps` are those that it has started."""

    def __init__(self, command: list[str], settings: Mapping[str, str], log: Path) -> None:
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("INTERCOM_SYNC_", "SLACK_", "DAGSTER_"))
        }
        self.began = time.monotonic()
        self.steps: dict[str, float] = {}
        self._log = log.open("a")
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment | settings, text=True,
            stdout=subprocess.PIPE, stderr=self._log, start_new_session=True,
        )  # fmt: skip
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._log.write(line)
            self.steps[line.split()[0] if line.strip() else ""] = time.monotonic() - self.began

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def wait(self) -> int:
        """Wait until the process exits and return the exit code."""
        code = self.process.wait(_PATIENCE)
        self._listener.join()
        self._log.close()
        if self.process.stdout:
            self.process.stdout.close()
        return code

    def kill(self) -> bool:
        """Kill the group with SIGKILL and return whether it was still running."""
        if self.is_alive:
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.wait() == -signal.SIGKILL

    def until(self, seen: Callable[[], bool]) -> None:
        """Wait until a condition is true or the sync has ended."""
        end = time.monotonic() + _PATIENCE
        while self.is_alive and not seen() and time.monotonic() < end:
            time.sleep(0.001)


def steps(order: Order, log: Path) -> KilledSync:
    """Start the steps of a sync, as in `steps`."""
    return KilledSync(["intercom_sync_tests.survival.steps", order.as_json()], {}, log)


def command(order: Order, home: Path, log: Path, *, database: bool = True) -> KilledSync:
    """Start the real command, with the embedded server of its home folder unless a database is given."""
    settings = {
        "INTERCOM_API_KEY": "tok_invented",
        "INTERCOM_BASE_URL": order.intercom,
        "INTERCOM_SYNC_SCHEMA": order.schema,
        "INTERCOM_SYNC_HOME": str(home),
        "INTERCOM_SYNC_CONTACT_SEARCHES_PER_SECOND": "1000",
    }
    if database:
        settings["INTERCOM_SYNC_DATABASE_URL"] = order.url
    as_of = datetime.fromtimestamp(order.as_of, UTC).isoformat()
    return KilledSync(["intercom_sync", "sync", "--as-of", as_of, *(["--full"] if order.full else [])], settings, log)


class Aim:
    """When a process is killed: at a random time, or at an observed point of its progress.

    Attributes:
        name: its name in the report.
    """

    def __init__(self, name: str, wait: Callable[[KilledSync], None]) -> None:
        self.name = name
        self.wait = wait


def at_any_moment(chance: random.Random, seconds: float, after: str = "") -> Aim:
    """Kill at a uniformly random time of an undisturbed sync, from its start or that of a step."""
    pause = chance.uniform(0, seconds)

    def wait(killed_sync: KilledSync) -> None:
        if after:
            killed_sync.until(lambda: after in killed_sync.steps)
        time.sleep(pause)

    return Aim("any moment", wait)


def in_a_step(chance: random.Random, step: str, seconds: float) -> Aim:
    """Kill soon after the start of a step."""
    assert step in STEPS
    aimed = at_any_moment(chance, seconds, step)
    return Aim(step, aimed.wait)


def with_marks(chance: random.Random, state: State) -> Aim:
    """Kill after some pages have landed."""
    many = chance.randrange(1, 6)
    return Aim("marks", lambda killed_sync: killed_sync.until(lambda: state.books()["sync_checkpoints"] >= many))


def while_writing(chance: random.Random, state: State) -> Aim:
    """Kill inside the transaction that writes the customers."""
    pause = chance.uniform(0, 0.03)

    def wait(killed_sync: KilledSync) -> None:
        killed_sync.until(lambda: bool(state.value(_WRITING)))
        time.sleep(pause)

    return Aim("writing", wait)


def in_the_air(chance: random.Random, slack: LocalSlack) -> Aim:
    """Kill after Slack has received a message and before its response."""
    many = chance.randrange(1, 3)

    def wait(killed_sync: KilledSync) -> None:
        got: list[object] = []

        def strike(message: object) -> None:
            got.append(message)
            if len(got) == many:
                os.killpg(killed_sync.process.pid, signal.SIGKILL)

        slack.trouble = strike
        killed_sync.until(lambda: False)
        slack.trouble = lambda message: None

    return Aim("in the air", wait)
