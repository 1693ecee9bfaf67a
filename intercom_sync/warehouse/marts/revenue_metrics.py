"""`revenue_metrics`: what each contact pays.

Landing writes it with the contact; here it is written again where the rules have changed. Every write holds the
landing lock of contacts.
"""

from decimal import Decimal

import polars as pl

from intercom_sync.domain.contacts import Contact
from intercom_sync.domain.parse_records import ParsedBatch
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.revenue.money import rounded_amount
from intercom_sync.domain.schema import tables
from intercom_sync.warehouse.landing import contact_merges
from intercom_sync.warehouse.landing.land_contacts import (
    COMPUTED_COLUMNS,
    PARSED_COLUMNS,
    LandingContext,
    contact_frame,
    landing_lock,
    refuse_unstorable,
    revenue_frame,
    upsert_rejected,
    upsert_revenue_sql,
)
from intercom_sync.warehouse.postgres.frames import cast_list, column_list, frame_of
from intercom_sync.warehouse.postgres.session import Session, analyze

CHUNK_ROWS = 20_000
_STALE = (
    "SELECT c.id, c.revision, c.payload::text AS payload, r.rules_hash IS DISTINCT FROM $1 AS other_rules "
    "FROM intercom_contacts c "
    "LEFT JOIN revenue_metrics r ON r.contact_id = c.id WHERE c.id > $2 "
    "AND (r.revision IS DISTINCT FROM c.revision OR r.rules_hash IS DISTINCT FROM $1) "
    f"ORDER BY c.id LIMIT {CHUNK_ROWS}"
)
_UPSERT = upsert_revenue_sql(
    f"SELECT contact_id, {cast_list(tables.REVENUE_METRICS, COMPUTED_COLUMNS)}, revision, $1 FROM computed_revenue"
)
_REPARSED = tuple(name for name in PARSED_COLUMNS if name not in {"id", "updated_at"})
_CONTACT_TYPES = {column.name: column.type for column in tables.INTERCOM_CONTACTS.columns}
_UPDATE_CONTACTS = (
    f"UPDATE intercom_contacts c SET {', '.join(f'{n} = CAST(s.{n} AS {_CONTACT_TYPES[n]})' for n in _REPARSED)} "
    "FROM parsed_again s WHERE c.id = s.id AND c.updated_at = CAST(s.updated_at AS timestamptz) AND "
    f"({column_list(_REPARSED, 'c.')}) IS DISTINCT FROM "
    f"({cast_list(tables.INTERCOM_CONTACTS, _REPARSED, 's.')})"
)
_KEEP = (
    "UPDATE revenue_metrics r SET revision = s.revision, rules_hash = $1 FROM refused_again s WHERE r.contact_id = s.id"
)


def read_stale_contacts(session: Session, rules_hash: str, after: str) -> pl.DataFrame:
    """Return the contacts whose revenue is not that of their version by the rules: the next `CHUNK_ROWS` by id.

    Holds the landing lock, so that they stay as they are until the caller's transaction ends.
    """
    landing_lock(session, RecordKind.CONTACT)
    return session.frame(_STALE, rules_hash, after)


def store_recomputed(
    session: Session, stale: pl.DataFrame, parsed: ParsedBatch[Contact], landing: LandingContext
) -> None:
    """Write what stale contacts were parsed to; runs inside the transaction of `read_stale_contacts`.

    A rejected contact keeps the revenue that it has, and joins `rejected_records`.
    """
    refuse_unstorable(session, parsed)
    contacts = pl.Series([contact.id for contact, _ in parsed.valid.values()], dtype=pl.String)
    revisions = pl.DataFrame({"contact_id": contacts}).join(
        stale.select(contact_id="id", revision="revision"), on="contact_id", how="left", maintain_order="left"
    )
    session.stage("computed_revenue", revisions.hstack(revenue_frame([one for one, _ in parsed.valid.values()])))
    session.execute(_UPSERT, landing.rules.contact_rules_hash())
    _update_contacts(session, stale, parsed)
    if parsed.rejected:
        session.stage("landing_contact", frame_of(tables.INTERCOM_CONTACTS, {"id": (), "updated_at": ()}))
        upsert_rejected(session, RecordKind.CONTACT, parsed, landing)
        rejected = stale.filter(pl.col("id").is_in(list(parsed.rejected)))
        session.stage("refused_again", rejected.select("id", "revision"))
        session.execute(_KEEP, landing.rules.contact_rules_hash())
    analyze(session, "revenue_metrics", rows=len(parsed.valid))


def _update_contacts(session: Session, stale: pl.DataFrame, parsed: ParsedBatch[Contact]) -> None:
    """Write the columns of contacts that other rules parsed."""
    names = set(stale.filter(pl.col("other_rules"))["id"])
    again = [(contact, payload) for contact, payload in parsed.valid.values() if contact.id in names]
    if again:
        session.stage("parsed_again", contact_frame(again))
        session.execute(_UPDATE_CONTACTS)
        contact_merges.record(session, {source: one.id for one, _ in again for source in one.merged_ids})


def delete_orphaned_revenue(session: Session) -> None:
    """Delete the revenue of contacts that are not landed any more; runs inside the caller's transaction."""
    landing_lock(session, RecordKind.CONTACT)
    session.execute(
        "DELETE FROM revenue_metrics r WHERE NOT EXISTS (SELECT FROM intercom_contacts c WHERE c.id = r.contact_id)"
    )


def revenue_totals(session: Session, currency: str) -> dict[str, int | float | None]:
    """Return how many contacts have revenue figures, how many pay, and what all who pay in the currency pay a month."""
    with session.transaction():
        row = session.frame(
            "SELECT count(*) AS contacts, count(*) FILTER (WHERE mrr > 0) AS paying, "
            "COALESCE(sum(mrr) FILTER (WHERE cardinality(currencies) = 0 OR currency = $1), 0)::text AS mrr "
            "FROM revenue_metrics",
            currency,
        ).row(0, named=True)
    mrr = float(rounded_amount(Decimal(row["mrr"]), currency))
    return {"dagster/row_count": row["contacts"], "paying_contacts": row["paying"], f"contacts_mrr_{currency}": mrr}


def rejected_payloads(session: Session, rules_hash: str) -> list[str]:
    """Return the JSON of the contacts that other rules rejected.

    Holds the landing lock: whom `erase_person` erases meanwhile must not land again in the caller's transaction.
    """
    landing_lock(session, RecordKind.CONTACT)
    found = session.frame(
        "SELECT payload::text AS payload FROM rejected_records WHERE kind = 'contact' AND rules_hash <> $1", rules_hash
    )
    return list(found["payload"])
