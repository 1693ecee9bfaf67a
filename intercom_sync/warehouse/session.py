"""A connection to Postgres that moves frames: ADBC in, ADBC out, one transaction at a time.

Polars frames come in by binary COPY into temporary tables and go out as Arrow; statements between them are plain SQL.
What the statements mean is said where they stand.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import adbc_driver_manager
import adbc_driver_postgresql
import polars as pl
from adbc_driver_manager import dbapi

from intercom_sync.warehouse.errors import DatabaseRefusedError, DatabaseUnreachableError

SETTING = "INTERCOM_SYNC_DATABASE_URL"
_REFUSALS = {
    "42501": "lacks a right that the sync needs: grant it to the role in {setting}",
    "25006": "is read-only: name a primary server in {setting}",
    "53100": "has no disk space left: free some and sync again",
    "55P03": "kept a lock too long: another program writes to unified_customers; sync again when it is done",
    "57014": "cancelled a statement that took too long: raise its statement_timeout for the role in {setting}",
    "23502": "has a required column in unified_customers that the sync does not know: give it a default",
    "3D000": "has no such database: create it, or mend {setting}",
}
_SET = {
    "TimeZone": "UTC",
    "lock_timeout": "60s",
    "standard_conforming_strings": "on",
    # Large set-based queries: compiling them costs more than it saves, sorting on disk more than memory.
    "jit": "off",
    "work_mem": "64MB",
}
_CONFIGURE = "SELECT set_config('search_path', $1, FALSE) AS search_path, " + ", ".join(
    f"set_config('{name}', '{value}', FALSE) AS {name}" for name, value in _SET.items()
)


class Session:
    """One connection with its schema as search path, in UTC.

    Use as a context manager. Errors of the driver come out as `WarehouseError` with a sentence and without values.
    """

    def __init__(self, url: str, schema: str) -> None:
        self._url, self._schema = url, schema
        try:
            self._connection = _connect(plain_url(url))
        except adbc_driver_manager.Error as error:
            raise DatabaseUnreachableError(
                f"PostgreSQL cannot be reached: {_reason(error, url)}. Check {SETTING}."
            ) from None
        with self.transaction():
            self.value(_CONFIGURE, quoted(schema))

    def __enter__(self) -> Self:
        """Return itself, open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection; what was not committed is rolled back."""
        self.close()

    def close(self) -> None:
        """Close the connection, and let go of the locks it holds."""
        self._connection.close()

    def beside(self) -> "Session":
        """Return another session like this one; it does not see what this one has not committed."""
        return Session(self._url, self._schema)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done inside, or nothing of it."""
        try:
            yield
        except BaseException:
            with self._translated():
                self._connection.rollback()
            raise
        with self._translated():
            self._connection.commit()

    def execute(self, statement: str, *values: object) -> None:
        """Run a statement; the driver cannot bind None."""
        with self._translated(), self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)

    def frame(self, query: str, *values: object) -> pl.DataFrame:
        """Return a query's rows as a frame; numeric columns must be cast to text in the query."""
        with self._translated(), self._connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return pl.DataFrame(cursor.fetch_arrow())

    def stream(self, query: str) -> Iterator[pl.DataFrame]:
        """Yield a query's rows a batch at a time, first an empty frame; the session can do nothing else meanwhile."""
        with self._translated(), self._connection.cursor() as cursor:
            cursor.execute(query)
            rows = pl.scan_arrow_c_stream(cursor.fetch_arrow())
            yield rows.collect_schema().to_frame()
            yield from rows.collect_batches(lazy=True)

    def value(self, query: str, *values: object) -> Any:
        """Return the only value of a query, or None when it has no row."""
        rows = self.frame(query, *values).rows()
        return rows[0][0] if rows else None

    def stage(self, name: str, frame: pl.DataFrame) -> None:
        """Put a frame's rows into the temporary table `name`, in place of what it held."""
        with self._translated(), self._connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{quoted(name)}")
            cursor.adbc_ingest(name, frame, mode="create", temporary=True)

    def stage_more(self, name: str, frame: pl.DataFrame) -> None:
        """Add a frame's rows to the temporary table `name`, made when absent."""
        with self._translated(), self._connection.cursor() as cursor:
            cursor.adbc_ingest(name, frame, mode="create_append", temporary=True)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (adbc_driver_manager.Error, pl.exceptions.ComputeError) as error:  # the latter while rows come in
            raise _refusal(error, self._url) from None


def _connect(url: str) -> dbapi.Connection:
    shared = _database(url)
    return dbapi.Connection(shared, adbc_driver_manager.AdbcConnection(shared._db))


@cache
def _database(url: str) -> dbapi._SharedDatabase:
    """Return the driver's description of a server, once a process: it reads all types, longer than connecting takes.

    It holds no connection: a server that was down is reached again, and one that cannot be reached is not remembered.
    """
    return dbapi._SharedDatabase(adbc_driver_postgresql.connect(url))


def plain_url(url: str) -> str:
    """Return a URL as libpq takes it: `postgresql://`, whatever driver a host's or SQLAlchemy's form names."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)


def driver_url(url: str) -> str:
    """Return a URL as SQLAlchemy and Dagster's storage take it, naming the driver that dagster-postgres brings."""
    return re.sub(r"^postgresql://", "postgresql+psycopg2://", plain_url(url))


def quoted(name: str) -> str:
    """Return an SQL identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return an SQL text literal; a query with bound values does not come by binary COPY, which is half as fast."""
    return "'" + text.replace("'", "''") + "'"


def _refusal(error: Exception, url: str) -> Exception:
    state = getattr(error, "sqlstate", None) or ""
    if state.startswith(("08", "57P")) or "no connection" in str(error) or "server closed" in str(error):
        return DatabaseUnreachableError(f"PostgreSQL went away: {_reason(error, url)}. Sync again when it is back.")
    hint = _REFUSALS.get(state)
    what = f"PostgreSQL {hint.format(setting=SETTING)}" if hint else "PostgreSQL refused a statement"
    return DatabaseRefusedError(f"{what}: {_reason(error, url)} (SQLSTATE {state or 'unknown'})")


def _reason(error: Exception, url: str) -> str:
    """Return the server's own sentence: no statement, no row's values, no password."""
    text = re.split(r"ERROR:\s+|\[libpq\]\s+(?:Failed to connect:\s+)?", str(error))[-1]
    first = re.split(r"\n|Query was|DETAIL|CONTEXT", text.strip())[0].strip()
    for secret in filter(None, {urlsplit(url).password, unquote(urlsplit(url).password or "")}):
        first = first.replace(secret, "***")
    return first.rstrip(".")
