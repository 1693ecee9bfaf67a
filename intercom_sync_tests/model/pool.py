"""A connection pool: opening a connection takes 0.1 s, and a model opens five per sync."""

from threading import Lock

from intercom_sync.warehouse.postgres.session import Session


class Pooled(Session):
    """A session that returns to its pool without locks and temporary tables."""

    pool: "Pool"

    def close(self) -> None:
        self._connection.rollback()
        with self.transaction():
            self.execute("SELECT pg_advisory_unlock_all()")
            self.execute("DISCARD TEMP")
        self.pool.put(self)

    def end(self) -> None:
        super().close()


class Pool:
    """Sessions on one schema."""

    def __init__(self, url: str, schema: str) -> None:
        self._url, self._schema = url, schema
        self._idle: list[Pooled] = []
        self._lock = Lock()

    def connect(self) -> Session:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        session = Pooled(self._url, self._schema)
        session.pool = self
        with session.transaction():
            session.execute("SET synchronous_commit TO off")
        return session

    def put(self, session: Pooled) -> None:
        with self._lock:
            self._idle.append(session)

    def close(self) -> None:
        for session in self._idle:
            session.end()
