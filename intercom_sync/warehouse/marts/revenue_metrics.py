"""`revenue_metrics`: revenue per contact, recomputed from stored payloads after a change of the rules.

Landing a contact writes its revenue in the same transaction. Every write holds the landing lock of contacts.
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
_KEEP_PREVIOUS = (
    "UPDATE revenue_metrics r SET revision = s.revision, rules_hash = $1 FROM refused_again s WHERE r.contact_id = s.id"
)


def read_stale_contacts(session: Session, rules_hash: str, after: str) -> pl.DataFrame:
    """Read the next `CHUNK_ROWS` contacts whose revenue belongs to another revision or other rules, ordered by id.

    Takes the landing lock, so that the contacts do not change until the caller's transaction ends.

    Args:
        session: the session of the transaction.
        rules_hash: the hash of the current rules.
        after: the last id of the previous chunk; empty for the first chunk.

    Returns:
        `id`, `revision`, `payload` (JSON text) and `other_rules`: whether the revenue follows other rules.
    """
    landing_lock(session, RecordKind.CONTACT)
    return session.frame(_STALE, rules_hash, after)


def store_recomputed(
    session: Session, stale: pl.DataFrame, parsed: ParsedBatch[Contact], landing: LandingContext
) -> None:
    """Upsert the revenue of stale contacts; runs inside the transaction of `read_stale_contacts`.

    A rejected contact keeps its stored revenue and joins `rejected_records`.

    Args:
        session: the session of the transaction.
        stale: the rows of `read_stale_contacts`.
        parsed: the contacts parsed from their payloads.
        landing: the run and the rules.
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
        session.execute(_KEEP_PREVIOUS, landing.rules.contact_rules_hash())
    analyze(session, "revenue_metrics", rows=len(parsed.valid))


def _update_contacts(session: Session, stale: pl.DataFrame, parsed: ParsedBatch[Contact]) -> None:
    """Update the columns of contacts that were parsed under other rules."""
    ids = set(stale.filter(pl.col("other_rules"))["id"])
    reparsed = [(contact, payload) for contact, payload in parsed.valid.values() if contact.id in ids]
    if reparsed:
        session.stage("parsed_again", contact_frame(reparsed))
        session.execute(_UPDATE_CONTACTS)
        contact_merges.record(session, {source: one.id for one, _ in reparsed for source in one.merged_ids})


def delete_orphaned_revenue(session: Session) -> None:
    """Delete the revenue of contacts that are no longer stored; runs inside the caller's transaction."""
    landing_lock(session, RecordKind.CONTACT)
    session.execute(
        "DELETE FROM revenue_metrics r WHERE NOT EXISTS (SELECT FROM intercom_contacts c WHERE c.id = r.contact_id)"
    )


def revenue_totals(session: Session, currency: str) -> dict[str, int | float | None]:
    """Return metadata: contacts with revenue, contacts that pay, and the MRR of contacts in one currency.

    Args:
        session: the warehouse.
        currency: the currency of the workspace; contacts in other currencies do not count towards the MRR.
    """
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
    """Read the payloads of contacts that were rejected under other rules.

    Takes the landing lock, so that a person whom `erase_person` erases at the same time cannot land again.

    Args:
        session: the session of the caller's transaction.
        rules_hash: the hash of the current rules.

    Returns:
        JSON texts.
    """
    landing_lock(session, RecordKind.CONTACT)
    rejected = session.frame(
        "SELECT payload::text AS payload FROM rejected_records WHERE kind = 'contact' AND rules_hash <> $1", rules_hash
    )
    return list(rejected["payload"])
