"""The schema of Dagster's tables, and the advisory lock that allows one `intercom-sync up` per schema."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from intercom_sync.warehouse.errors import DatabaseRefusedError
from intercom_sync.warehouse.postgres.session import Session, quoted

_KEY = "hashtext('intercom_sync.up'), hashtext($1)"
_HOLDER = (
    "SELECT to_char(a.backend_start, 'YYYY-MM-DD HH24:MI') || ' UTC' || COALESCE(' from ' || host(a.client_addr), '') "
    "FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.objsubid = 2 "
    "AND l.classid = hashtext('intercom_sync.up')::oid AND l.objid = hashtext($1)::oid"
)


@contextmanager
def hold_schema(url: str, schema: str) -> Iterator[None]:
    """Lock a schema for one deployment while the block runs; the lock ends with its connection.

    Raises:
        DatabaseRefusedError: another deployment uses the schema.
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


_SHARED = "dagster"
_PUBLIC = "public"
_LONGEST_NAME = 63
_OWNER = "intercom_sync_deployment"
_IS_THERE = (
    "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r' AND has_schema_privilege(n.oid, 'USAGE'))"
)
_OTHERS = (
    "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relname = 'intercom_sync_version' AND n.nspname <> $1)"
)
# Dagster's tables without a primary key: under a publication of all tables, Dagster could not update their rows.
_UNIDENTIFIED = (
    "SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relreplident = 'd' AND pg_has_role(c.relowner, 'USAGE') "
    "AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)"
)
# Dagster has three storages. It checks for one table of each to find out whether all tables exist.
_STORAGES = ("runs", "event_logs", "jobs")


def choose_schema(session: Session, schema: str) -> str:
    """Return the schema of Dagster's tables for a deployment. Runs inside the caller's transaction."""
    own = _own_name(schema)
    if schema != _PUBLIC and _has_table(session, own, "runs"):
        return own
    if _may_use_shared(session, schema):
        return _SHARED
    return own if schema != _PUBLIC else f"{_SHARED}_{_PUBLIC}"


def lock_storages(session: Session) -> None:
    """Take the lock for creating Dagster's tables, until the caller's transaction ends."""
    session.value("SELECT pg_advisory_xact_lock(hashtext('intercom_sync.dagster'))::text")


def storages_are_made(session: Session, name: str) -> bool:
    """Return whether Dagster has created all its tables."""
    return all(_has_table(session, name, table) for table in _STORAGES)


def claim_schema(session: Session, name: str, schema: str) -> None:
    """Record the owner of Dagster's schema and give its tables a replica identity, inside the caller's transaction."""
    if _owner(session, name) is None:
        session.execute(f"CREATE TABLE {quoted(name)}.{_OWNER} (schema text PRIMARY KEY)")
        session.execute(f"INSERT INTO {quoted(name)}.{_OWNER} VALUES ($1)", schema)
    for table in session.frame(_UNIDENTIFIED, name)["name"]:
        session.execute(f"ALTER TABLE {quoted(name)}.{quoted(table)} REPLICA IDENTITY FULL")


def _own_name(schema: str) -> str:
    name = _SHARED if schema == _PUBLIC else f"{_SHARED}_{schema}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9]}_{hashlib.sha256(schema.encode()).hexdigest()[:8]}"


def _may_use_shared(session: Session, schema: str) -> bool:
    owner = _owner(session, _SHARED)
    if owner is not None:
        return owner == schema
    if not _has_table(session, _SHARED, "runs"):
        return schema == _PUBLIC
    if _has_runs_of(session, schema):
        return schema == _PUBLIC or not session.value(_OTHERS, schema)
    return schema == _PUBLIC and not session.value(f"SELECT EXISTS (SELECT FROM {_SHARED}.runs)")


def _owner(session: Session, name: str) -> str | None:
    if not _has_table(session, name, _OWNER):
        return None
    owner: str | None = session.value(f"SELECT schema FROM {quoted(name)}.{_OWNER}")
    return owner


def _has_runs_of(session: Session, schema: str) -> bool:
    if not _has_table(session, schema, "sync_runs"):
        return False
    # Dagster's schema is chosen before migrations run; release 0001 called the column `run`.
    run_id = "coalesce(to_jsonb(s) ->> 'run_id', to_jsonb(s) ->> 'run')"
    runs = f"{_SHARED}.runs r JOIN {quoted(schema)}.sync_runs s ON {run_id} = r.run_id"
    return bool(session.value(f"SELECT EXISTS (SELECT FROM {runs})"))


def _has_table(session: Session, schema: str, table: str) -> bool:
    return bool(session.value(_IS_THERE, schema, table))
