"""Land contacts with their revenue, and rejected records, by an idempotent upsert in which the newest version wins.

Extractions may overlap, repeat and run in parallel in any order. An older version never replaces a stored one, and for
the same version the later fetch wins. Rows are written in the order of their ids to avoid deadlocks.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import polars as pl

from intercom_sync.domain.contacts import Contact
from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.parse_records import ParsedBatch, RejectedRecord
from intercom_sync.domain.parsing import InvalidRecordError
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.revenue.contact_revenue import Revenue
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.schema import tables
from intercom_sync.domain.schema.columns import Table, Type
from intercom_sync.warehouse.landing import contact_merges
from intercom_sync.warehouse.postgres.frames import attributes, cast_list, column_list, frame_of
from intercom_sync.warehouse.postgres.session import Session

_REJECTED_COLUMNS = tuple(name for name in tables.REJECTED_RECORDS.names if name != "landed_at")


@dataclass(frozen=True)
class LandingContext:
    """The run that lands records, its instant, and the rules that the records are parsed by."""

    run_id: RunId
    as_of: datetime
    rules: Rules


def upsert_sql(table: Table, columns: tuple[str, ...], staged: str, also: str = "") -> str:
    """Return the upsert of staged rows into a landed table.

    A stored row is updated if the staged version is not older and a column differs; `also` assigns more columns then.
    """
    key, rest = column_list(table.key), [c for c in columns if c not in table.key]
    types = {c.name: c.type for c in table.columns}
    comparable = [f"{c}::text" if types[c] is Type.JSON else c for c in rest]
    return (
        f"INSERT INTO {table.name} AS old ({column_list(columns)}) "
        f"SELECT {cast_list(table, columns)} FROM {staged} ORDER BY {key} "
        f"ON CONFLICT ({key}) DO UPDATE SET landed_at = clock_timestamp(){also}, "
        f"{', '.join(f'{c} = EXCLUDED.{c}' for c in rest)} WHERE old.updated_at <= EXCLUDED.updated_at "
        f"AND ({column_list(comparable, 'old.')}) IS DISTINCT FROM ({column_list(comparable, 'EXCLUDED.')})"
    )


_NOT_PARSED = {"payload", "revision", "landed_at"}
PARSED_COLUMNS = tuple(name for name in tables.INTERCOM_CONTACTS.names if name not in _NOT_PARSED)
"""Columns that are attributes of `Contact`."""
COMPUTED_COLUMNS = tuple(
    name for name in tables.REVENUE_METRICS.names if name not in {"contact_id", "revision", "rules_hash"}
)
"""Columns of `revenue_metrics` that are attributes of `Revenue`."""


def upsert_revenue_sql(select: str) -> str:
    """Return the statement that writes revenue: contact, `COMPUTED_COLUMNS`, revision and rules, as selected."""
    rest = (*COMPUTED_COLUMNS, "revision", "rules_hash")
    return (
        f"INSERT INTO revenue_metrics (contact_id, {column_list(rest)}) {select} "
        f"ON CONFLICT (contact_id) DO UPDATE SET {', '.join(f'{c} = EXCLUDED.{c}' for c in rest)}"
    )


_UPSERT_CONTACTS = upsert_sql(
    tables.INTERCOM_CONTACTS,
    (*PARSED_COLUMNS, "payload"),
    "landing_contact",
    ", revision = nextval('intercom_revision')",
)
_LAND_CONTACTS = f"WITH landed AS ({_UPSERT_CONTACTS} RETURNING id, revision) " + upsert_revenue_sql(
    f"SELECT s.id, {cast_list(tables.REVENUE_METRICS, COMPUTED_COLUMNS, 's.')}, l.revision, $1 "
    "FROM landed l JOIN landing_contact s ON s.id = l.id ORDER BY s.id"
)


def landing_lock(session: Session, kind: RecordKind) -> None:
    """Lock the landing of one kind of record among all runs until the transaction ends; landing takes milliseconds.

    Parallel landings would lock the same rows in different orders and deadlock.
    """
    session.value(
        f"SELECT pg_advisory_xact_lock(hashtext('intercom_sync.land'), hashtext(current_schema() || '.{kind}'))::text"
    )


def land_contacts(session: Session, batch: ParsedBatch[Contact], landing: LandingContext) -> None:
    """Land a parsed batch of contacts, with the revenue of those that changed. Runs inside the caller's transaction."""
    landing_lock(session, RecordKind.CONTACT)
    refuse_unstorable(session, batch)
    revenue = revenue_frame([contact for contact, _ in batch.valid.values()])
    session.stage("landing_contact", contact_frame(list(batch.valid.values())).hstack(revenue))
    session.execute(_LAND_CONTACTS, landing.rules.contact_rules_hash())
    contact_merges.record(session, {source: one.id for one, _ in batch.valid.values() for source in one.merged_ids})
    upsert_rejected(session, RecordKind.CONTACT, batch, landing)


