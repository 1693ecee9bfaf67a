"""Partition the customers into key ranges of bounded size, so that memory does not grow with the workspace.

A table with an index on the email key is read range by range. Any other query is sorted by range once and read in one
pass, because each range would otherwise scan the whole table. While one range is processed, parallel sessions prefetch
the next ones and share the sorting, if the server has connections for them.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import NamedTuple

import polars as pl

from intercom_sync.warehouse.errors import DatabaseBusyError
from intercom_sync.warehouse.postgres.session import Session

CUSTOMERS_PER_RANGE = 25_000
_KEYS = {"intercom_contacts": "email_key", "unified_customers": "lower(email)"}
# This sample finds the bounds to within a few per cent; an exact count would take as long as reading the table.
_SAMPLED_PAGES = 2_000
_BATCH_ROWS = 25_000
_PREFETCHED_RANGES = 2
_POLL_SECONDS = 0.1
# Session settings that hold the bounds for the queries.
_LOW, _HIGH, _BOUNDS = "intercom_sync.low", "intercom_sync.high", "intercom_sync.bounds"
# Every table that a reader reads.
_READ_TABLES = (
    "intercom_contacts", "intercom_conversations", "intercom_messages", "contact_merges", "sync_seen_ids",
    "revenue_metrics", "support_metrics", "unified_customers", "customer_last_written",
)  # fmt: skip

Frames = tuple[pl.DataFrame, ...]
Reader = Callable[[Session], Iterator[Frames]]


class KeyRange(NamedTuple):
    """Hold the email keys of a half-open range.

    Attributes:
        low: the inclusive lower bound; None if there is none.
        high: the exclusive upper bound; None if there is none.
    """

    low: str | None
    high: str | None

    def bind(self, session: Session) -> None:
        """Set the bounds that `condition` compares with, until the session's transaction ends.

        The bounds are emails. Literals would appear in the server's log when a query fails or is cancelled. A query
        with bound parameters cannot use binary COPY, which is twice as fast.

        Args:
            session: the session that will run the conditions.
        """
        session.frame(
            f"SELECT set_config('{_LOW}', $1, TRUE) AS low, set_config('{_HIGH}', $2, TRUE) AS high",
            self.low or "",
            self.high or "",
        )

    def condition(self, key: str) -> str:
        """Return the SQL condition that an expression is in the range.

        Args:
            key: the SQL expression of an email key.

        Returns:
            The condition, for a session in which `bind` has set the bounds.
        """
        above = [] if self.low is None else [f"{key} >= current_setting('{_LOW}')"]
        below = [] if self.high is None else [f"{key} < current_setting('{_HIGH}')"]
        return " AND ".join(above + below) or "TRUE"


@dataclass(frozen=True)
class KeyRanges:
    """Hold all key ranges.

    Attributes:
        bounds: the email keys at which one range ends and the next begins, in the order of the database's collation.
    """

    bounds: Sequence[str]

    def __iter__(self) -> Iterator[KeyRange]:
        """Yield the ranges in order."""
        return (KeyRange(low, high) for low, high in pairwise([None, *self.bounds, None]))

    def rows(self, session: Session, query: str) -> Iterator[pl.DataFrame]:
        """Yield the rows of a query by range; runs inside the caller's transaction.

        Args:
            session: the session of the transaction.
            query: a query with a column `email_key`.

        Yields:
            One frame per range, in order.
        """
        if not self.bounds:
            yield session.frame(query)
            return
        session.value(f"SELECT set_config('{_BOUNDS}', $1, TRUE)", json.dumps(list(self.bounds), ensure_ascii=False))
        bounds = f"ARRAY(SELECT json_array_elements_text(current_setting('{_BOUNDS}')::json))"
        batches = session.batches(
            f"SELECT q.*, width_bucket(q.email_key, {bounds}) AS bucket FROM ({query}) q ORDER BY bucket", _BATCH_ROWS
        )
        buffered = next(batches)
        for number in range(len(self.bounds) + 1):
            while not (buffered["bucket"] > number).any() and (batch := next(batches, None)) is not None:
                buffered = buffered.vstack(batch)
            yield buffered.filter(pl.col("bucket") == number).drop("bucket")
            buffered = buffered.filter(pl.col("bucket") > number)

    def parts(self, session: Session, table: str) -> list[str]:
        """Return SQL conditions on `ctid` that split a table, so that one session per condition sorts its part.

        Args:
            session: the session that reads the size of the table.
            table: the table.
        """
        if not self.bounds:
            return ["ctid IS NOT NULL"]
        middle = f"'({_page_count(session, table) // 2},0)'::tid"
        return [f"ctid < {middle}", f"ctid >= {middle}"]

    @contextmanager
    def iter_prefetched(
        self, session: Session, readers: Sequence[Reader], *, parallel_reads: bool
    ) -> Iterator[Iterator[Frames]]:
        """Return a context manager whose iterator yields the frames of all readers, range by range.

        Runs inside the caller's transaction. Before this call the transaction must not write to the tables that the
        readers read, unless it has locked them.

        Args:
            session: the session of the transaction.
            readers: functions of a session that yield their frames, one tuple per range.
            parallel_reads: whether parallel sessions may prefetch when there are several ranges. They do not see
                uncommitted writes of the transaction. If none can be opened, the transaction's own session reads.

        Yields:
            An iterator over the ranges; each item joins the tuples of all readers.
        """
        with ExitStack() as stack:
            parallel = _open_parallel_sessions(session, len(readers), stack) if parallel_reads and self.bounds else []
            if parallel:
                pairs = zip(readers, parallel, strict=True)
                streams = [stack.enter_context(_prefetch(read(other), other)) for read, other in pairs]
            else:
                streams = [read(session) for read in readers]
            yield (tuple(chain.from_iterable(frames)) for frames in zip(*streams, strict=True))


def key_ranges(session: Session) -> KeyRanges:
    """Return the key ranges of the stored customers, from a sample of the table that yields the most ranges."""
    return KeyRanges(max((_sample_bounds(session, table, key) for table, key in _KEYS.items()), key=len))


def _open_parallel_sessions(session: Session, count: int, stack: ExitStack) -> list[Session]:
    """Open parallel sessions on the transaction's snapshot, until the stack closes.

    Every session locks the tables before it reads. If another program waits for a table, a parallel session would wait
    behind that program and the transaction would wait for the session, a deadlock that Postgres cannot detect.

    Args:
        session: the session of the transaction.
        count: how many sessions to open.
        stack: closes the sessions.

    Returns:
        The sessions; none if the server has no connection or another program holds or awaits a table.
    """
    for table in _READ_TABLES:  # one at a time: an error names the table
        session.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
    snapshot = session.export_snapshot()
    with suppress(DatabaseBusyError), ExitStack() as opening:
        opened = [opening.enter_context(session.open_at_snapshot(snapshot)) for _ in range(count)]
        for other in opened:
            other.execute(f"LOCK TABLE {', '.join(_READ_TABLES)} IN ACCESS SHARE MODE NOWAIT")
        stack.enter_context(opening.pop_all())
        return opened
    return []


@contextmanager
def _prefetch(items: Iterator[Frames], other: Session) -> Iterator[Iterator[Frames]]:
    """Return a context manager whose iterator yields the items, prefetched in a background thread.

    Args:
        items: the items; None ends them.
        other: the session that reads them. Its query is cancelled if the caller stops early.
    """
    with ThreadPoolExecutor(1, "ahead") as thread:
        pending = deque(thread.submit(next, items, None) for _ in range(_PREFETCHED_RANGES))

        def prefetched() -> Iterator[Frames]:
            while (item := pending.popleft().result()) is not None:
                pending.append(thread.submit(next, items, None))
                yield item

        try:
            yield prefetched()
        finally:
            # A caller that stops early does not wait for a range that is no longer needed.
            running = [future for future in pending if not future.cancel()]
            while wait(running, _POLL_SECONDS).not_done:
                other.cancel()


def _sample_bounds(session: Session, table: str, key: str) -> list[str]:
    share = min(1.0, _SAMPLED_PAGES / max(1, _page_count(session, table)))
    ranked = (
        f"SELECT {key} AS email_key, row_number() OVER (ORDER BY {key}) AS n FROM {table} "
        f"TABLESAMPLE SYSTEM ({100 * share:.6f}) REPEATABLE (0) WHERE {key} IS NOT NULL"
    )
    every = max(1, round(share * CUSTOMERS_PER_RANGE))
    bounds = session.frame(f"SELECT DISTINCT email_key FROM ({ranked}) ranked WHERE n % {every} = 0 ORDER BY email_key")
    return bounds["email_key"].to_list()


def _page_count(session: Session, table: str) -> int:
    return int(session.value(f"SELECT pg_relation_size('{table}') / current_setting('block_size')::bigint"))
