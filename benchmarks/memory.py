"""Peak memory of a full sync: ten times the contacts compared with one, and against decompression bombs.

`python -m benchmarks.memory --contacts=100000` prints one peak in MiB. Each measurement has its own process, because
the memory of the parent at the start counts towards the peak.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import database
from benchmarks.row import Row
from benchmarks.served import served
from intercom_sync.warehouse.embedded.postgres_server import embedded_url

_KIB_PER_MIB = 1024
_GIGABYTE_MIB = 10**9 / 2**20
QUICK = {"INTERCOM_SYNC_CONTACT_SEARCHES_PER_SECOND": "1000", "INTERCOM_API_KEY": "bench"}


def rows(scale: float, repeat: int) -> list[Row]:
    """Measure once regardless of `repeat`: memory hardly varies, and a million contacts take minutes."""
    small, large = max(10_000, int(100_000 * scale)), max(100_000, int(1_000_000 * scale))
    bombs = max(40, int(200 * scale))
    peaks = {count: _measure_in_process(f"--contacts={count}") for count in (small, large)}
    what = f"peak memory of a full sync of {large:,} contacts"
    bombs_text = (
        f"peak memory of a full sync against a server of bombs, {bombs} of them conversations, against a gigabyte"
    )
    return [
        Row(f"{what} against {small:,}", (peaks[large],), (peaks[small],), "MiB", 1.3),
        Row(f"{what} against a gigabyte", (peaks[large],), (_GIGABYTE_MIB,), "MiB", 1),
        Row(bombs_text, (_measure_in_process(f"--bombs={bombs}"),), (_GIGABYTE_MIB,), "MiB", 1),
    ]


def _measure_in_process(option: str) -> float:
    command = [sys.executable, "-m", "benchmarks.memory", option]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _peak(url: str) -> float:
    home = database.home()
    embedded_url(home)
    settings = os.environ | QUICK | {"INTERCOM_BASE_URL": url, "INTERCOM_SYNC_HOME": str(home)}
    sync = [sys.executable, "-m", "intercom_sync", "sync", "--full"]
    with subprocess.Popen(sync, env=settings, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, sync)
    return used.ru_maxrss / _KIB_PER_MIB


@contextmanager
def sandbox(contacts: int) -> Iterator[str]:
    """Run a sandbox in a separate process and yield its URL."""
    size = ["--contacts", str(contacts), "--conversations", "0", "--rate", "10000", "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "intercom_sync", "sandbox", *size], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().removeprefix("Sandbox Intercom on ").split()[0]
        finally:
            process.terminate()


def main() -> None:
    """Print one peak in MiB."""
    parser = argparse.ArgumentParser("benchmarks.memory", description=__doc__)
    parser.add_argument("--contacts", type=int)
    parser.add_argument("--bombs", type=int, help="number of conversations whose response is a bomb")
    options = parser.parse_args()
    if options.bombs:
        with served(contacts=1_000, conversations=2 * options.bombs, details=options.bombs, bombs=1) as url:
            print(_peak(url))
        return
    with sandbox(options.contacts) as url:
        print(_peak(url))


if __name__ == "__main__":
    main()