def contact_frame(valid: Collection[tuple[Contact, str]]) -> pl.DataFrame:
    """Return contacts and their JSON as a frame of `intercom_contacts`."""
    values = attributes([contact for contact, _ in valid], PARSED_COLUMNS)
    values["payload"] = [payload for _, payload in valid]
    return frame_of(tables.INTERCOM_CONTACTS, values)


def revenue_frame(contacts: Collection[Contact]) -> pl.DataFrame:
    """Return what contacts pay as a frame of `COMPUTED_COLUMNS`."""
    return frame_of(tables.REVENUE_METRICS, attributes([contact.revenue for contact in contacts], COMPUTED_COLUMNS))


def refuse_unstorable(session: Session, batch: ParsedBatch[Contact]) -> None:
    """Reject contacts with a character that the encoding lacks in a value for `unified_customers`."""
    codec = session.codec
    if codec is None:
        return
    for id, (contact, payload) in list(batch.valid.items()):
        values = {**_texts(contact), **_texts(contact.revenue)}
        field = next((name for name, value in values.items() if codec.lacks(value)), None)
        if field:
            reason = f"text that the database's encoding {codec.encoding} cannot hold"
            del batch.valid[id]
            batch.rejected[id] = RejectedRecord(
                id, contact.updated_at, InvalidRecordError(reason, field, values[field]), payload
            )


def _texts(record: Contact | Revenue) -> dict[str, str]:
    values = ((field.name, getattr(record, field.name)) for field in fields(record))
    return {name: value for name, value in values if isinstance(value, str)}


def upsert_rejected(session: Session, kind: RecordKind, batch: ParsedBatch[Any], landing: LandingContext) -> None:
    """Upsert the rejected records of a batch, and delete stored rejections of records that are valid now.

    Expects the valid records staged as `landing_<kind>`. A newer stored rejection is kept.
    """
    landing_lock(session, kind)
    staged, landed = f"landing_{kind}", kind.table.name
    session.execute(
        f"DELETE FROM rejected_records r USING {staged} s "
        f"WHERE r.kind = '{kind}' AND r.id = s.id AND (r.updated_at IS NULL OR r.updated_at <= s.updated_at)"
    )
    if not batch.rejected:
        return
    session.stage("landing_refused", _rejected_frame(kind, batch, landing))
    session.execute(
        f"INSERT INTO rejected_records AS old ({column_list(_REJECTED_COLUMNS)}) "
        f"SELECT {cast_list(tables.REJECTED_RECORDS, _REJECTED_COLUMNS, 's.')} "
        f"FROM landing_refused s LEFT JOIN {landed} l ON l.id = s.id "
        "WHERE s.updated_at IS NULL OR l.id IS NULL OR l.updated_at <= s.updated_at ORDER BY s.id "
        "ON CONFLICT (kind, id) DO UPDATE SET landed_at = clock_timestamp(), "
        f"{', '.join(f'{c} = EXCLUDED.{c}' for c in _REJECTED_COLUMNS)} "
        "WHERE (old.updated_at IS NULL OR EXCLUDED.updated_at IS NULL OR old.updated_at <= EXCLUDED.updated_at) "
        "AND (old.reason, old.field, old.payload::text, old.rules_hash, old.updated_at) IS DISTINCT FROM "
        "(EXCLUDED.reason, EXCLUDED.field, EXCLUDED.payload::text, EXCLUDED.rules_hash, EXCLUDED.updated_at)"
    )


def _rejected_frame(kind: RecordKind, batch: ParsedBatch[Any], landing: LandingContext) -> pl.DataFrame:
    # Only contacts are validated again from their JSON. A conversation's JSON would keep messages beyond retention.
    keep_payload = kind is RecordKind.CONTACT
    rejected = batch.rejected.values()
    values: dict[str, Iterable[object]] = {
        "id": [one.id for one in rejected],
        "reason": [one.error.reason for one in rejected],
        "field": [one.error.field for one in rejected],
        "value": [one.value() for one in rejected],
        "updated_at": [one.updated_at for one in rejected],
        "payload": [one.payload if keep_payload else None for one in rejected],
    }
    return frame_of(tables.REJECTED_RECORDS, values).with_columns(
        kind=pl.lit(kind.value),
        rules_hash=pl.lit(landing.rules.contact_rules_hash()),
        run=pl.lit(landing.run_id),
        time=pl.lit(landing.as_of),
    )
