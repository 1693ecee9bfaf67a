"""Upsert `unified_customers` with the last written values, MRR movements and history, in one transaction.

`domain.customers` computes the rows, one key range after another. The rows that differ are staged and written at the
end; alerts are then decided from the written rows.
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
from intercom_sync.warehouse.marts.row_rejections import Unwritten, store_rejected_rows
from intercom_sync.warehouse.postgres.frames import cast_numeric, column_list, select_list
from intercom_sync.warehouse.postgres.session import Session, literal
from intercom_sync.warehouse.schema.column_caster import column_caster
from intercom_sync.warehouse.schema.column_types import ColumnType, column_types, parsed, reads
from intercom_sync.warehouse.state.runs import SyncRun

_STAGED = ("customer_rows", "last_written", "mrr_changes", "history_changes")
_LAST_WRITTEN_COLUMNS = tables.CUSTOMER_LAST_WRITTEN.names
_PROFILE = tuple(column.name for column in PROFILE_COLUMNS)
_STRIPE = select_list(
    tables.REVENUE_METRICS, "r.", *(set(tables.REVENUE_METRICS.names) & set(tables.UNIFIED_CUSTOMERS.names))
)
CONTACTS = (
    "SELECT c.email_key, c.id, c.created_at, c.updated_at, c.name, c.last_seen_at, "
    f"{column_list(_PROFILE, 'c.')}, {_STRIPE}, cardinality(r.currencies) > 1 AS mixed_currencies, "
    "EXISTS (SELECT FROM sync_seen_ids s "
    "WHERE s.extraction_id = {extraction} AND s.kind = 'contact' AND s.id = c.id) AS read, "
    "COALESCE(r.rules_hash <> {ledger_rules}, FALSE) AS other_rules "
    "FROM intercom_contacts c LEFT JOIN revenue_metrics r ON r.contact_id = c.id "
    "WHERE c.email_key IS NOT NULL"
)
_SUPPORT = f"SELECT {select_list(tables.SUPPORT_METRICS)} FROM support_metrics WHERE {{condition}}"
_LAST_WRITTEN = f"SELECT {select_list(tables.CUSTOMER_LAST_WRITTEN)} FROM customer_last_written WHERE {{condition}}"


@dataclass(frozen=True)
class UpsertResult:
    """Count what an upsert of the customers wrote.

    Attributes:
        new: number of customers created.
        updated: number of existing customers whose contact the run read.
        quality: sum of the quality scores of new and updated customers.
        mrr: sum of the MRR of all customers that are not deleted and pay in the workspace's currency.
        customers: number of customers that are not deleted.
        may_alert: customers whose change may cause an alert, with their previous values, one frame per key range.
        unwritten: rows that the table rejected.
        movements: number of MRR movements written.
        ledger_rebuilt: whether the ledger of movements was lost and starts again.
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
        """Return the mean quality score of the new and updated customers; None if there are none."""
        synced = self.new + self.updated
        return self.quality / synced if synced else None


def lock_tables(session: Session) -> None:
    """Lock customers and support metrics against other writers, and read one snapshot until the transaction ends.

    The first query after this call takes the snapshot, so records that other runs land later are not visible. A
    contact and its revenue land in one transaction, so the snapshot has both or neither.

    Args:
        session: the session of the caller's transaction, which has run no query yet.
    """
    session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    for table in ("support_metrics", "unified_customers"):  # one at a time: an error names the table
        session.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")


def rows_query(columns: Mapping[str, ColumnType], condition: str) -> str:
    """Return the query for the current customers, whose result `parsed` converts.

    Args:
        columns: the column types of `unified_customers`.
        condition: SQL condition on a row `u`.
    """
    return (
        f"SELECT lower(u.email) AS email_key, {reads(columns, 'u.')} FROM unified_customers u "
        f"WHERE u.email IS NOT NULL AND {condition}"
    )


