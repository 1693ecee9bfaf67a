"""Cut the customers into buckets of bounded size, so that memory does not grow with the workspace.

A bucket is a range of email keys. A table that lies in that order gives a bucket by its index; what lies in another is
staged in the order of the buckets first, or each bucket would read all of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from intercom_sync.warehouse.session import Session, literal

CUSTOMERS_PER_BUCKET = 50_000
_KEYS = {"intercom_contacts": "email_key", "unified_customers": "lower(email)"}
# So many tell where the bounds lie to a few per cent; counting all would take as long as reading them.
_SAMPLED_PAGES = 2_000


class Bucket(NamedTuple):
    """The email keys from `low` up to and without `high`; None is without end."""

    number: int
    low: str | None
    high: str | None

    def holds(self, key: str) -> str:
        """Return the SQL condition that an expression lies in the bucket."""
        above = [] if self.low is None else [f"{key} >= {literal(self.low)}"]
        below = [] if self.high is None else [f"{key} < {literal(self.high)}"]
        return " AND ".join(above + below) or "TRUE"

    @property
    def staged(self) -> str:
        """The SQL condition that a staged row lies in the bucket."""
        return f"bucket = {self.number}"


@dataclass(frozen=True)
class Buckets:
    """All buckets, by the email keys at which one ends and the next begins, in the database's own order."""

    bounds: Sequence[str]

    def __iter__(self) -> Iterator[Bucket]:
        """Yield the buckets in order."""
        for number, (low, high) in enumerate(pairwise([None, *self.bounds, None])):
            yield Bucket(number, low, high)

    def stage(self, session: Session, name: str, query: str) -> None:
        """Put a query's rows, with an `email_key`, into the temporary table `name` in the order of the buckets."""
        bounds = f"ARRAY[{', '.join(map(literal, self.bounds))}]::text[]"
        session.execute(f"DROP TABLE IF EXISTS pg_temp.{name}")
        session.execute(
            f"CREATE TEMPORARY TABLE {name} AS "
            f"SELECT q.*, width_bucket(q.email_key, {bounds}) AS bucket FROM ({query}) q ORDER BY bucket"
        )
        session.execute(f"CREATE INDEX ON {name} USING brin (bucket) WITH (pages_per_range = 16)")


def buckets(session: Session) -> Buckets:
    """Cut the customers there are, by a sample of the larger one of the tables that know them."""
    return Buckets(max((_bounds(session, table, key) for table, key in _KEYS.items()), key=len))


def _bounds(session: Session, table: str, key: str) -> list[str]:
    pages = session.value(f"SELECT pg_relation_size('{table}') / current_setting('block_size')::bigint")
    share = min(1.0, _SAMPLED_PAGES / max(1, int(pages)))
    ranked = (
        f"SELECT {key} AS email_key, row_number() OVER (ORDER BY {key}) AS n FROM {table} "
        f"TABLESAMPLE SYSTEM ({100 * share:.6f}) REPEATABLE (0) WHERE {key} IS NOT NULL"
    )
    every = max(1, round(share * CUSTOMERS_PER_BUCKET))
    bounds = session.frame(f"SELECT DISTINCT email_key FROM ({ranked}) ranked WHERE n % {every} = 0 ORDER BY email_key")
    return bounds["email_key"].to_list()
