"""`intercom-sync` in a process of its own that is forked from one that has imported everything: imports take seconds.

The command begins after its imports. `terminal` and `test_cli` start real ones, as a person does.
"""

import multiprocessing
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

from intercom_sync.__main__ import main

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "dagster_postgres",
        "intercom_sync.definitions",
        *(f"intercom_sync.commands.{name}" for name in ("doctor", "forget", "sync")),
    ]
)


def run_command(environment: Mapping[str, str], *arguments: str, seconds: float = 200) -> CompletedProcess[str]:
    """Run a command to its end under an environment, and return its exit code and what it printed."""
    with TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        process = _FORKS.Process(target=_run, args=(dict(environment), arguments, output, errors))
        process.start()
        process.join(seconds)
        code = process.exitcode
        process.kill()
        assert code is not None, f"still there after {seconds} s: {arguments}"
        return CompletedProcess(arguments, code, output.read_text(), errors.read_text())


def _run(environment: dict[str, str], arguments: tuple[str, ...], output: Path, errors: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, file in ((1, output), (2, errors)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["intercom-sync", *arguments]
    sys.exit(main())
