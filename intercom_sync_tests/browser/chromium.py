"""A headless Chromium controlled by its debugging protocol: pages, texts, JavaScript, screenshots."""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

EXECUTABLE = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--remote-debugging-port=0", "--window-size=1800,1400",
)  # fmt: skip
_TIMEOUT_SECONDS = 90.0  # sensors run once per minute
_PAUSE = 0.2


class Page:
    """The only tab of a browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0

    def open(self, url: str) -> None:
        """Open a URL."""
        self._call("Page.navigate", url=url)

    def ask(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaiting promises."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    def text(self) -> str:
        """Return the visible text."""
        return str(self.ask("document.body ? document.body.innerText : ''"))

    def wait_for(self, *words: str) -> str:
        """Wait until the page contains all texts, and return its text.

        Raises:
            AssertionError: a text does not appear in time.
        """
        self.wait_until(f"{json.dumps(words)}.every(word => document.body.innerText.includes(word))")
        return self.text()

    def wait_until(self, expression: str) -> None:
        """Wait until an expression is true.

        Raises:
            AssertionError: it is not true in time.
        """
        end = time.monotonic() + _TIMEOUT_SECONDS
        while not self.ask(f"Boolean(document.body && ({expression}))"):
            assert time.monotonic() < end, f"never became so: {expression}; the page says:\n{self.text()[:3000]}"
            time.sleep(_PAUSE)

    def size(self, width: int, height: int) -> None:
        """Set the size of the window."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, path: Path) -> None:
        """Save a PNG screenshot once the page is stable."""
        time.sleep(1.5)
        image = self._call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(image))

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv(timeout=_TIMEOUT_SECONDS))
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Run Chromium with a new profile folder and yield its tab."""
    assert EXECUTABLE, "Chromium is not installed"
    process = subprocess.Popen(
        [EXECUTABLE, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = _port(profile, process)
        with urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            tab = next(one for one in json.load(answer) if one["type"] == "page")
        with connect(tab["webSocketDebuggerUrl"], max_size=None) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        process.wait(20)


def _port(profile: Path, process: subprocess.Popen[bytes]) -> int:
    """Return the port that Chromium chose and wrote to its profile."""
    end = time.monotonic() + _TIMEOUT_SECONDS
    told = profile / "DevToolsActivePort"
    while not (told.exists() and told.read_text().strip()):
        assert process.poll() is None, "Chromium ended"
        assert time.monotonic() < end, "Chromium did not start"
        time.sleep(_PAUSE)
    return int(told.read_text().split()[0])
