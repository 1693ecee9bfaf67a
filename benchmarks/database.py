"""A Postgres for benchmarks: the embedded server under a temporary home, an empty schema for each use."""

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
    """Make a home, which goes when the process ends, with the server's files: as root they lie outside it."""
    made = Path(tempfile.mkdtemp(prefix="intercom_sync_bench_"))
    # Before the server starts, so that it is stopped first.
    atexit.register(_remove, made)
    return made


def _remove(made: Path) -> None:
    shutil.rmtree(EmbeddedServer(made).folder)
    shutil.rmtree(made)


@cache
def _url() -> str:
    return embedded_url(home())


def fresh() -> Callable[[], Session]:
    """Return what opens sessions on a new schema with all tables."""
    url, schema = _url(), f"b_{uuid.uuid4().hex[:8]}"
    create_schema(url, schema)
    prepare(url, schema)
    return lambda: Session(url, schema)
