"""Write `unified_customers`, the evidence of what was written, and the alerts: all of a run in one transaction.

What a row shall be is decided by `domain.customers`, bucket by bucket; the rows that differ are staged, and one
statement each updates and inserts them. `INSERT … ON CONFLICT` would not do for the existing rows: Postgres checks a
row's required columns before it sees the conflict, and other systems' tables have required columns of their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

import polars as pl

from intercom_sync.domain import tables
from intercom_sync.domain.alerts import decide_alerts
from intercom_sync.domain.customers import DATA, KEY, Unified, unify
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.schema import Type
from intercom_sync.warehouse import outbox
from intercom_sync.warehouse.buckets import Buckets, Frames, buckets
from intercom_sync.warehouse.fitting import table_fit
from intercom_sync.warehouse.frames import listing, selected, typed
from intercom_sync.warehouse.runs import SyncRun
from intercom_sync.warehouse.session import Session, literal
from intercom_sync.warehouse.statistics import analyze

_ALERTING = ("mrr", "currency", "mentioned_cancel", "is_delinquent")
_ALERT_AFTER = (
    *_ALERTING,
    "name",
    "plan_name",
    "last_payment_amount",
    "last_payment_date",
    "stripe_customer_id",
    "mixed_currencies",
)
_WRITTEN = tuple(name for name in DATA if name != "email")
_EVIDENCE = tables.CUSTOMER_WRITES.names
_TYPES = {column.name: column.type for column in tables.UNIFIED_CUSTOMERS.columns}
_NUMBERS = tuple(name for name in DATA if _TYPES[name] is Type.NUMERIC)
_STRIPE = selected(tables.REVENUE_METRICS, "r.", *(set(tables.REVENUE_METRICS.names) & set(DATA)))
CONTACTS = (
    "SELECT c.email_key, c.id, c.created_at, c.updated_at, c.external_id, c.name, c.location_country, c.location_city, "
    f"c.last_seen_at, {_STRIPE}, cardinality(r.currencies) > 1 AS mixed_currencies, "
    "EXISTS (SELECT FROM sync_reads s "
    "WHERE s.reading = {reading} AND s.kind = 'contact' AND s.id = c.id) AS read "
    "FROM intercom_contacts c LEFT JOIN revenue_metrics r ON r.contact_id = c.id "
    "WHERE c.email_key IS NOT NULL"
)
ROWS = (
    f"SELECT lower(u.email) AS email_key, {selected(tables.UNIFIED_CUSTOMERS, 'u.')} FROM unified_customers u "
    "WHERE u.email IS NOT NULL AND {bucket}"
)
_SUPPORT = f"SELECT {selected(tables.SUPPORT_METRICS)} FROM support_metrics WHERE {{bucket}}"
_WRITES = f"SELECT {selected(tables.CUSTOMER_WRITES)} FROM customer_writes WHERE {{bucket}}"


@dataclass(frozen=True)
class Upserted:
    """What writing the customers did.

    Attributes:
        new: customers created.
        updated: existing customers whose contact the run read.
        quality: sum of the quality scores of both.
        mrr: sum of the MRR of all customers that are not deleted and pay in the workspace's currency.
        customers: how many those are.
        alerts: alerts decided.
    """

    new: int = 0
    updated: int = 0
    quality: int = 0
    mrr: Decimal = Decimal(0)
    customers: int = 0
    alerts: int = 0

    @property
    def average_quality(self) -> float | None:
        """Mean quality score of the customers synced; None when there is none."""
        synced = self.new + self.updated
        return self.quality / synced if synced else None


def hold(session: Session) -> None:
    """Be the only one that writes customers and their metrics until the caller's transaction ends, and see one moment.

    The moment is that of the first query after this: what other runs land later is not half seen.
    """
    session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    for table in ("revenue_metrics", "support_metrics", "unified_customers"):  # one at a time: an error names the table
        session.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")


def upsert_customers(session: Session, run: SyncRun, reading: str, rules: Rules, *, beside: bool) -> Upserted:
    """Make every customer right at the run's instant; runs inside the caller's transaction.

    Other writers of the table wait until the transaction ends, so that the row before and the row after are what an
    alert says they are. `beside` says whether a session beside may read what it is made of, as in `Buckets.each`.
    """
    session.execute("DROP TABLE IF EXISTS pg_temp.customer_rows, pg_temp.customer_evidence")
    done, fit, cut = Upserted(), table_fit(session), buckets(session)
    readers = partial(_contacts, cut=cut, reading=reading), partial(_others, cut=cut)
    with cut.each(session, readers, beside=beside) as found:
        for contacts, support, rows, writes in found:
            made = unify(contacts, support, rows, writes, run.as_of, fit=fit)
            alerts = decide_alerts(_transitions(made.rows), rules)
            _stage(session, made)
            outbox.put(session, alerts, run, rules)
            done = _tally(done, made.rows, alerts.height, rules.currency)
    analyze(
        session, "customer_rows (email_key, existed, changed)", "customer_evidence (email_key)", rows=done.customers
    )
    _write(session, run)
    return done


def _stage(session: Session, made: Unified) -> None:
    news = made.rows.filter(pl.col("changed") | pl.col("read"))
    session.stage_more("customer_rows", news.select(KEY, "existed", "changed", *DATA, *(f"row_{c}" for c in _NUMBERS)))
    session.stage_more("customer_evidence", made.evidence.select(_EVIDENCE))


def _contacts(session: Session, cut: Buckets, reading: str) -> Iterator[Frames]:
    found = cut.rows(session, CONTACTS.format(reading=literal(reading)))
    return ((typed(contacts, tables.REVENUE_METRICS),) for contacts in found)


def _others(session: Session, cut: Buckets) -> Iterator[Frames]:
    """Yield for each bucket what `unify` takes beside the contacts: support, rows and writes."""
    for bucket in cut:
        bucket.bind(session)
        support = session.frame(_SUPPORT.format(bucket=bucket.holds("email_key")))
        rows = session.frame(ROWS.format(bucket=bucket.holds("lower(u.email)")))
        writes = session.frame(_WRITES.format(bucket=bucket.holds("email_key")))
        yield (
            typed(support, tables.SUPPORT_METRICS),
            typed(rows, tables.UNIFIED_CUSTOMERS),
            typed(writes, tables.CUSTOMER_WRITES),
        )


def _transitions(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter("changed").select(
        KEY,
        "existed",
        *(pl.col(f"row_{c}").alias(f"before_{c}") for c in _ALERTING),
        *(pl.col(c).alias(f"after_{c}") for c in _ALERT_AFTER),
    )


def _tally(done: Upserted, rows: pl.DataFrame, alerts: int, currency: str) -> Upserted:
    created = rows.filter(~pl.col("existed"))
    updated = rows.filter(pl.col("existed") & pl.col("read"))
    living = rows.filter(pl.col("intercom_deleted_at").is_null())
    return replace(
        done,
        new=done.new + created.height,
        updated=done.updated + updated.height,
        quality=done.quality + sum(created["quality_score"]) + sum(updated["quality_score"]),
        mrr=done.mrr + Decimal(living.filter(pl.col("currency").fill_null(currency) == currency)["mrr"].sum() or 0),
        customers=done.customers + living.height,
        alerts=done.alerts + alerts,
    )


def _write(session: Session, run: SyncRun) -> None:
    cast = {name: f"CAST(s.{name} AS {_TYPES[name]})" for name in DATA}
    # A number that stays is not written: another system's may have more decimals than ours.
    kept = {c: f"CASE WHEN s.{c} IS NOT DISTINCT FROM s.row_{c} THEN u.{c} ELSE {cast[c]} END" for c in _NUMBERS}
    values = cast | kept
    session.execute(
        f"UPDATE unified_customers u SET {', '.join(f'{c} = {values[c]}' for c in _WRITTEN)}, last_intercom_sync = $1 "
        "FROM customer_rows s WHERE s.existed AND s.changed AND lower(u.email) = s.email_key",
        run.as_of,
    )
    session.execute(
        "UPDATE unified_customers u SET last_intercom_sync = $1 "
        "FROM customer_rows s WHERE s.existed AND NOT s.changed AND lower(u.email) = s.email_key",
        run.as_of,
    )
    session.execute(
        f"INSERT INTO unified_customers ({listing(DATA)}, last_intercom_sync) "
        f"SELECT {', '.join(cast.values())}, $1 FROM customer_rows s WHERE NOT s.existed ORDER BY s.email_key",
        run.as_of,
    )
    session.execute(
        f"INSERT INTO customer_writes ({listing(_EVIDENCE)}) SELECT {listing(_EVIDENCE)} FROM customer_evidence "
        f"ON CONFLICT (email_key) DO UPDATE SET {', '.join(f'{c} = EXCLUDED.{c}' for c in _EVIDENCE[1:])}"
    )
