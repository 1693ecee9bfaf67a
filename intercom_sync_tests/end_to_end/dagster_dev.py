"""A real `dagster dev` process, and queries to its GraphQL API."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import intercom_sync

ROOT = Path(intercom_sync.__file__).parents[1]
_TIMEOUT_SECONDS = 600  # a busy machine needs minutes to start Dagster


class Dev:
    """A running `dagster dev`."""

    def __init__(self, url: str, log: Path) -> None:
        self._url = url
        self._log = log

    def ask(self, query: str, **variables: Any) -> Any:
        """Return the result of a GraphQL query."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(f"{self._url}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310
        with urlopen(request, timeout=60) as answer:  # noqa: S310  (a local address)
            response = json.load(answer)
        assert "errors" not in response, response
        return response["data"]

    def wait_for(self, what: str, ready: Callable[[], Any]) -> Any:
        """Poll until a function returns a true value, ignoring connection errors."""
        end = time.monotonic() + _TIMEOUT_SECONDS
        while time.monotonic() < end:
            try:
                if found := ready():
                    return found
            except (URLError, OSError):
                pass
            time.sleep(0.5)
        raise AssertionError(f"{what} did not come.\n{self._log.read_text()[-3000:]}")


@contextmanager
def dagster_dev(folder: Path, settings: Mapping[str, str]) -> Iterator[Dev]:
    """Run `dagster dev` in the project root with its files in a folder, and stop all its processes afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = folder / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    environment = os.environ | {"DAGSTER_HOME": str(home), "INTERCOM_SYNC_HOME": str(folder / "home")} | settings
    log = folder / "dev.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("dagster")), "dev", "-h", "127.0.0.1", "-p", str(port)],
            cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        yield Dev(f"http://127.0.0.1:{port}", log)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        end = time.monotonic() + _TIMEOUT_SECONDS
        while (left := _members(home)) and time.monotonic() < end:
            time.sleep(0.2)
        assert left == []


def _members(home: Path) -> list[str]:
    """Return the command lines of running processes with this Dagster home in their environment."""
    needle = f"DAGSTER_HOME={home}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if needle in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found
