"""Read-only queries for rows that violate a rule: how many there are, and a few examples.

`orchestration.checks` decides which results are failures and how they are described.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from intercom_sync.domain.parse_records import load_payload
from intercom_sync.domain.parsing import RejectionReason
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.revenue.money import THREE_DECIMAL
from intercom_sync.domain.schema.columns import Type
from intercom_sync.domain.schema.landed_tables import PROFILE_COLUMNS
from intercom_sync.domain.sync_summary import mask_email
from intercom_sync.warehouse.postgres.session import Session, literal
from intercom_sync.warehouse.schema.column_types import NEVER_CUT, column_types

MAX_EXAMPLES = 10
_UNTRUNCATED = {
    "name": "COALESCE(NULLIF(btrim(c.name), ''), regexp_replace(c.email_key, '@[^@]*$', ''))",
    **{one.name: f"c.{one.name}" for one in PROFILE_COLUMNS if one.type is Type.TEXT and one.name not in NEVER_CUT},
    "plan_name": "m.plan_name",
}
_TRUNCATED = (
    "SELECT c.email_key FROM intercom_contacts c JOIN unified_customers u ON lower(u.email) = c.email_key "
    "AND CAST(u.intercom_contact_id AS text) = c.id LEFT JOIN revenue_metrics m ON m.contact_id = c.id "
    "WHERE length({whole}) > {most} AND rtrim(CAST(u.{name} AS text)) = rtrim(left({whole}, {most}))"
)


@dataclass(frozen=True)
class Violations:
    """Rows that break a rule.

    Attributes:
        count: the number of rows.
        examples: the first of them, as ids or masked emails.
    """

    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class ViolationQuery:
    """A query for rows that break a rule.

    Attributes:
        sql: selects one text per row.
        personal: whether that text is an email; otherwise it is an id.
    """

    sql: str
    personal: bool = False


PARTS_PENDING = ViolationQuery("SELECT id FROM intercom_conversations WHERE parts_pending")
PARTS_MISSING = ViolationQuery("SELECT id FROM intercom_conversations WHERE parts_missing > 0")
NEGATIVE_REVENUE = ViolationQuery("SELECT contact_id FROM revenue_metrics WHERE mrr < 0 OR ltv < 0")
UNKNOWN_MRR = ViolationQuery("SELECT contact_id FROM revenue_metrics WHERE subscription_count > 0 AND mrr IS NULL")
AMOUNT_NOT_A_NUMBER = ViolationQuery(
    "SELECT contact_id FROM revenue_metrics WHERE 'NaN'::numeric IN (mrr, arr, ltv, last_payment_amount)"
)
LAST_PAYMENT_IN_OTHER_UNIT = ViolationQuery(
    "SELECT contact_id FROM (SELECT *, CASE WHEN currency IN ("
    + ", ".join(map(literal, sorted(THREE_DECIMAL)))
    + ") THEN 1000 ELSE 100 END AS units FROM revenue_metrics) r WHERE newest_payment_amount > 0 "
    "AND last_payment_amount IN (newest_payment_amount * units, round(newest_payment_amount / units, 6))"
)
OTHER_CURRENCY = ViolationQuery(  # than $1
    "SELECT contact_id FROM revenue_metrics WHERE EXISTS (SELECT FROM unnest(currencies) c WHERE c <> $1)"
)
INCONSISTENT_COUNTS = ViolationQuery(
    "SELECT email_key FROM support_metrics WHERE intercom_convos_30d > intercom_convos_total "
    "OR open_tickets > intercom_convos_total OR LEAST(intercom_convos_30d, open_tickets) < 0",
    personal=True,
)
CSAT_OUT_OF_RANGE = ViolationQuery(
    "SELECT email_key FROM support_metrics WHERE csat_score NOT BETWEEN 1 AND 5", personal=True
)
DUPLICATE_EMAILS = ViolationQuery(
    "SELECT lower(email) FROM unified_customers WHERE email IS NOT NULL GROUP BY 1 HAVING count(*) > 1", personal=True
)
_OURS = "SELECT w.email_key FROM customer_last_written w JOIN unified_customers u ON lower(u.email) = w.email_key"
REQUIRED_FIELD_MISSING = ViolationQuery(
    f"{_OURS} WHERE u.intercom_deleted_at IS NULL AND '' IN (btrim(u.email), coalesce(btrim(u.name), ''), "
    "coalesce(CAST(u.intercom_contact_id AS text), ''))",
    personal=True,
)
SCORE_OUT_OF_RANGE = ViolationQuery(
    f"{_OURS} WHERE CAST(u.quality_score AS numeric) BETWEEN 0 AND 100 IS NOT TRUE", personal=True
)
CONTACT_WITHOUT_CUSTOMER = ViolationQuery(
    "SELECT DISTINCT c.email_key FROM intercom_contacts c LEFT JOIN unified_customers u "
    "ON lower(u.email) = c.email_key WHERE c.email_key IS NOT NULL "
    "AND (u.email IS NULL OR u.intercom_deleted_at IS NOT NULL) AND NOT EXISTS (SELECT FROM rejected_records r "
    "JOIN intercom_contacts w ON w.id = r.id WHERE r.kind = 'customer' AND w.email_key = c.email_key)",
    personal=True,
)


def duplicate_ids(kind: RecordKind) -> ViolationQuery:
    """Return the query for ids with more than one landed record."""
    return ViolationQuery(f"SELECT id FROM {kind.table.name} GROUP BY id HAVING count(*) > 1")


def status_not_in(allowed: Collection[str]) -> ViolationQuery:
    """Return the query for contacts whose subscription status is not allowed."""
    names = ", ".join(map(literal, allowed)) or "NULL"
    return ViolationQuery(f"SELECT contact_id FROM revenue_metrics WHERE subscription_status NOT IN ({names})")


def find_violations(session: Session, query: ViolationQuery, *values: object) -> Violations:
    """Run a query; return the number of its rows and the first of them, with masked emails."""
    found = session.frame(
        f"SELECT count(*) OVER () AS count, q.one::text AS one FROM ({query.sql}) q (one) "
        f"ORDER BY q.one LIMIT {MAX_EXAMPLES}",
        *values,
    )
    if found.is_empty():
        return Violations(0)
    show = mask_email if query.personal else str
    return Violations(found["count"][0], tuple(show(one or "") for one in found["one"]))


def find_rejections(
    session: Session,
    kind: RecordKind | Literal["customer"],
    reasons: Sequence[RejectionReason] = (),
    *,
    others: bool = False,
) -> dict[str, Violations]:
    """Return the rejected records of a kind by reason: for the given reasons, or for all others.

    Without reasons, all are returned. Examples show a record's id, with the masked email if that was rejected; other
    values are not shown.
    """
    listed = ", ".join(f"'{reason}'" for reason in reasons)
    condition = f"AND reason {'NOT IN' if others else 'IN'} ({listed})" if reasons else ""
    found = session.frame(
        "SELECT reason, count, id, field, value FROM (SELECT reason, id, field, value::text AS value, "
        "count(*) OVER (PARTITION BY reason) AS count, row_number() OVER (PARTITION BY reason ORDER BY id) AS place "
        f"FROM rejected_records WHERE kind = '{kind}' {condition}) r "
        f"WHERE place <= {MAX_EXAMPLES} ORDER BY reason, id"
    )
    by_reason: dict[str, Violations] = {}
    for reason, count, id, field, value in found.iter_rows():
        examples = by_reason.get(reason, Violations(count)).examples
        by_reason[reason] = Violations(count, (*examples, _example(id, field, value)))
    return by_reason


def _example(id: str, field: str, value: str | None) -> str:
    email = load_payload(value) if field == "email" and value else None
    return f"{id} ({mask_email(email.strip())})" if isinstance(email, str) else id


def cut_texts(session: Session) -> dict[str, Violations]:
    """Return the customers whose text was truncated to fit its column, by column; emails are masked."""
    limits = {name: one.most for name, one in column_types(session).items() if one.most and name in _UNTRUNCATED}
    found = {
        name: find_violations(
            session, ViolationQuery(_TRUNCATED.format(name=name, whole=_UNTRUNCATED[name], most=most), personal=True)
        )
        for name, most in limits.items()
    }
    return {name: one for name, one in found.items() if one.count}
