"""Run the benchmarks and write the table of results to `RESULTS.md`."""

import argparse
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import incremental, landing, memory, reading, recompute, repeated, starting
from benchmarks.row import Row

_SUITES: dict[str, Callable[[float, int], list[Row]]] = {
    "starting": starting.rows,
    "reading": reading.rows,
    "incremental": incremental.rows,
    "landing": landing.rows,
    "recompute": recompute.rows,
    "repeated": repeated.rows,
    "memory": memory.rows,
}


def main() -> None:
    """Run the requested suites."""
    parser = argparse.ArgumentParser("benchmarks", description=__doc__)
    parser.add_argument("suites", nargs="*", default=list(_SUITES), help=f"{', '.join(_SUITES)}; default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the full sizes")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions; medians are reported")
    options = parser.parse_args()
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{platform.machine()}, scale {options.scale:g}, medians of {options.repeat}.",
        "",
        "| what | ours | floor or baseline | ratio | at most |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in options.suites:
        for row in _SUITES[name](options.scale, options.repeat):
            lines.append(row.line())
            print(row.line(), flush=True)
    Path(__file__).with_name("RESULTS.md").write_text("# Results\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
