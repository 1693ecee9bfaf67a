"""Support metrics of several buckets, read by one session alone, as in a sync that overlaps others."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from intercom_sync.warehouse.marts import key_ranges
from intercom_sync.warehouse.marts.support_metrics import refresh_support_in_transaction
from intercom_sync.warehouse.postgres.session import Session

_CONTACTS = (
    "INSERT INTO intercom_contacts (id, email, created_at, updated_at, payload) "
    "SELECT 'c' || i, 'u' || i || '@example.com', now(), now(), '{}'::json FROM generate_series(1, 9) i"
)
_CONVERSATIONS = (
    "INSERT INTO intercom_conversations (id, created_at, updated_at, open, contact_ids, parts_pending) "
    "SELECT 'v' || i, now(), now(), TRUE, array['c' || i], FALSE FROM generate_series(1, 9) i"
)


def test_every_bucket_is_counted(connect: Callable[[], Session], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_ranges, "CUSTOMERS_PER_RANGE", 2)
    monkeypatch.setattr(key_ranges, "_BATCH_ROWS", 1)
    with connect() as session:
        with session.transaction():
            session.execute(_CONTACTS)
            session.execute(_CONVERSATIONS)
            session.execute("INSERT INTO contact_merges (source_id, contact_id) VALUES ('c99', 'c1')")
        with session.transaction():
            assert refresh_support_in_transaction(session, datetime.now(UTC), parallel_reads=False) == 9
