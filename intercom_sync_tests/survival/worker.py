"""A long-running process that runs one sync per line of input and reports its result and resource use."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from intercom_sync.intercom.errors import IntercomError
from intercom_sync.slack.slack_client import SlackUnavailableError
from intercom_sync.warehouse.errors import WarehouseError
from intercom_sync_tests.survival.steps import Order, deliver, sync


def answer(order: Order) -> dict[str, Any]:
    """Run an order and return its result and the resource use of this process."""
    began, busy, error = time.monotonic(), time.process_time(), ""
    try:
        sync(order)
        deliver(order)
    except (IntercomError, WarehouseError, SlackUnavailableError) as trouble:
        error = f"{type(trouble).__name__}: {trouble}"
    taken = {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - busy}
    return taken | {"error": error} | standing()


def standing() -> dict[str, float]:
    """Return memory in MB, open files and threads of this process."""
    status = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return {
        "memory_mb": int(status["VmRSS"].split()[0]) / 1024,
        "open_files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": int(status["Threads"]),
    }


if __name__ == "__main__":
    for text in sys.stdin:
        print(json.dumps(answer(Order(**json.loads(text)))), flush=True)
