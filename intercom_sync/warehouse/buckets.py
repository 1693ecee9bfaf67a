"""Cut the customers into buckets of bounded size, so that memory does not grow with the workspace.

A bucket is a range of email keys. A table that lies in that order gives a bucket by its index; what lies in another is
sorted by bucket once and read in one pass, by a session of its own.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeVar

import polars as pl

from intercom_sync.warehouse.session import Session, literal

CUSTOMERS_PER_BUCKET = 50_000
_KEYS = {"intercom_contacts": "email_key", "unified_customers": "lower(email)"}
# So many tell where the bounds lie to a few per cent; counting all would take as long as reading them.
_SAMPLED_PAGES = 2_000
_Item = TypeVar("_Item")


class Bucket(NamedTuple):
    """The email keys from `low` up to and without `high`; None is without end."""

    low: str | None
    high: str | None

    def holds(self, key: str) -> str:
        """Return the SQL condition that an expression lies in the bucket."""
        above = [] if self.low is None else [f"{key} >= {literal(self.low)}"]
        below = [] if self.high is None else [f"{key} < {literal(self.high)}"]
        return " AND ".join(above + below) or "TRUE"


@dataclass(frozen=True)
class Buckets:
    """All buckets, by the email keys at which one ends and the next begins, in the database's own order."""

    bounds: Sequence[str]

    def __iter__(self) -> Iterator[Bucket]:
        """Yield the buckets in order."""
        return (Bucket(low, high) for low, high in pairwise([None, *self.bounds, None]))

    def rows(self, session: Session, query: str) -> Iterator[pl.DataFrame]:
        """Yield a query's rows, one frame a bucket; they have an `email_key`, and the session does nothing else."""
        bounds = f"ARRAY[{', '.join(map(literal, self.bounds))}]::text[]"
        batches = session.stream(
            f"SELECT q.*, width_bucket(q.email_key, {bounds}) AS bucket FROM ({query}) q ORDER BY bucket"
        )
        held = next(batches)
        for number in range(len(self.bounds) + 1):
            while not (held["bucket"] > number).any() and (more := next(batches, None)) is not None:
                held = held.vstack(more)
            yield held.filter(pl.col("bucket") == number).drop("bucket")
            held = held.filter(pl.col("bucket") > number)


def buckets(session: Session) -> Buckets:
    """Cut the customers there are, by a sample of the larger one of the tables that know them."""
    return Buckets(max((_bounds(session, table, key) for table, key in _KEYS.items()), key=len))


def ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Yield what an iterator yields, made one ahead in a thread: the database reads on while something is computed."""
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def _bounds(session: Session, table: str, key: str) -> list[str]:
    pages = session.value(f"SELECT pg_relation_size('{table}') / current_setting('block_size')::bigint")
    share = min(1.0, _SAMPLED_PAGES / max(1, int(pages)))
    ranked = (
        f"SELECT {key} AS email_key, row_number() OVER (ORDER BY {key}) AS n FROM {table} "
        f"TABLESAMPLE SYSTEM ({100 * share:.6f}) REPEATABLE (0) WHERE {key} IS NOT NULL"
    )
    every = max(1, round(share * CUSTOMERS_PER_BUCKET))
    return session.frame(f"SELECT DISTINCT email_key FROM ({ranked}) ranked WHERE n % {every} = 0 ORDER BY email_key")[
        "email_key"
    ].to_list()
