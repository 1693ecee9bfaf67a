"""Check serializability: concurrent syncs must give the tables of the same syncs in some serial order.

The order depends on the commit times, so each is tried until one gives the same tables.

A full sync lands page by page and deletes contacts last. Another sync may publish in between, so a customer whose
contact is deleted keeps the last published row: from before the full sync, after it, or in between. Only this is
compared per customer; everything else must agree with one order as a whole.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

from intercom_sync.sandbox.faults import overcounted
from intercom_sync.warehouse.schema.migrate import create_schema, prepare
from intercom_sync_tests.survival.reference_run import SchemaPair
from intercom_sync_tests.survival.state import State, differences
from intercom_sync_tests.survival.steps import Order

_TABLES = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = %s AND table_type = 'BASE TABLE'"
_COLUMNS = (
    "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns "
    "WHERE table_schema = %s AND table_name = %s AND is_generated = 'NEVER'"
)
_SEQUENCES = "SELECT sequencename::text, last_value FROM pg_sequences WHERE schemaname = %s AND last_value IS NOT NULL"
_DELETED = "SELECT lower(email) FROM unified_customers WHERE intercom_deleted_at = to_timestamp(%s)"
_LIKELY = 2
"""Orders that are tried before the others: the one given and its reverse."""

_SUPPORT = (
    "intercom_convos_total", "intercom_convos_30d", "open_tickets", "mentioned_cancel", "csat_score", "quality_score",
)  # fmt: skip


def sync_serially(both: SchemaPair, orders: Sequence[Order]) -> dict[str, Any]:
    """Find a serial order that gives the disturbed schema's tables, and return the differences if there is none.

    Afterwards the clean schema is one that agrees. The differences are from the order in which the syncs started.
    """
    found, tried = both.disturbed.tables(), []
    for order in _distinct(orders):
        attempt = _attempt(both, order)
        if not differences(found, attempt.clean.tables()):
            _adopt(both, attempt)
            return {}
        tried.append(attempt.clean.tables())
        _drop(attempt)
        if len(tried) == _LIKELY and _is_mixed(both, orders, found, tried):
            return {}
    return {} if _is_mixed(both, orders, found, tried) else differences(found, tried[0])


def _distinct(orders: Sequence[Order]) -> Iterator[tuple[Order, ...]]:
    """Yield the distinct serial orders, likely ones first; orders that differ only in run ids are yielded once.

    The relevant difference is usually whether a full sync deletes first or last.
    """
    seen = set()
    for order in (tuple(orders), tuple(orders[::-1]), *permutations(orders)):
        kinds = tuple(replace(each, run="") for each in order)
        if kinds not in seen:
            seen.add(kinds)
            yield order


def _is_mixed(both: SchemaPair, orders: Sequence[Order], found: dict[str, Any], tried: list[dict[str, Any]]) -> bool:
    """Return whether an order agrees except on deleted customers, each of which has a row that some sync published."""
    full = [order for order in orders if order.full][:1]
    if not full:
        return False
    both.sandbox.faults.add(overcounted(1), match="POST /contacts/search")  # lands everything and deletes no contact
    landed = _attempt(both, full)
    both.sandbox.faults.clear()
    published = [*tried, landed.clean.tables()]
    _drop(landed)
    deleted = {email for (email,) in both.disturbed.query(_DELETED, orders[0].as_of)}
    if not any(_agrees(found, wanted, published, deleted) for wanted in tried):
        return False
    _adopt(both, _copy(both, both.schemas[0]))
    return True


def _agrees(found: dict[str, Any], wanted: dict[str, Any], published: list[dict[str, Any]], deleted: set[str]) -> bool:
    differing = differences(found, wanted)
    customers = differing.pop("unified_customers", {})
    return not differing and all(
        email in deleted
        and _without_support(is_there) == _without_support(should_be)
        and _support(is_there) in [_support(one["unified_customers"].get(email)) for one in published]
        for email, (is_there, should_be) in customers.items()
    )


def _support(row: Any) -> dict[str, Any]:
    return {name: (row or {}).get(name) for name in _SUPPORT}


def _without_support(row: Any) -> dict[str, Any]:
    return {name: value for name, value in (row or {}).items() if name not in _SUPPORT}


def _attempt(both: SchemaPair, orders: Sequence[Order]) -> SchemaPair:
    attempt = _copy(both, both.schemas[1])
    for each in orders:
        attempt.sync_clean(each)
    return attempt


def _copy(both: SchemaPair, source: str) -> SchemaPair:
    """Return the pair with a copy of a schema as the clean one."""
    target = f"t_{uuid.uuid4().hex[:12]}"
    create_schema(both.url, target)
    prepare(both.url, target)
    for (table,) in both.clean.query(_TABLES, source):
        columns = both.clean.value(_COLUMNS, source, table)
        both.clean.query(
            f"TRUNCATE {target}.{table}; INSERT INTO {target}.{table} ({columns}) OVERRIDING SYSTEM VALUE "
            f"SELECT {columns} FROM {source}.{table}"
        )
    for name, value in both.clean.query(_SEQUENCES, source):
        both.clean.query("SELECT setval(%s::regclass, %s)", f"{target}.{name}", value)
    return replace(both, schemas=(both.schemas[0], target), clean=State(both.url, target))


def _adopt(both: SchemaPair, attempt: SchemaPair) -> None:
    _drop(both)
    both.schemas, both.clean = attempt.schemas, attempt.clean


def _drop(pair: SchemaPair) -> None:
    pair.clean.query(f"DROP SCHEMA {pair.schemas[1]} CASCADE")
    pair.clean.close()
