"""Cut the customers into buckets of bounded size, so that memory does not grow with the workspace.

A bucket is a range of email keys. A table that lies in that order gives a bucket by its index; what lies in another is
sorted by bucket once and read in one pass, or each bucket would read all of it. While one bucket is worked on, the next
are read by sessions beside, where they are to be had; they also share the sorting.
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
# So many tell where the bounds lie to a few per cent; counting all would take as long as reading them.
_SAMPLED_PAGES = 2_000
_BATCH_ROWS = 25_000
_PREFETCHED_RANGES = 2
_POLL_SECONDS = 0.1
# Settings of the session that hold what the queries compare with.
_LOW, _HIGH, _BOUNDS = "intercom_sync.low", "intercom_sync.high", "intercom_sync.bounds"
# All that any reader reads.
_READ = (
    "intercom_contacts", "intercom_conversations", "intercom_messages", "contact_merges", "sync_seen_ids",
    "revenue_metrics", "support_metrics", "unified_customers", "customer_last_written",
)  # fmt: skip

Frames = tuple[pl.DataFrame, ...]
Reader = Callable[[Session], Iterator[Frames]]


class KeyRange(NamedTuple):
    """The email keys from `low` up to and without `high`; None is without end."""

    low: str | None
    high: str | None

    def bind(self, session: Session) -> None:
        """Set the bounds that the conditions of `holds` read, until the session's transaction ends.

        Bounds are emails. As literals they would be in the server's log when a query fails or is cancelled, and a query
        with bound values does not come by binary COPY, which is half as fast.
        """
        session.frame(
            f"SELECT set_config('{_LOW}', $1, TRUE) AS low, set_config('{_HIGH}', $2, TRUE) AS high",
            self.low or "",
            self.high or "",
        )

    def condition(self, key: str) -> str:
        """Return the SQL condition that an expression lies in the bucket, for a session that has bound it."""
        above = [] if self.low is None else [f"{key} >= current_setting('{_LOW}')"]
        below = [] if self.high is None else [f"{key} < current_setting('{_HIGH}')"]
        return " AND ".join(above + below) or "TRUE"


@dataclass(frozen=True)
class KeyRanges:
    """All buckets, by the email keys at which one ends and the next begins, in the database's own order."""

    bounds: Sequence[str]

    def __iter__(self) -> Iterator[KeyRange]:
        """Yield the buckets in order."""
        return (KeyRange(low, high) for low, high in pairwise([None, *self.bounds, None]))

    def rows(self, session: Session, query: str) -> Iterator[pl.DataFrame]:
        """Yield the rows of a query that gives an `email_key`, one frame a bucket; inside the caller's transaction."""
        if not self.bounds:
            yield session.frame(query)
            return
        session.value(f"SELECT set_config('{_BOUNDS}', $1, TRUE)", json.dumps(list(self.bounds), ensure_ascii=False))
        bounds = f"ARRAY(SELECT json_array_elements_text(current_setting('{_BOUNDS}')::json))"
        batches = session.batches(
            f"SELECT q.*, width_bucket(q.email_key, {bounds}) AS bucket FROM ({query}) q ORDER BY bucket", _BATCH_ROWS
        )
        held = next(batches)
        for number in range(len(self.bounds) + 1):
            while not (held["bucket"] > number).any() and (more := next(batches, None)) is not None:
                held = held.vstack(more)
            yield held.filter(pl.col("bucket") == number).drop("bucket")
            held = held.filter(pl.col("bucket") > number)

    def parts(self, session: Session, table: str) -> list[str]:
        """Return SQL conditions on `ctid` that part a table, for as many sessions to sort it side by side."""
        if not self.bounds:
            return ["ctid IS NOT NULL"]
        middle = f"'({_pages(session, table) // 2},0)'::tid"
        return [f"ctid < {middle}", f"ctid >= {middle}"]

    @contextmanager
    def iter_prefetched(
        self, session: Session, readers: Sequence[Reader], *, parallel_reads: bool
    ) -> Iterator[Iterator[Frames]]:
        """Give what readers yield for each bucket, put together; inside the caller's transaction.

        Args:
            session: Where the transaction is.
            readers: Each yields what it reads by a session, for one bucket after another.
            parallel_reads: Whether parallel sessions may read some ranges ahead when there are several. They do not
                see what the transaction has written. When none can be opened, the transaction's own session reads.

        Until then the transaction must not write to the tables that the readers read, unless it has locked them.
        """
        with ExitStack() as stack:
            others = _open_parallel_sessions(session, len(readers), stack) if parallel_reads and self.bounds else []
            if others:
                pairs = zip(readers, others, strict=True)
                found = [stack.enter_context(_prefetch(read(other), other)) for read, other in pairs]
            else:
                found = [read(session) for read in readers]
            yield (tuple(chain.from_iterable(frames)) for frames in zip(*found, strict=True))


def key_ranges(session: Session) -> KeyRanges:
    """Cut the customers there are, by a sample of the larger one of the tables that know them."""
    return KeyRanges(max((_bounds(session, table, key) for table, key in _KEYS.items()), key=len))


def _open_parallel_sessions(session: Session, how_many: int, stack: ExitStack) -> list[Session]:
    """Open sessions beside, for as long as the stack lasts; none where others have taken connections or tables.

    All hold the tables first: where another program waits for one, so would a session beside, and the transaction for
    that session, without Postgres seeing a circle.
    """
    for table in _READ:  # one at a time: an error names the table
        session.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
    moment = session.export_snapshot()
    with suppress(DatabaseBusyError), ExitStack() as opening:
        others = [opening.enter_context(session.open_at_snapshot(moment)) for _ in range(how_many)]
        for other in others:
            other.execute(f"LOCK TABLE {', '.join(_READ)} IN ACCESS SHARE MODE NOWAIT")
        stack.enter_context(opening.pop_all())
        return others
    return []


@contextmanager
def _prefetch(items: Iterator[Frames], other: Session) -> Iterator[Iterator[Frames]]:
    """Give what an iterator yields, made some ahead by its session in a thread from now on."""
    with ThreadPoolExecutor(1, "ahead") as thread:
        coming = deque(thread.submit(next, items, None) for _ in range(_PREFETCHED_RANGES))

        def found() -> Iterator[Frames]:
            while (item := coming.popleft().result()) is not None:
                coming.append(thread.submit(next, items, None))
                yield item

        try:
            yield found()
        finally:
            # Whoever stops early does not wait for what nobody needs any more.
            under_way = [each for each in coming if not each.cancel()]
            while wait(under_way, _POLL_SECONDS).not_done:
                other.cancel()


def _bounds(session: Session, table: str, key: str) -> list[str]:
    share = min(1.0, _SAMPLED_PAGES / max(1, _pages(session, table)))
    ranked = (
        f"SELECT {key} AS email_key, row_number() OVER (ORDER BY {key}) AS n FROM {table} "
        f"TABLESAMPLE SYSTEM ({100 * share:.6f}) REPEATABLE (0) WHERE {key} IS NOT NULL"
    )
    every = max(1, round(share * CUSTOMERS_PER_RANGE))
    bounds = session.frame(f"SELECT DISTINCT email_key FROM ({ranked}) ranked WHERE n % {every} = 0 ORDER BY email_key")
    return bounds["email_key"].to_list()


def _pages(session: Session, table: str) -> int:
    return int(session.value(f"SELECT pg_relation_size('{table}') / current_setting('block_size')::bigint"))
