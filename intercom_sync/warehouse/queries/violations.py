"""Questions to the tables for what should not be there: how many such rows, and the first few by name.

Read only. Which answer is a failure, and what a person reads of it, stands in `checks`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from intercom_sync.domain.parse_records import load_payload
from intercom_sync.domain.sync_summary import mask_email
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.schema.column_types import column_types

MAX_EXAMPLES = 10
_TEXTS = {
    "name": "COALESCE(NULLIF(btrim(c.name), ''), regexp_replace(c.email_key, '@[^@]*$', ''))",
    "location_country": "c.location_country",
    "location_city": "c.location_city",
    "plan_name": "m.plan_name",
}
_CUT = (
    "SELECT c.email_key FROM intercom_contacts c JOIN unified_customers u ON lower(u.email) = c.email_key "
    "AND CAST(u.intercom_contact_id AS text) = c.id LEFT JOIN revenue_metrics m ON m.contact_id = c.id "
    "WHERE length({whole}) > {most} AND rtrim(CAST(u.{name} AS text)) = rtrim(left({whole}, {most}))"
)


@dataclass(frozen=True)
class Violations:
    """Rows that break a rule.

    Attributes:
        count: how many there are.
        examples: the first of them, as ids or masked emails.
    """

    count: int
    examples: tuple[str, ...] = ()


def find_violations(session: Session, query: str, *values: object, personal: bool = False) -> Violations:
    """Return what a query finds; it selects one text per offender, an id or (personal) an email."""
    found = session.frame(
        f"SELECT count(*) OVER () AS count, q.one::text AS one FROM ({query}) q (one) "
        f"ORDER BY q.one LIMIT {MAX_EXAMPLES}",
        *values,
    )
    if found.is_empty():
        return Violations(0)
    show = mask_email if personal else str
    return Violations(found["count"][0], tuple(show(one or "") for one in found["one"]))


def find_rejections(
    session: Session, kind: str, reasons: Sequence[str] = (), *, others: bool = False
) -> dict[str, Violations]:
    """Return the refused records that wait to be mended, by reason: for these reasons, or for all others.

    Without reasons all of the kind are returned.

    An email that was refused is shown masked beside its record's id; other values are not shown.
    """
    named = ", ".join(f"'{reason}'" for reason in reasons)
    among = f"AND reason {'NOT IN' if others else 'IN'} ({named})" if reasons else ""
    found = session.frame(
        "SELECT reason, count, id, field, value FROM (SELECT reason, id, field, value::text AS value, "
        "count(*) OVER (PARTITION BY reason) AS count, row_number() OVER (PARTITION BY reason ORDER BY id) AS place "
        f"FROM rejected_records WHERE kind = '{kind}' {among}) r "
        f"WHERE place <= {MAX_EXAMPLES} ORDER BY reason, id"
    )
    by_reason: dict[str, Violations] = {}
    for reason, count, id, field, value in found.iter_rows():
        seen = by_reason.get(reason, Violations(count)).examples
        by_reason[reason] = Violations(count, (*seen, _shown(id, field, value)))
    return by_reason


def _shown(id: str, field: str, value: str | None) -> str:
    given = load_payload(value) if field == "email" and value else None
    return f"{id} ({mask_email(given.strip())})" if isinstance(given, str) else id


def cut_texts(session: Session) -> dict[str, Violations]:
    """Return the customers whose text is longer than its column, by column; emails are masked."""
    short = {name: one.most for name, one in column_types(session).items() if one.most and name in _TEXTS}
    found = {
        name: find_violations(session, _CUT.format(name=name, whole=_TEXTS[name], most=most), personal=True)
        for name, most in short.items()
    }
    return {name: one for name, one in found.items() if one.count}
