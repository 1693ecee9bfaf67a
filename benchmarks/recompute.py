"""Recompute and upsert of a large workspace, compared with one read of it and a copy of the changed rows."""

import time
from datetime import UTC, datetime, timedelta

from benchmarks.database import fresh
from benchmarks.row import Row
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.window import Window
from intercom_sync.pipeline.compute import compute_revenue, compute_support
from intercom_sync.pipeline.publish import publish_customers
from intercom_sync.pipeline.run_plan import RunRequest, plan_run
from intercom_sync.warehouse.marts import unified_customers
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.schema.column_types import column_types
from intercom_sync.warehouse.state import runs

_NOW = datetime(2026, 6, 1, tzinfo=UTC)
_STEP = timedelta(hours=6)
_PAYLOAD = (
    "json_build_object('id', 'c' || i, 'email', 'user' || i || '@example.com', 'created_at', 1700000000 + i, "
    "'updated_at', 1700000000 + i, 'custom_attributes', json_build_object('stripe_id', 'cus_' || i, "
    "'stripe_subscription_status', 'active', 'Stripe Subscriptions', json_build_array(json_build_object("
    "'status', 'active', 'plan', json_build_object('amount', 1000 + i, 'interval', 'month'))), 'Stripe Payments', "
    "json_build_array(json_build_object('amount', 2000, 'status', 'succeeded', 'created', 1700000000))))"
)
_CONTACTS = (
    "INSERT INTO intercom_contacts (id, email, role, name, location_country, created_at, updated_at, last_seen_at, "
    "payload) SELECT 'c' || i, 'user' || i || '@example.com', 'user', 'Name ' || i, 'Ireland', "
    "to_timestamp(1700000000 + i), to_timestamp(1700000000 + i), "
    f"to_timestamp({int(_NOW.timestamp())} - (i * 7919::bigint) % 5000000), {_PAYLOAD} FROM generate_series(1, {{n}}) i"
)
_CONVERSATIONS = (
    "INSERT INTO intercom_conversations (id, created_at, updated_at, open, contact_ids, rating, parts_pending) "
    f"SELECT 'v' || i, to_timestamp({int(_NOW.timestamp())} - (i * 7919::bigint) % 30000000), "
    f"to_timestamp({int(_NOW.timestamp())}), i % 7 = 0, array['c' || (1 + (i * 31::bigint) % {{n}})], "
    "CASE WHEN i % 5 = 0 THEN 1 + i % 5 END, FALSE FROM generate_series(1, 2 * {n}) i"
)


def rows(scale: float, repeat: int) -> list[Row]:
    """Measure the suite."""
    count = max(10_000, int(1_000_000 * scale))
    ours, floor = [], []
    with fresh()() as session:
        _populate(session, count)
        for step in range(1, repeat + 1):
            instant = _NOW + step * _STEP
            with session.transaction():
                session.execute(
                    "UPDATE intercom_contacts SET name = name || 'x', revision = nextval('intercom_revision') "
                    f"WHERE abs(hashtext(id || '{step}')) % 1000 = 0"
                )
            floor.append(_floor(session, instant))
            ours.append(_sync(session, instant))
    what = f"recompute and upsert, {count:,} customers, {2 * count:,} conversations, 0.1 % of the contacts changed"
    return [Row(what, tuple(ours), tuple(floor), "s", 3)]


def _populate(session: Session, count: int) -> None:
    with session.transaction():
        session.execute(_CONTACTS.format(n=count))
        session.execute(_CONVERSATIONS.format(n=count))
    with session.transaction():
        session.execute("ANALYZE")
    _sync(session, _NOW)
    with session.transaction():
        session.execute("ANALYZE")


def _sync(session: Session, instant: datetime) -> float:
    run = plan_run(str(instant), RunRequest(as_of=instant), Window(instant - _STEP, instant), None, instant)
    runs.start(session, run)
    began = time.perf_counter()
    compute_revenue(session, run, Rules())
    compute_support(session, run, Rules())
    publish_customers(session, run, Rules(), lambda: instant)
    return time.perf_counter() - began


def _floor(session: Session, instant: datetime) -> float:
    """Read the columns that the recompute needs once, and copy the changed rows."""
    older = (
        f"floor(extract(epoch FROM timestamptz '{instant.isoformat()}' - u.last_seen_at) / 86400) > u.days_since_seen"
    )
    with session.transaction():
        columns = column_types(session)
        changed = session.frame(unified_customers.rows_query(columns, older))
        began = time.perf_counter()
        session.frame(unified_customers.CONTACTS.format(extraction="''", ledger_rules="''"))
        session.frame(unified_customers.rows_query(columns, "TRUE"))
        session.frame("SELECT id, created_at, open, contact_ids, rating, rating_contact_id FROM intercom_conversations")
        session.stage("floor", changed)
        return time.perf_counter() - began
