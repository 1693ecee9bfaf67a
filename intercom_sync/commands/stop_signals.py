"""Ctrl-C, SIGTERM and SIGHUP (a closed terminal): how they end a command.

A command runs in a thread, and the main thread only waits for it, so that a signal is answered at once: a wait for a
lock, for a child or for the database cannot be interrupted safely, and polars installs a SIGINT handler that restarts
such waits. What must not outlive the command is registered by `when_stopped`; everything else ends with the process,
which is safe at any moment.
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
_undo: list[tuple[Callable[[int], None], float]] = []


def run_until_stopped(command: Callable[[], int]) -> int:
    """Run a command in a thread and return its exit code; a stop signal ends the process with 128 plus its number."""
    _listen()
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
        _stop(_received[0])
    _ignore()
    if failures:
        raise failures[0]
    return codes[0]


@contextmanager
def when_stopped(undo: Callable[[int], None], seconds: float = 20) -> Iterator[None]:
    """Register what to do with the signal's number when a stop signal comes during the block.

    It runs while the command's thread goes on, so it must be thread-safe. It is waited for that many seconds at most.
    """
    entry = (undo, seconds)
    _undo.append(entry)
    try:
        yield
    finally:
        _undo.remove(entry)


def run_interactively(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run an interactive program, which answers Ctrl-C itself, and return its exit code."""
    child = subprocess.Popen(command, env=environment)
    _interactive.set()
    try:
        with when_stopped(lambda _: child.terminate()):
            return child.wait()
    finally:
        _interactive.clear()


def signals_received() -> int:
    """Return how many stop signals have come: somebody who sends a second one does not want to wait."""
    return len(_received)


def say(text: str) -> None:
    """Print to standard error, which may be a terminal that has been closed."""
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def _listen() -> None:
    for number in STOP_SIGNALS:
        # `nohup` and background jobs of a script ask for a signal to be ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _note)


def _note(number: int, _: FrameType | None) -> None:
    if number != signal.SIGINT or not _interactive.is_set():
        _received.append(number)


def _ignore() -> None:
    """Ignore further signals: the command is done, and what follows takes a moment."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _stop(number: int) -> None:
    """Undo what was registered, the newest first, and end the process without waiting for its threads."""
    # A copy: the command's thread, which may see its child end, takes entries out meanwhile, and they are still due.
    for undo, seconds in reversed(_undo.copy()):
        undoing = threading.Thread(target=_quietly, args=(undo, number), daemon=True)
        undoing.start()
        undoing.join(seconds)
    say("Stopped.")
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(128 + number)


def _quietly(undo: Callable[[int], None], number: int) -> None:
    with suppress(Exception):
        undo(number)
