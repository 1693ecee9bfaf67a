"""Stop a command on Ctrl-C, SIGTERM or SIGHUP (a closed terminal).

A command runs in a thread and the main thread waits for it, so that a signal is handled at once: a wait for a lock, a
child process or the database cannot be interrupted safely, and polars installs a SIGINT handler that restarts such
waits. `when_stopped` registers cleanup that must run before the process exits; exiting at any other point is safe.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_SECONDS = 0.1
_received: list[int] = []
_interactive = threading.Event()
_cleanups: list[tuple[Callable[[int], None], float]] = []


def run_until_stopped(command: Callable[[], int]) -> int:
    """Run a command in a thread and return its exit code.

    A stop signal ends the process with exit code 128 plus the signal number.
    """
    _install_handlers()
    codes: list[int] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            codes.append(command())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work, name="command", daemon=True)
    thread.start()
    while thread.is_alive() and not _received:
        thread.join(_POLL_SECONDS)
    if _received and not (codes or failures):
        _exit_after_cleanup(_received[0])
    _ignore_signals()
    if failures:
        raise failures[0]
    return codes[0]


@contextmanager
def when_stopped(cleanup: Callable[[int], None], seconds: float = 20) -> Iterator[None]:
    """Register a cleanup for a stop signal that arrives during the block.

    Args:
        cleanup: called with the signal number while the command's thread still runs, so it must be thread-safe.
        seconds: how long to wait for the cleanup.
    """
    entry = (cleanup, seconds)
    _cleanups.append(entry)
    try:
        yield
    finally:
        _cleanups.remove(entry)


def run_interactively(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run an interactive program, which handles Ctrl-C itself, and return its exit code."""
    child = subprocess.Popen(command, env=environment)
    _interactive.set()
    try:
        with when_stopped(lambda _: child.terminate()):
            return child.wait()
    finally:
        _interactive.clear()


def signals_received() -> int:
    """Return the number of stop signals received; after a second one the command must not wait any longer."""
    return len(_received)


def say(text: str) -> None:
    """Print to standard error; ignore a closed terminal."""
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def _install_handlers() -> None:
    for number in STOP_SIGNALS:
        # `nohup` and background jobs of a script set a signal to be ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _record_signal)


def _record_signal(number: int, _: FrameType | None) -> None:
    if number != signal.SIGINT or not _interactive.is_set():
        _received.append(number)


def _ignore_signals() -> None:
    """Ignore further signals, because the command is done and the process exits soon."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _exit_after_cleanup(number: int) -> None:
    """Run the registered cleanups, newest first, and exit without waiting for other threads."""
    # Iterate over a copy: the command's thread may remove entries when its child exits, but they must still run.
    for cleanup, seconds in reversed(_cleanups.copy()):
        thread = threading.Thread(target=_run_cleanup, args=(cleanup, number), daemon=True)
        thread.start()
        thread.join(seconds)
    say("Stopped.")
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(128 + number)


def _run_cleanup(cleanup: Callable[[int], None], number: int) -> None:
    with suppress(Exception):
        cleanup(number)
