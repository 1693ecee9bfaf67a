"""A sync's progress on a terminal; elsewhere nothing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from intercom_sync.commands.stop_signals import when_stopped
from intercom_sync.pipeline.stream_result import Progress, no_progress


@contextmanager
def shown() -> Iterator[Progress]:
    """Yield what to tell of progress: a bar per kind on standard error when that is a terminal."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    columns = (TextColumn("{task.description:14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bars = Bars(*columns, console=Console(stderr=True), transient=True)
    # A terminal whose command is stopped gets its cursor back.
    with when_stopped(lambda _: bars.stop()), bars:
        tasks: dict[str, TaskID] = {}

        def tell(kind: str, done: int, expected: int | None) -> None:
            if kind not in tasks:
                tasks[kind] = bars.add_task(kind, total=expected)
            bars.update(tasks[kind], completed=done, total=expected)

        yield tell
