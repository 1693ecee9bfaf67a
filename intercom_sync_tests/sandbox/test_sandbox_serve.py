"""The sandbox in the foreground, as the command starts it."""

import re
import signal
import socket
import subprocess
import sys

import pytest
import requests

from intercom_sync.sandbox.server import PortTakenError, Sandbox, serve
from intercom_sync.sandbox.workspace import Workspace

PROGRAM = """
from intercom_sync.sandbox.server import serve
serve(port=0, contacts=30, conversations=20, seed=7, rate=None, latency_ms=0)
"""


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_says_how_to_reach_it_and_stops_cleanly_on_a_signal(stop):
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            said = [process.stdout.readline() for _ in range(3)]
            url = re.search(r"INTERCOM_BASE_URL=(\S+)", said[1])[1]
            headers = {"Authorization": "Bearer sandbox"}
            answer = requests.get(f"{url}/contacts", headers=headers, timeout=10)
            process.send_signal(stop)
            _, complaints = process.communicate(timeout=20)
        finally:
            process.kill()
    assert "30 contacts and 20 conversations" in said[0]
    assert "INTERCOM_API_KEY=sandbox" in said[2]
    assert answer.json()["total_count"] == 30
    assert (process.returncode, complaints) == (0, "")


def test_a_taken_port_is_named_together_with_the_way_out():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=rf"{port}.*--port"):
            serve(port=port, contacts=1, conversations=0, seed=1, rate=None, latency_ms=0)
        with pytest.raises(OSError, match="--port"), Sandbox(Workspace(), port=port):
            pass


def test_a_stopped_sandbox_frees_its_port():
    with Sandbox(Workspace()) as first:
        port = int(first.url.rpartition(":")[2])
    with Sandbox(Workspace(), port=port) as second:
        assert second.url == first.url
