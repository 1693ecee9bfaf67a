"""Progress bars of a sync on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from intercom_sync.commands.stop_signals import when_stopped
from intercom_sync.pipeline.stream_result import Progress, no_progress


@contextmanager
def show_progress() -> Iterator[Progress]:
    """Yield a progress callback that draws one bar per record kind, if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    columns = (TextColumn("{task.description:14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bars = Bars(*columns, console=Console(stderr=True), transient=True)
    # Restore the cursor when the command is stopped.
    with when_stopped(lambda _: bars.stop()), bars:
        tasks: dict[str, TaskID] = {}

        def update(kind: str, done: int, expected: int | None) -> None:
            if kind not in tasks:
                tasks[kind] = bars.add_task(kind, total=expected)
            bars.update(tasks[kind], completed=done, total=expected)

        yield update
