"""PostgreSQL sessions over ADBC that exchange Polars frames, one transaction at a time.

Frames are written by binary COPY into temporary tables and read as Arrow. All other statements are plain SQL.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from threading import Lock
from types import TracebackType
from typing import Any, Self

import adbc_driver_manager
import adbc_driver_postgresql
import polars as pl
from adbc_driver_manager import dbapi

from intercom_sync.domain.clocks import Clocks
from intercom_sync.warehouse.errors import WarehouseError
from intercom_sync.warehouse.postgres.error_translation import translate, unreachable
from intercom_sync.warehouse.postgres.frames import TextCodec, codec_of
from intercom_sync.warehouse.postgres.urls import with_timeouts

_SET = {
    "TimeZone": "UTC",
    "standard_conforming_strings": "on",
    # For our large set-based queries, JIT compilation costs more than it saves, and so does sorting on disk.
    "jit": "off",
    "work_mem": "64MB",
    # Every cursor is read to its end.
    "cursor_tuple_fraction": "1",
    # A session is idle in its transaction while parallel sessions sort and Polars computes.
    "idle_in_transaction_session_timeout": "0",
}
# A lock timeout set for the role or in the URL takes precedence.
LOCK_TIMEOUT = "CASE current_setting('lock_timeout') WHEN '0' THEN set_config('lock_timeout', '60s', FALSE) END"
_CONFIGURE = (
    "SELECT current_setting('server_encoding') AS encoding, set_config('search_path', $1, FALSE) AS search_path, "
    f"{LOCK_TIMEOUT} AS lock_timeout, "
) + ", ".join(f"set_config('{name}', '{value}', FALSE) AS {name}" for name, value in _SET.items())
_CONNECTION_LOCK = Lock()
"""Held while a connection opens or closes, because the driver's connection count is not thread-safe.

