"""A small process that ends Dagster when `intercom-sync up` was killed and could not end it.

It reads from a pipe whose other end only `up` holds: the end of the file comes however `up` ends.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from intercom_sync.warehouse.embedded.postgres_server import stop_unused

# SIGTERM, not SIGINT: programs that Dagster starts for a run would each print a traceback.
_STEPS = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))
_POLL_SECONDS = 0.1


def start_guard(group: int, home: Path, lock: int) -> subprocess.Popen[bytes]:
    """Start the guard of a process group; it inherits the lock that says that Dagster runs."""
    return subprocess.Popen(
        [sys.executable, "-m", "intercom_sync.commands.guard", str(group), str(home)],
        stdin=subprocess.PIPE,
        start_new_session=True,
        pass_fds=[lock],
    )


def end_group(group: int, has_ended: Callable[[], bool], hurry: Callable[[], bool] = lambda: False) -> None:
    """End a process group: ask, then kill.

    Args:
        group: its number.
        has_ended: whether its leader has ended; called before others of the group are reaped.
        hurry: whether to kill without waiting any longer for what was asked.
    """
    for number, seconds in _STEPS:
        if has_ended() and _is_gone(group):
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
        end = time.monotonic() + seconds
        # Killed ones are waited for: they hold the embedded server until they are gone.
        while not (has_ended() and _is_gone(group)) and time.monotonic() < end:
            if number == signal.SIGTERM and hurry():
                break
            time.sleep(_POLL_SECONDS)


def _is_gone(group: int) -> bool:
    # The first process of a container inherits orphans, and must reap them.
    with suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def main(group: int, home: Path) -> None:
    """Wait until `up` has ended, and end what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    if not _is_gone(group):
        end_group(group, lambda: True)
        stop_unused(home)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
