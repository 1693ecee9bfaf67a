"""One deployment a schema: a running `intercom-sync up` holds it by a lock that ends with its connection."""

from collections.abc import Iterator
from contextlib import contextmanager

from intercom_sync.warehouse.errors import DatabaseRefusedError
from intercom_sync.warehouse.session import Session

_KEY = "hashtext('intercom_sync.up'), hashtext($1)"
_HOLDER = (
    "SELECT to_char(a.backend_start, 'YYYY-MM-DD HH24:MI') || ' UTC' || COALESCE(' from ' || host(a.client_addr), '') "
    "FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.objsubid = 2 "
    "AND l.classid = hashtext('intercom_sync.up')::oid AND l.objid = hashtext($1)::oid"
)


@contextmanager
def hold_schema(url: str, schema: str) -> Iterator[None]:
    """Hold a schema for as long as the block lasts.

    Raises:
        DatabaseRefusedError: another deployment holds it.
    """
    with Session(url, schema) as session:
        with session.transaction():
            if not session.value(f"SELECT pg_try_advisory_lock({_KEY})", schema):
                since = session.value(_HOLDER, schema)
                raise DatabaseRefusedError(
                    f"Another intercom-sync up uses the schema {schema} of this database"
                    f"{f' since {since}' if since else ''}: stop it, or set INTERCOM_SYNC_SCHEMA to another schema."
                )
        yield