After a miscount, closing fails until the process ends (https://github.com/apache/arrow-adbc/issues/4753).
"""


class Session:
    """A connection with its schema as search path, in UTC. Use it as a context manager.

    Driver errors are raised as `WarehouseError`, without row values.
    """

    def __init__(self, url: str, schema: str) -> None:
        self._url, self._schema = url, schema
        self._names = itertools.count()
        self.codec: TextCodec | None = None
        """The text codec of a database whose encoding lacks characters; it encodes and decodes all texts."""
        try:
            self._connection = _connect(with_timeouts(url))
        except adbc_driver_manager.Error as error:
            raise unreachable(str(error), url) from None
        try:
            self._set_up(schema)
        except BaseException:
            self.close()
            raise

    def _set_up(self, schema: str) -> None:
        with self.transaction():
            self.codec = codec_of(self.value(_CONFIGURE, quoted(schema)))

    def __enter__(self) -> Self:
        """Return the session."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection and roll back what was not committed."""
        self.close()

    def close(self) -> None:
        """Close the connection, which releases its locks."""
        with _CONNECTION_LOCK:
            self._connection.close()

    def cancel(self) -> None:
        """Cancel the statement that another thread runs in this session; it fails in that thread."""
        with suppress(adbc_driver_manager.Error):
            self._connection.adbc_cancel()

    def release_advisory_locks(self) -> None:
        """Release advisory locks now; the server releases those of a closed connection with a delay."""
        with suppress(WarehouseError), self.transaction():
            self.value("SELECT pg_advisory_unlock_all()::text")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block in a transaction: commit at its end, roll back on an error."""
        try:
            yield
        except BaseException:
            # On a broken connection the rollback fails too; the original error is raised.
            with suppress(adbc_driver_manager.Error):
                self._connection.rollback()
            raise
        with self._translated():
            self._connection.commit()

    def execute(self, statement: str, *values: object) -> None:
        """Execute a statement that returns no rows; the driver cannot bind None.

        Do not use it for a SELECT, whose errors the driver reports only when rows are fetched.
        """
        with self._translated(), self._connection.cursor() as cursor:
            cursor.execute(statement, self._encode_values(values) or None)

    def frame(self, query: str, *values: object) -> pl.DataFrame:
        """Return the rows of a query as a frame; the query must cast numeric columns to text."""
        with self._translated(), self._connection.cursor() as cursor:
            cursor.execute(query, self._encode_values(values) or None)
            return self._decode(pl.DataFrame(cursor.fetch_arrow()))

    def batches(self, query: str, size: int) -> Iterator[pl.DataFrame]:
        """Yield the rows of a query in batches of `size`; the last batch is empty.

        The transaction may run other statements between batches; the query does not see what they write.
        """
        name = f"batches_{next(self._names)}"
        self.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {query}")
        height = size
        while height:
            with self._translated(), self._connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})  # it only takes queries
                cursor.execute(f"FETCH {size} FROM {name}")
                rows = self._decode(pl.DataFrame(cursor.fetch_arrow()))
            height = rows.height
            yield rows
        self.execute(f"CLOSE {name}")

    def export_snapshot(self) -> str:
        """Return the id of the transaction's snapshot for parallel sessions; it is valid until the transaction ends."""
        return str(self.value("SELECT pg_export_snapshot()"))

    @contextmanager
    def open_at_snapshot(self, snapshot: str) -> Iterator["Session"]:
        """Open another session that reads an exported snapshot, without uncommitted writes of this session."""
        with Session(self._url, self._schema) as other:
            other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            other.execute(f"SET TRANSACTION SNAPSHOT {literal(snapshot)}")
            yield other

    def value(self, query: str, *values: object) -> Any:
        """Return the only value of a query, or None without a row."""
        rows = self.frame(query, *values).rows()
        return rows[0][0] if rows else None

    def stage(self, name: str, frame: pl.DataFrame) -> None:
        """Write a frame to the temporary table `name`, which is replaced if it exists."""
        with self._translated(), self._connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{quoted(name)}")
            cursor.adbc_ingest(name, self._encode(frame), mode="create", temporary=True)

    def append_staged(self, name: str, frame: pl.DataFrame) -> None:
        """Append a frame's rows to the temporary table `name`, which is created if missing."""
        with self._translated(), self._connection.cursor() as cursor:
            cursor.adbc_ingest(name, self._encode(frame), mode="create_append", temporary=True)

    def _encode_values(self, values: tuple[object, ...]) -> tuple[object, ...]:
        # The driver would bind a member of an enumeration as a dictionary, which it cannot send.
        texts = tuple(str(one) if isinstance(one, StrEnum) else one for one in values)
        codec = self.codec
        return tuple(codec.encode(one) if isinstance(one, str) else one for one in texts) if codec else texts

    def _decode(self, frame: pl.DataFrame) -> pl.DataFrame:
        return self.codec.decode_frame(frame) if self.codec else frame

    def _encode(self, frame: pl.DataFrame) -> pl.DataFrame:
        return self.codec.encode_frame(frame) if self.codec else frame

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except adbc_driver_manager.Error as error:
            raise translate(str(error), error.sqlstate or "", self._url) from None
        except pl.exceptions.ComputeError as error:
            # Polars raises errors that occur while rows stream, with the server's message but no SQLSTATE.
            if "[libpq]" not in str(error):
                raise
            raise translate(str(error), "", self._url) from None


def _connect(url: str) -> dbapi.Connection:
    shared = _database(url)
    with _CONNECTION_LOCK:
        return dbapi.Connection(shared, adbc_driver_manager.AdbcConnection(shared._db))


@cache
def _database(url: str) -> dbapi._SharedDatabase:
    """Return the driver's database object, cached because loading all types takes longer than connecting.

    It holds no connection, so it survives a restart of the server. A failure to connect is not cached.
    """
    return dbapi._SharedDatabase(adbc_driver_postgresql.connect(url))


def quoted(name: str) -> str:
    """Return a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return an SQL text literal. A query with literals is read by binary COPY, twice as fast as with bound values."""
    return "'" + text.replace("'", "''") + "'"


MANY = 1_000
"""Number of rows from which statistics matter for the join plan."""


def analyze(session: Session, *tables: str, rows: int) -> None:
    """Update the planner statistics of tables after writing `rows` rows. Runs inside the caller's transaction.

    A table that another program locks, or that belongs to another role, keeps its statistics.
    """
    if rows >= MANY:
        session.execute(f"ANALYZE (SKIP_LOCKED) {', '.join(tables)}")


def database_time(session: Session) -> datetime:
    """Return the time of the database's clock. Runs inside the caller's transaction."""
    now: datetime = session.value("SELECT clock_timestamp()")
    return now.astimezone(UTC)


def read_present(session: Session, machine: datetime) -> datetime:
    """Return the current time by the clocks of the machine and the database. Runs inside the caller's transaction."""
    return Clocks(machine, database_time(session)).present or machine
