"""Land contacts and refused records: upsert by id, the newest version wins.

Readings may overlap, repeat and run side by side in any order: a record older than the one stored never replaces it,
and at the same version the later fetch wins. Rows are written in the order of their ids, so that two landings never
wait for each other in a circle.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from intercom_sync.domain.contacts import Contact
from intercom_sync.domain.parse_records import ParsedBatch, RejectedRecord
from intercom_sync.domain.parsing import InvalidRecordError
from intercom_sync.domain.schema import tables
from intercom_sync.domain.schema.columns import Table, Type
from intercom_sync.warehouse.landing import contact_merges
from intercom_sync.warehouse.postgres.frames import column_list, frame_of
from intercom_sync.warehouse.postgres.session import Session

_REFUSED = tuple(name for name in tables.REJECTED_RECORDS.names if name not in {"run", "time", "landed_at"})


@dataclass(frozen=True)
class LandingContext:
    """What a landing notes beside refused records: the run, its instant, and the rules they were judged by."""

    run_id: str
    as_of: datetime
    rules_hash: str


def upsert_sql(table: Table, columns: tuple[str, ...], staged: str, also: str = "") -> str:
    """Return the statement that lands the staged rows of a landed table.

    A row is written when its version is at least the stored one and something in it differs; `also` assigns further
    columns then.
    """
    key, rest = column_list(table.key), [c for c in columns if c not in table.key]
    types = {c.name: c.type for c in table.columns}
    comparable = [f"{c}::text" if types[c] is Type.JSON else c for c in rest]
    return (
        f"INSERT INTO {table.name} AS old ({column_list(columns)}) "
        f"SELECT {', '.join(f'CAST({c} AS {types[c]})' for c in columns)} FROM {staged} ORDER BY {key} "
        f"ON CONFLICT ({key}) DO UPDATE SET landed_at = clock_timestamp(){also}, "
        f"{', '.join(f'{c} = EXCLUDED.{c}' for c in rest)} WHERE old.updated_at <= EXCLUDED.updated_at "
        f"AND ({column_list(comparable, 'old.')}) IS DISTINCT FROM ({column_list(comparable, 'EXCLUDED.')})"
    )


CONTACT_COLUMNS = tuple(name for name in tables.INTERCOM_CONTACTS.names if name not in {"revision", "landed_at"})
_LAND_CONTACTS = upsert_sql(
    tables.INTERCOM_CONTACTS, CONTACT_COLUMNS, "landing_contact", ", revision = nextval('intercom_revision')"
)


def landing_lock(session: Session, kind: str) -> None:
    """Land one kind of record in one transaction at a time, among all runs: a landing takes milliseconds.

    Side by side two landings would take the same rows in different orders, and wait for each other in a circle.
    """
    session.value(
        f"SELECT pg_advisory_xact_lock(hashtext('intercom_sync.land'), hashtext(current_schema() || '.{kind}'))::text"
    )


def land_contacts(session: Session, sifted: ParsedBatch[Contact], landing: LandingContext) -> None:
    """Land sifted contacts; runs inside the caller's transaction."""
    landing_lock(session, "contact")
    refuse_unstorable(session, sifted)
    rows = [(*contact[: len(CONTACT_COLUMNS) - 1], payload) for contact, payload in sifted.valid.values()]
    session.stage("landing_contact", frame_of(tables.INTERCOM_CONTACTS, CONTACT_COLUMNS, rows))
    session.execute(_LAND_CONTACTS)
    contact_merges.record(session, {source: one.id for one, _ in sifted.valid.values() for source in one.merged_ids})
    upsert_rejected(session, "contact", sifted, landing)


def refuse_unstorable(session: Session, sifted: ParsedBatch[Contact]) -> None:
    """Refuse contacts with a character that the database's encoding lacks in what `unified_customers` shows."""
    codec = session.codec
    if codec is None:
        return
    for id, (contact, payload) in list(sifted.valid.items()):
        shown = {**contact._asdict(), **contact.revenue._asdict()}
        field = next((name for name, value in shown.items() if isinstance(value, str) and codec.lacks(value)), None)
        if field:
            reason = f"text that the database's encoding {codec.encoding} cannot hold"
            del sifted.valid[id]
            sifted.rejected[id] = RejectedRecord(
                id, contact.updated_at, InvalidRecordError(reason, field, shown[field]), payload
            )


def upsert_rejected(session: Session, kind: str, sifted: ParsedBatch[Any], stamp: LandingContext) -> None:
    """Keep the refused records, and let go of those that came in usable form and at least as new.

    Expects the usable ones staged as `landing_<kind>`.
    """
    landing_lock(session, kind)
    staged, landed = f"landing_{kind}", f"intercom_{kind}s"
    session.execute(
        f"DELETE FROM rejected_records r USING {staged} s "
        f"WHERE r.kind = '{kind}' AND r.id = s.id AND (r.updated_at IS NULL OR r.updated_at <= s.updated_at)"
    )
    if not sifted.rejected:
        return
    session.stage("landing_refused", _refused_frame(kind, sifted, stamp))
    columns = (*_REFUSED, "run", "time")
    session.execute(
        f"INSERT INTO rejected_records AS old ({column_list(columns)}) "
        "SELECT s.kind, s.id, s.reason, s.field, s.value::json, s.updated_at, s.payload::json, s.rules_hash, "
        f"s.run, s.time FROM landing_refused s LEFT JOIN {landed} l ON l.id = s.id "
        "WHERE s.updated_at IS NULL OR l.id IS NULL OR l.updated_at <= s.updated_at ORDER BY s.id "
        "ON CONFLICT (kind, id) DO UPDATE SET landed_at = clock_timestamp(), "
        f"{', '.join(f'{c} = EXCLUDED.{c}' for c in columns)} "
        "WHERE (old.updated_at IS NULL OR EXCLUDED.updated_at IS NULL OR old.updated_at <= EXCLUDED.updated_at) "
        "AND (old.reason, old.field, old.payload::text, old.rules_hash, old.updated_at) IS DISTINCT FROM "
        "(EXCLUDED.reason, EXCLUDED.field, EXCLUDED.payload::text, EXCLUDED.rules_hash, EXCLUDED.updated_at)"
    )


def _refused_frame(kind: str, sifted: ParsedBatch[Any], stamp: LandingContext) -> pl.DataFrame:
    # Only contacts are judged again; a conversation's JSON would keep what people wrote for ever.
    whole = kind == "contact"
    rows = [
        (
            *(kind, bad.id, bad.error.reason, bad.error.field, bad.value(), bad.updated_at),
            *(bad.payload if whole else None, stamp.rules_hash),
        )
        for bad in sifted.rejected.values()
    ]
    return frame_of(tables.REJECTED_RECORDS, _REFUSED, rows).with_columns(
        run=pl.lit(stamp.run_id), time=pl.lit(stamp.as_of)
    )
