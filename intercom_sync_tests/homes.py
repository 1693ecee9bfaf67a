"""Temporary home folders with an embedded server. As root the server's files are outside the home folder."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from intercom_sync.warehouse.embedded import postgres_server
from intercom_sync.warehouse.embedded.postgres_server import EmbeddedServer, embedded_url


@contextmanager
def passing(home: Path) -> Iterator[Path]:
    """Use a home folder for the block, then stop its server and delete its files, even if its users crashed."""
    try:
        yield home
    finally:
        stop_server(home)
        shutil.rmtree(EmbeddedServer(home).folder)


def stop_server(home: Path) -> None:
    """Stop one server as soon as no other process uses it; other servers of this process keep running."""
    server = EmbeddedServer(home)
    while True:
        embedded_url(home)
        postgres_server._acquired[server.folder].release()
        if not (server.data / "postmaster.pid").exists():
            return
        time.sleep(0.1)
