"""Run `intercom-sync sync` in a separate process on a database with faults."""

import os
import tempfile
from dataclasses import dataclass

from intercom_sync_tests.commands.forked import run_command
from intercom_sync_tests.survival.postgres.fixtures import THEN


@dataclass(frozen=True)
class Ended:
    """The exit code, the output and the last line of a command."""

    code: int
    printed: str
    told: list[str]


def sync() -> Ended:
    """Run the command in the environment of the test."""
    with tempfile.TemporaryDirectory() as home:
        done = run_command(os.environ | {"INTERCOM_SYNC_HOME": home}, "sync", "--as-of", THEN.isoformat())
    return Ended(done.returncode, done.stdout, done.stderr.strip().splitlines())
