"""The command `intercom-sync sync` in a process of its own, as a person runs it on a struck database."""

import os
import tempfile
from dataclasses import dataclass

from intercom_sync_tests.commands.forked import run_command
from intercom_sync_tests.survival.postgres.fixtures import THEN


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, what it printed, and the sentence that it ended with."""

    code: int
    printed: str
    told: list[str]


def sync() -> Ended:
    """Run it under the environment of the test."""
    with tempfile.TemporaryDirectory() as home:
        done = run_command(os.environ | {"INTERCOM_SYNC_HOME": home}, "sync", "--as-of", THEN.isoformat())
    return Ended(done.returncode, done.stdout, done.stderr.strip().splitlines())
