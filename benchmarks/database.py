"""A Postgres for benchmarks: the embedded server under a temporary home, an empty schema for each use."""

import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

from intercom_sync.warehouse.embedded import embedded_url
from intercom_sync.warehouse.migrate import create_schema, prepare
from intercom_sync.warehouse.session import Session

HOME = Path(tempfile.mkdtemp(prefix="intercom_sync_bench_"))


def fresh() -> Callable[[], Session]:
    """Return what opens sessions on a new schema with all tables."""
    url, schema = embedded_url(HOME), f"b_{uuid.uuid4().hex[:8]}"
    create_schema(url, schema)
    prepare(url, schema)
    return lambda: Session(url, schema)