def upsert_customers(
    session: Session, run: SyncRun, extraction_id: ExtractionId, rules: Rules, *, parallel_reads: bool
) -> UpsertResult:
    """Upsert every customer as of the run's instant; runs inside the caller's transaction.

    `lock_tables` has locked the table against other writers, so an alert reports the values before and after exactly.

    Args:
        session: the session of the transaction.
        run: the run.
        extraction_id: the extraction whose seen ids show which contacts the run read.
        rules: the rules of the workspace.
        parallel_reads: whether parallel sessions may prefetch, see `KeyRanges.iter_prefetched`.

    Returns:
        The counts, and the customers that may cause an alert.
    """
    session.execute(f"DROP TABLE IF EXISTS {column_list(_STAGED, 'pg_temp.')}")
    columns, ranges = column_types(session), key_ranges(session)
    cast, ledger, history_begins = column_caster(session, columns), read_ledger(session), history_is_empty(session)
    read_contacts = partial(_read_contacts, ranges=ranges, extraction_id=extraction_id, ledger=ledger)
    readers = read_contacts, partial(_read_other_inputs, ranges=ranges, columns=columns)
    staged_counts, may_alert = (0, 0), []
    with ranges.iter_prefetched(session, readers, parallel_reads=parallel_reads) as inputs:
        for contacts, support, rows, last_written in inputs:
            customers = build_customers(contacts, support, rows, last_written, run.as_of, cast=cast)
            staged_counts = stage_rows(session, customers.rows, *staged_counts)
            session.append_staged("last_written", customers.last_written.select(_LAST_WRITTEN_COLUMNS))
            stage_changes(session, customers.rows, ledger)
            stage_history(session, customers.rows, everything=history_begins)
            may_alert.append(rows_that_may_alert(customers.rows, rules))
    rejected = write_rows(session, columns, *staged_counts, run.as_of)
    unwritten = store_rejected_rows(session, rejected, run)
    _upsert_last_written(session)
    movements = write_movements(session, run, ledger)
    write_history(session, run)
    return replace(
        _count_written(session, columns, rules.currency),
        may_alert=may_alert,
        unwritten=unwritten,
        movements=movements,
        ledger_rebuilt=ledger.opening == REBUILT,
    )


def _read_contacts(
    session: Session, ranges: KeyRanges, extraction_id: ExtractionId, ledger: LedgerState
) -> Iterator[Frames]:
    query = CONTACTS.format(extraction=literal(extraction_id), ledger_rules=literal(ledger.rules_hash))
    frames = ranges.rows(session, query)
    return ((cast_numeric(contacts, tables.REVENUE_METRICS),) for contacts in frames)


def _read_other_inputs(session: Session, ranges: KeyRanges, columns: Mapping[str, ColumnType]) -> Iterator[Frames]:
    """Yield the other inputs of `build_customers` by key range: support metrics, rows and last written values."""
    for key_range in ranges:
        key_range.bind(session)
        support = session.frame(_SUPPORT.format(condition=key_range.condition("email_key")))
        rows = session.frame(rows_query(columns, key_range.condition("lower(u.email)")))
        last_written = session.frame(_LAST_WRITTEN.format(condition=key_range.condition("email_key")))
        yield (
            cast_numeric(support, tables.SUPPORT_METRICS),
            parsed(rows, columns),
            cast_numeric(last_written, tables.CUSTOMER_LAST_WRITTEN),
        )


def read_written(session: Session, emails: pl.Series) -> pl.DataFrame:
    """Read the customers of some emails after the upsert; runs inside the caller's transaction.

    Args:
        session: the session of the transaction.
        emails: email keys.

    Returns:
        `email_key` and the columns that alerts report, of the customers that are not deleted.
    """
    columns = column_types(session)
    session.stage("may_alert", pl.DataFrame({KEY: emails}))
    written = session.frame(
        f"SELECT m.email_key, {reads(columns, 'u.', *REPORTED)} FROM may_alert m JOIN unified_customers u "
        "ON lower(u.email) = m.email_key WHERE u.intercom_deleted_at IS NULL"
    )
    return parsed(written, columns)


def _count_written(session: Session, columns: Mapping[str, ColumnType], currency: str) -> UpsertResult:
    """Count the written customers, and sum the MRR of all that are not deleted; SQL sums do not overflow."""
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


def _upsert_last_written(session: Session) -> None:
    session.execute(
        f"INSERT INTO customer_last_written ({column_list(_LAST_WRITTEN_COLUMNS)}) "
        f"SELECT {column_list(_LAST_WRITTEN_COLUMNS)} FROM last_written w "
        "WHERE NOT EXISTS (SELECT FROM unwritten_customers r WHERE r.email_key = w.email_key) "
        f"ON CONFLICT (email_key) DO UPDATE SET {', '.join(f'{c} = EXCLUDED.{c}' for c in _LAST_WRITTEN_COLUMNS[1:])}"
    )
