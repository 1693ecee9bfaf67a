"""Cut the customers into buckets of bounded size, so that memory does not grow with the workspace."""

from collections.abc import Iterator

from intercom_sync.warehouse.session import Session

CUSTOMERS_PER_BUCKET = 50_000


def buckets(session: Session) -> Iterator[str]:
    """Yield an SQL condition per bucket; in it `{key}` stands for the email key's expression."""
    count = int(session.value("SELECT count(*) FROM intercom_contacts")) + int(
        session.value("SELECT count(*) FROM unified_customers")
    )
    parts = 1 + count // (2 * CUSTOMERS_PER_BUCKET)
    for part in range(parts):
        yield "TRUE" if parts == 1 else f"mod(abs(hashtext({{key}})::bigint), {parts}) = {part}"
