"""A guard process that terminates Dagster if `intercom-sync up` is killed.

It reads from a pipe whose write end only `up` holds, so it sees end of file however `up` ends.
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

# SIGTERM, not SIGINT: on SIGINT each process that Dagster starts for a run prints a traceback.
_SIGNAL_TIMEOUTS_SECONDS = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))
_POLL_SECONDS = 0.1


def start_guard(group: int, home: Path, lock: int) -> subprocess.Popen[bytes]:
    """Start the guard of a process group; it inherits the lock that marks Dagster as running."""
    return subprocess.Popen(
        [sys.executable, "-m", "intercom_sync.commands.guard", str(group), str(home)],
        stdin=subprocess.PIPE,
        start_new_session=True,
        pass_fds=[lock],
    )


def end_group(group: int, has_ended: Callable[[], bool], hurry: Callable[[], bool] = lambda: False) -> None:
    """Terminate a process group, and kill it if it does not exit in time.

    Args:
        group: the process group id.
        has_ended: whether the group leader has exited; called before other members are reaped.
        hurry: whether to kill at once instead of waiting for the termination.
    """
    for number, seconds in _SIGNAL_TIMEOUTS_SECONDS:
        if has_ended() and _is_gone(group):
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
        end = time.monotonic() + seconds
        # Wait for killed processes as well: they keep the embedded server open until they exit.
        while not (has_ended() and _is_gone(group)) and time.monotonic() < end:
            if number == signal.SIGTERM and hurry():
                break
            time.sleep(_POLL_SECONDS)


def _is_gone(group: int) -> bool:
    # The first process of a container inherits orphans and must reap them.
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
    """Wait until `up` exits and terminate the processes that it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    if not _is_gone(group):
        end_group(group, lambda: True)
        stop_unused(home)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
