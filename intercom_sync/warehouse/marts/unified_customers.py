"""Bring `unified_customers`, the values last written, movements, history and alerts up to date in one transaction.

What a row becomes is decided by `domain.customers`, bucket by bucket; the rows that differ are staged and written at
the end, and alerts are decided from the rows as they are then.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

import polars as pl

from intercom_sync.domain.alerts import REPORTED, rows_that_may_alert
from intercom_sync.domain.customers import KEY, build_customers
from intercom_sync.domain.identifiers import ExtractionId
from intercom_sync.domain.movements import REBUILT
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.schema import tables
from intercom_sync.domain.schema.landed_tables import PROFILE_COLUMNS
from intercom_sync.warehouse.marts.customer_rows import stage_rows, write_rows
from intercom_sync.warehouse.marts.history_rows import history_is_empty, stage_history, write_history
from intercom_sync.warehouse.marts.key_ranges import Frames, KeyRanges, key_ranges
from intercom_sync.warehouse.marts.mrr_ledger import (
    LedgerState,
    read_ledger,
    stage_changes,
    write_movements,
)
from intercom_sync.warehouse.marts.row_rejections import Unwritten, keep_refused
from intercom_sync.warehouse.postgres.frames import cast_numeric, column_list, select_list
from intercom_sync.warehouse.postgres.session import Session, literal
from intercom_sync.warehouse.schema.column_caster import column_caster
from intercom_sync.warehouse.schema.column_types import ColumnType, column_types, parsed, reads
from intercom_sync.warehouse.state.runs import SyncRun

_STAGED = ("customer_rows", "last_written", "mrr_changes", "history_changes")
_EVIDENCE = tables.CUSTOMER_LAST_WRITTEN.names
_PROFILE = tuple(column.name for column in PROFILE_COLUMNS)
_STRIPE = select_list(
    tables.REVENUE_METRICS, "r.", *(set(tables.REVENUE_METRICS.names) & set(tables.UNIFIED_CUSTOMERS.names))
)
CONTACTS = (
    "SELECT c.email_key, c.id, c.created_at, c.updated_at, c.name, c.last_seen_at, "
    f"{column_list(_PROFILE, 'c.')}, {_STRIPE}, cardinality(r.currencies) > 1 AS mixed_currencies, "
    "EXISTS (SELECT FROM sync_seen_ids s "
    "WHERE s.extraction_id = {reading} AND s.kind = 'contact' AND s.id = c.id) AS read, "
    "COALESCE(r.rules_hash <> {ledger_rules}, FALSE) AS other_rules "
    "FROM intercom_contacts c LEFT JOIN revenue_metrics r ON r.contact_id = c.id "
    "WHERE c.email_key IS NOT NULL"
)
_SUPPORT = f"SELECT {select_list(tables.SUPPORT_METRICS)} FROM support_metrics WHERE {{bucket}}"
_LAST_WRITTEN = f"SELECT {select_list(tables.CUSTOMER_LAST_WRITTEN)} FROM customer_last_written WHERE {{bucket}}"


@dataclass(frozen=True)
class UpsertResult:
    """What writing the customers did.

    Attributes:
        new: customers created.
        updated: existing customers whose contact the run read.
        quality: sum of the quality scores of both.
        mrr: sum of the MRR of all customers that are not deleted and pay in the workspace's currency.
        customers: how many those are.
        may_alert: the customers whose change may make an alert, as they were before, in several frames.
        unwritten: rows that the table refused.
        movements: MRR movements written.
        ledger_rebuilt: whether the ledger of movements was lost, and begins anew.
    """

    new: int = 0
    updated: int = 0
    quality: int = 0
    mrr: Decimal = Decimal(0)
    customers: int = 0
    may_alert: Sequence[pl.DataFrame] = ()
    unwritten: Sequence[Unwritten] = ()
    movements: int = 0
    ledger_rebuilt: bool = False

    @property
    def average_quality(self) -> float | None:
        """Mean quality score of the customers synced; None when there is none."""
        synced = self.new + self.updated
        return self.quality / synced if synced else None


def lock_tables(session: Session) -> None:
    """Be the only writer of customers and support metrics until the caller's transaction ends, and see one moment.

    The moment is that of the first query after this: what other runs land later is not half seen. A contact and its
    revenue land in one transaction, so both are of that moment.
    """
    session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    for table in ("support_metrics", "unified_customers"):  # one at a time: an error names the table
        session.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")


def rows_query(columns: Mapping[str, ColumnType], condition: str) -> str:
    """Return the query for customers as they are, to be read by `parsed`."""
    return (
        f"SELECT lower(u.email) AS email_key, {reads(columns, 'u.')} FROM unified_customers u "
        f"WHERE u.email IS NOT NULL AND {condition}"
    )


def upsert_customers(
    session: Session, run: SyncRun, extraction_id: ExtractionId, rules: Rules, *, parallel_reads: bool
) -> UpsertResult:
    """Make every customer right at the run's instant; runs inside the caller's transaction.

    Other writers of the table wait until the transaction ends, so that the row before and the row after are what an
    alert says they are. `parallel_reads` is passed to `KeyRanges.iter_prefetched`.
    """
    session.execute(f"DROP TABLE IF EXISTS {column_list(_STAGED, 'pg_temp.')}")
    columns, cut = column_types(session), key_ranges(session)
    cast, ledger, history_begins = column_caster(session, columns), read_ledger(session), history_is_empty(session)
    contacts_of = partial(_contacts, cut=cut, extraction_id=extraction_id, ledger=ledger)
    readers = contacts_of, partial(_others, cut=cut, columns=columns)
    numbers, befores = (0, 0), []
    with cut.iter_prefetched(session, readers, parallel_reads=parallel_reads) as found:
        for contacts, support, rows, writes in found:
            made = build_customers(contacts, support, rows, writes, run.as_of, cast=cast)
            numbers = stage_rows(session, made.rows, *numbers)
            session.append_staged("last_written", made.last_written.select(_EVIDENCE))
            stage_changes(session, made.rows, ledger)
            stage_history(session, made.rows, everything=history_begins)
            befores.append(rows_that_may_alert(made.rows, rules))
    refused = write_rows(session, columns, *numbers, run.as_of)
    unwritten = keep_refused(session, refused, run)
    _note_last_written(session)
    moved = write_movements(session, run, ledger)
    write_history(session, run)
    return replace(
        _tally(session, columns, rules.currency),
        may_alert=befores,
        unwritten=unwritten,
        movements=moved,
        ledger_rebuilt=ledger.opening == REBUILT,
    )


def _contacts(session: Session, cut: KeyRanges, extraction_id: ExtractionId, ledger: LedgerState) -> Iterator[Frames]:
    query = CONTACTS.format(reading=literal(extraction_id), ledger_rules=literal(ledger.rules_hash))
    found = cut.rows(session, query)
    return ((cast_numeric(contacts, tables.REVENUE_METRICS),) for contacts in found)


def _others(session: Session, cut: KeyRanges, columns: Mapping[str, ColumnType]) -> Iterator[Frames]:
    """Yield for each bucket what `build_customers` takes beside the contacts: support, rows and writes."""
    for bucket in cut:
        bucket.bind(session)
        support = session.frame(_SUPPORT.format(bucket=bucket.condition("email_key")))
        rows = session.frame(rows_query(columns, bucket.condition("lower(u.email)")))
        writes = session.frame(_LAST_WRITTEN.format(bucket=bucket.condition("email_key")))
        yield (
            cast_numeric(support, tables.SUPPORT_METRICS),
            parsed(rows, columns),
            cast_numeric(writes, tables.CUSTOMER_LAST_WRITTEN),
        )


def read_written(session: Session, emails: pl.Series) -> pl.DataFrame:
    """Return the customers of some emails that are not deleted, as they are now: `email_key` and what alerts report.

    Runs inside the caller's transaction.
    """
    columns = column_types(session)
    session.stage("may_alert", pl.DataFrame({KEY: emails}))
    found = session.frame(
        f"SELECT m.email_key, {reads(columns, 'u.', *REPORTED)} FROM may_alert m JOIN unified_customers u "
        "ON lower(u.email) = m.email_key WHERE u.intercom_deleted_at IS NULL"
    )
    return parsed(found, columns)


def _tally(session: Session, columns: Mapping[str, ColumnType], currency: str) -> UpsertResult:
    """Count what was written, and what all customers that are not deleted pay; in SQL, whose sums have no bound."""
    counts = session.frame(
        "SELECT count(*) FILTER (WHERE NOT existed) AS new, count(*) FILTER (WHERE existed AND read) AS updated, "
        "COALESCE(sum(quality_score) FILTER (WHERE NOT existed OR read), 0) AS quality FROM customer_rows s "
        "WHERE NOT EXISTS (SELECT FROM unwritten_customers r WHERE r.email_key = s.email_key)"
    ).row(0, named=True)
    mrr, paid_in = columns["mrr"].number("mrr"), columns["currency"].read()
    totals = session.frame(
        "SELECT count(*) AS customers, "
        f"CAST(COALESCE(sum({mrr}) FILTER (WHERE lower(btrim(COALESCE({paid_in}, $1))) = $1), 0) AS text) AS mrr "
        "FROM unified_customers WHERE email IS NOT NULL AND intercom_deleted_at IS NULL",
        currency,
    ).row(0, named=True)
    return UpsertResult(**counts, customers=totals["customers"], mrr=Decimal(totals["mrr"]))


def _note_last_written(session: Session) -> None:
    session.execute(
        f"INSERT INTO customer_last_written ({column_list(_EVIDENCE)}) "
        f"SELECT {column_list(_EVIDENCE)} FROM last_written w "
        "WHERE NOT EXISTS (SELECT FROM unwritten_customers r WHERE r.email_key = w.email_key) "
        f"ON CONFLICT (email_key) DO UPDATE SET {', '.join(f'{c} = EXCLUDED.{c}' for c in _EVIDENCE[1:])}"
    )
