"""Homes with an embedded server of their own, of which nothing is left: as root its files lie outside the home."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from intercom_sync.warehouse.embedded import postgres_server
from intercom_sync.warehouse.embedded.postgres_server import EmbeddedServer, embedded_url


@contextmanager
def passing(home: Path) -> Iterator[Path]:
    """A home for the block; afterwards its server is stopped, whatever became of its users, and its files are gone."""
    try:
        yield home
    finally:
        let_go(home)
        shutil.rmtree(EmbeddedServer(home).folder)


def let_go(home: Path) -> None:
    """Stop one server as soon as nobody else uses it any more; others that this process holds go on."""
    server = EmbeddedServer(home)
    while True:
        embedded_url(home)
        postgres_server._acquired[server.folder].release()
        if not (server.data / "postmaster.pid").exists():
            return
        time.sleep(0.1)
