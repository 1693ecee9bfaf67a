"""A connection to Postgres that moves frames: ADBC in, ADBC out, one transaction at a time.

Polars frames come in by binary COPY into temporary tables and go out as Arrow; statements between them are plain SQL.
What the statements mean is said where they stand.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
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
    # Large set-based queries: compiling them costs more than it saves, sorting on disk more than memory.
    "jit": "off",
    "work_mem": "64MB",
    # Whoever declares a cursor reads all of it.
    "cursor_tuple_fraction": "1",
    # A session waits in its transaction while others sort and polars computes.
    "idle_in_transaction_session_timeout": "0",
}
# Where the role or the URL's options say how long to wait for a lock, that holds.
LOCK_TIMEOUT = "CASE current_setting('lock_timeout') WHEN '0' THEN set_config('lock_timeout', '60s', FALSE) END"
_CONFIGURE = (
    "SELECT current_setting('server_encoding') AS encoding, set_config('search_path', $1, FALSE) AS search_path, "
    f"{LOCK_TIMEOUT} AS lock_timeout, "
) + ", ".join(f"set_config('{name}', '{value}', FALSE) AS {name}" for name, value in _SET.items())
_CONNECTION_LOCK = Lock()
"""Held while a connection opens or closes: the driver's count of them is not safe among threads.

Once it has miscounted, closing fails for as long as the process lives (https://github.com/apache/arrow-adbc/issues/4753).
"""


class Session:
    """One connection with its schema as search path, in UTC.

    Use as a context manager. Errors of the driver come out as `WarehouseError` with a sentence and without values.
    """

    def __init__(self, url: str, schema: str) -> None:
        self._url, self._schema = url, schema
        self._names = itertools.count()
        self.codec: TextCodec | None = None
        """The codec of a database whose encoding lacks characters; texts go through it both ways."""
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
        """Return itself, open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection; what was not committed is rolled back."""
        self.close()

    def close(self) -> None:
        """Close the connection, and let go of the locks it holds."""
        with _CONNECTION_LOCK:
            self._connection.close()

    def cancel(self) -> None:
        """End the statement that another thread has under way here; it fails there."""
        with suppress(adbc_driver_manager.Error):
            self._connection.adbc_cancel()

    def release_advisory_locks(self) -> None:
        """Let go of advisory locks now: of a connection that closes the server lets go when it comes to that."""
        with suppress(WarehouseError), self.transaction():
            self.value("SELECT pg_advisory_unlock_all()::text")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done inside, or nothing of it."""
        try:
            yield
        except BaseException:
            # Where the connection broke there is nothing to roll back any more; what broke it is the news.
            with suppress(adbc_driver_manager.Error):
                self._connection.rollback()
            raise
        with self._translated():
            self._connection.commit()

    def execute(self, statement: str, *values: object) -> None:
        """Run a statement that returns no rows; the driver cannot bind None.

        Not for a SELECT: what goes wrong with it is only told to whoever takes its rows.
        """
        with self._translated(), self._connection.cursor() as cursor:
            cursor.execute(statement, self._sent(values) or None)

    def frame(self, query: str, *values: object) -> pl.DataFrame:
        """Return a query's rows as a frame; numeric columns must be cast to text in the query."""
        with self._translated(), self._connection.cursor() as cursor:
            cursor.execute(query, self._sent(values) or None)
            return self._read(pl.DataFrame(cursor.fetch_arrow()))

    def batches(self, query: str, size: int) -> Iterator[pl.DataFrame]:
        """Yield a query's rows so many at a time, the last frame empty; the transaction may do other things meanwhile.

        Of what it writes meanwhile nothing is seen.
        """
        name = f"batches_{next(self._names)}"
        self.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {query}")
        height = size
        while height:
            with self._translated(), self._connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})  # it only takes queries
                cursor.execute(f"FETCH {size} FROM {name}")
                rows = self._read(pl.DataFrame(cursor.fetch_arrow()))
            height = rows.height
            yield rows
        self.execute(f"CLOSE {name}")

    def export_snapshot(self) -> str:
        """Return what the transaction sees now, for sessions beside; good until it ends."""
        return str(self.value("SELECT pg_export_snapshot()"))

    @contextmanager
    def open_at_snapshot(self, snapshot: str) -> Iterator["Session"]:
        """Open another session that sees a moment of this one, without what this one has written."""
        with Session(self._url, self._schema) as other:
            other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            other.execute(f"SET TRANSACTION SNAPSHOT {literal(snapshot)}")
            yield other

    def value(self, query: str, *values: object) -> Any:
        """Return the only value of a query, or None when it has no row."""
        rows = self.frame(query, *values).rows()
        return rows[0][0] if rows else None

    def stage(self, name: str, frame: pl.DataFrame) -> None:
        """Put a frame's rows into the temporary table `name`, in place of what it held."""
        with self._translated(), self._connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{quoted(name)}")
            cursor.adbc_ingest(name, self._written(frame), mode="create", temporary=True)

    def append_staged(self, name: str, frame: pl.DataFrame) -> None:
        """Add a frame's rows to the temporary table `name`, made when absent."""
        with self._translated(), self._connection.cursor() as cursor:
            cursor.adbc_ingest(name, self._written(frame), mode="create_append", temporary=True)

    def _sent(self, values: tuple[object, ...]) -> tuple[object, ...]:
        codec = self.codec
        return tuple(codec.encode(one) if isinstance(one, str) else one for one in values) if codec else values

    def _read(self, frame: pl.DataFrame) -> pl.DataFrame:
        return self.codec.decode_frame(frame) if self.codec else frame

    def _written(self, frame: pl.DataFrame) -> pl.DataFrame:
        return self.codec.encode_frame(frame) if self.codec else frame

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except adbc_driver_manager.Error as error:
            raise translate(str(error), error.sqlstate or "", self._url) from None
        except pl.exceptions.ComputeError as error:
            # What goes wrong while rows stream comes out of polars, with the server's text and no SQLSTATE.
            if "[libpq]" not in str(error):
                raise
            raise translate(str(error), "", self._url) from None


def _connect(url: str) -> dbapi.Connection:
    shared = _database(url)
    with _CONNECTION_LOCK:
        return dbapi.Connection(shared, adbc_driver_manager.AdbcConnection(shared._db))


@cache
def _database(url: str) -> dbapi._SharedDatabase:
    """Return the driver's description of a server, once a process: it reads all types, longer than connecting takes.

    It holds no connection: a server that was down is reached again, and one that cannot be reached is not remembered.
    """
    return dbapi._SharedDatabase(adbc_driver_postgresql.connect(url))


def quoted(name: str) -> str:
    """Return an SQL identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return an SQL text literal; a query with bound values does not come by binary COPY, which is half as fast."""
    return "'" + text.replace("'", "''") + "'"


MANY = 1_000
"""Rows from which it matters how two tables are joined."""


def analyze(session: Session, *tables: str, rows: int) -> None:
    """Take the statistics of tables that a run has put so many rows into; inside the caller's transaction.

    A table that another program has locked, or that belongs to another role, keeps those it has.
    """
    if rows >= MANY:
        session.execute(f"ANALYZE (SKIP_LOCKED) {', '.join(tables)}")


def database_time(session: Session) -> datetime:
    """Return what the database's clock says now. Runs inside the caller's transaction."""
    now: datetime = session.value("SELECT clock_timestamp()")
    return now.astimezone(UTC)


def read_present(session: Session, machine: datetime) -> datetime:
    """Return the present by the machine's clock and the database's. Runs inside the caller's transaction."""
    return Clocks(machine, database_time(session)).present or machine
