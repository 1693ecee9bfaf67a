"""Postgres for benchmarks: the embedded server in a temporary home folder, with an empty schema per use."""

import atexit
import shutil
import tempfile
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path

from intercom_sync.warehouse.embedded.postgres_server import EmbeddedServer, embedded_url
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.schema.migrate import create_schema, prepare


def home() -> Path:
    """Create a home folder that is deleted with its server's files at exit."""
    folder = Path(tempfile.mkdtemp(prefix="intercom_sync_bench_"))
    # Registered before the server starts, so that it runs after the server is stopped.
    atexit.register(_remove, folder)
    return folder


def _remove(home: Path) -> None:
    shutil.rmtree(EmbeddedServer(home).folder)
    shutil.rmtree(home)


@cache
def _url() -> str:
    return embedded_url(home())


def fresh() -> Callable[[], Session]:
    """Create a schema with all tables and return a function that opens sessions on it."""
    url, schema = _url(), f"b_{uuid.uuid4().hex[:8]}"
    create_schema(url, schema)
    prepare(url, schema)
    return lambda: Session(url, schema)
