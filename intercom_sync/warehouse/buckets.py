"""Cut the customers into buckets of bounded size, so that memory does not grow with the workspace.

A bucket is a range of email keys, so that each table finds its part by an index instead of being read once a bucket.
"""

from collections.abc import Iterator
from itertools import pairwise

from intercom_sync.warehouse.session import Session, literal

CUSTOMERS_PER_BUCKET = 50_000
_KEYS = {
    "intercom_contacts": "SELECT email_key FROM intercom_contacts WHERE email_key IS NOT NULL",
    "unified_customers": "SELECT lower(email) AS email_key FROM unified_customers WHERE email IS NOT NULL",
}


def buckets(session: Session) -> Iterator[str]:
    """Yield an SQL condition per bucket; in it `{key}` stands for the email key's expression."""
    counts = {table: int(session.value(f"SELECT count(*) FROM {table}")) for table in _KEYS}
    largest = max(counts, key=lambda table: counts[table])
    ranked = f"SELECT email_key, row_number() OVER (ORDER BY email_key) AS n FROM ({_KEYS[largest]}) keys"
    bounds = session.frame(
        f"SELECT email_key FROM ({ranked}) ranked WHERE n % {CUSTOMERS_PER_BUCKET} = 0 ORDER BY email_key"
    )["email_key"].to_list()
    for low, high in pairwise([None, *bounds, None]):
        above = [] if low is None else [f"{{key}} >= {_quoted(low)}"]
        below = [] if high is None else [f"{{key}} < {_quoted(high)}"]
        yield " AND ".join(above + below) or "TRUE"


def _quoted(key: str) -> str:
    return literal(key).replace("{", "{{").replace("}", "}}")
