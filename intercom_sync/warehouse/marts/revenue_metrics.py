"""Keep `revenue_metrics` in step with the landed contacts: what is new, changed, or was computed by other rules."""

from datetime import datetime
from decimal import Decimal
from functools import partial

import polars as pl

from intercom_sync.domain.contacts import Contact, parse_contact
from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.parse_records import ParsedBatch, load_payload, parse_records
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.revenue.money import rounded_amount
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.schema import tables
from intercom_sync.warehouse.landing import contact_merges
from intercom_sync.warehouse.landing.land_contacts import (
    PARSED_COLUMNS,
    LandingContext,
    contact_frame,
    land_contacts,
    landing_lock,
    refuse_unstorable,
    upsert_rejected,
)
from intercom_sync.warehouse.postgres.frames import attributes, cast_list, column_list, frame_of
from intercom_sync.warehouse.postgres.session import Session, analyze

_CHUNK_ROWS = 20_000
_COLUMNS = tables.REVENUE_METRICS.names
_STALE = (
    "SELECT c.id, c.revision, c.payload::text AS payload, r.rules_hash IS DISTINCT FROM $1 AS other_rules "
    "FROM intercom_contacts c "
    "LEFT JOIN revenue_metrics r ON r.contact_id = c.id WHERE c.id > $2 "
    "AND (r.revision IS DISTINCT FROM c.revision OR r.rules_hash IS DISTINCT FROM $1) "
    f"ORDER BY c.id LIMIT {_CHUNK_ROWS}"
)
_PUT = (
    f"INSERT INTO revenue_metrics ({column_list(_COLUMNS)}) "
    f"SELECT {cast_list(tables.REVENUE_METRICS, _COLUMNS)} FROM computed_revenue "
    f"ON CONFLICT (contact_id) DO UPDATE SET {', '.join(f'{c} = EXCLUDED.{c}' for c in _COLUMNS[1:])}"
)
_COMPUTED = tuple(name for name in _COLUMNS if name not in {"contact_id", "revision", "rules_hash"})
_PARSED = tuple(name for name in PARSED_COLUMNS if name not in {"id", "updated_at"})
_CONTACT_TYPES = {column.name: column.type for column in tables.INTERCOM_CONTACTS.columns}
_PARSE_AGAIN = (
    f"UPDATE intercom_contacts c SET {', '.join(f'{n} = CAST(s.{n} AS {_CONTACT_TYPES[n]})' for n in _PARSED)} "
    "FROM parsed_again s WHERE c.id = s.id AND c.updated_at = CAST(s.updated_at AS timestamptz) AND "
    f"({column_list(_PARSED, 'c.')}) IS DISTINCT FROM "
    f"({cast_list(tables.INTERCOM_CONTACTS, _PARSED, 's.')})"
)
_STAYS = (
    "UPDATE revenue_metrics r SET revision = s.revision, rules_hash = $1 FROM refused_again s WHERE r.contact_id = s.id"
)


def refresh_revenue(session: Session, rules: Rules, run_id: RunId, as_of: datetime) -> int:
    """Compute the revenue of every contact whose landed version or rules differ from the computed; return how many.

    What else a contact is parsed to changes with the rules too. A contact that changed rules refuse keeps what was
    computed last and joins the refused records.
    """
    landing, rules_hash = LandingContext(run_id, as_of, rules), rules.contact_rules_hash()
    done, last = 0, ""
    while True:
        with session.transaction():
            # One at a time, as in `support`.
            session.execute("LOCK TABLE revenue_metrics IN SHARE ROW EXCLUSIVE MODE")
            stale = session.frame(_STALE, rules_hash, last)
            sifted = _compute(session, stale, rules, rules_hash)
            _parse_again(session, stale, sifted)
            if sifted.rejected:
                session.stage("landing_contact", frame_of(tables.INTERCOM_CONTACTS, {"id": (), "updated_at": ()}))
                upsert_rejected(session, RecordKind.CONTACT, sifted, landing)
                refused = stale.filter(pl.col("id").is_in(list(sifted.rejected)))
                session.stage("refused_again", refused.select("id", "revision"))
                session.execute(_STAYS, rules_hash)
            done += len(sifted.valid)
            analyze(session, "revenue_metrics", rows=len(sifted.valid))
        if stale.height < _CHUNK_ROWS:
            break
        last = stale["id"][-1]
    with session.transaction():
        _delete_orphans(session)
    return done


def refresh_in_transaction(session: Session, rules: Rules) -> None:
    """Compute what has landed since `refresh_revenue`; runs inside the caller's transaction, which holds the table."""
    fingerprint, last = rules.contact_rules_hash(), ""
    while not (stale := session.frame(_STALE, fingerprint, last)).is_empty():
        last = stale["id"][-1]
        _compute(session, stale, rules, fingerprint)
    _delete_orphans(session)


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


def revalidate_rejected(session: Session, landing: LandingContext) -> None:
    """Judge contacts again that other rules refused; those that are good now land as any other."""
    with session.transaction():
        # Before they are read: what is forgotten meanwhile must not land again.
        landing_lock(session, RecordKind.CONTACT)
        old = session.frame(
            "SELECT payload::text AS payload FROM rejected_records WHERE kind = 'contact' AND rules_hash <> $1",
            landing.rules.contact_rules_hash(),
        )
        if not old.is_empty():
            parse = partial(parse_contact, rules=landing.rules)
            land_contacts(session, parse_records(map(load_payload, old["payload"]), parse), landing)


def _compute(session: Session, stale: pl.DataFrame, rules: Rules, fingerprint: str) -> ParsedBatch[Contact]:
    sifted = parse_records(map(load_payload, stale["payload"]), partial(parse_contact, rules=rules))
    refuse_unstorable(session, sifted)
    revisions = dict(zip(stale["id"], stale["revision"], strict=True))
    contacts = [contact for contact, _ in sifted.valid.values()]
    computed = attributes([contact.revenue for contact in contacts], _COMPUTED)
    computed["contact_id"] = [contact.id for contact in contacts]
    computed["revision"] = [revisions[contact.id] for contact in contacts]
    computed["rules_hash"] = [fingerprint] * len(contacts)
    session.stage("computed_revenue", frame_of(tables.REVENUE_METRICS, computed))
    session.execute(_PUT)
    return sifted


def _parse_again(session: Session, stale: pl.DataFrame, sifted: ParsedBatch[Contact]) -> None:
    """Write the columns of contacts that other rules parsed; those that have landed anew since are right already."""
    names = set(stale.filter(pl.col("other_rules"))["id"])
    again = [(contact, payload) for contact, payload in sifted.valid.values() if contact.id in names]
    if not again:
        return
    landing_lock(session, RecordKind.CONTACT)
    session.stage("parsed_again", contact_frame(again))
    session.execute(_PARSE_AGAIN)
    contact_merges.record(session, {source: one.id for one, _ in again for source in one.merged_ids})


def _delete_orphans(session: Session) -> None:
    session.execute(
        "DELETE FROM revenue_metrics r WHERE NOT EXISTS (SELECT FROM intercom_contacts c WHERE c.id = r.contact_id)"
    )
