"""The ledger of MRR movements in sums, for the asset's page and its checks. Read only."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from intercom_sync.domain import movements
from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.schema.movement_views import MRR_MONTHLY
from intercom_sync.warehouse.postgres.frames import cast_numeric, select_list
from intercom_sync.warehouse.postgres.session import Session, literal
from intercom_sync.warehouse.queries.violations import ViolationQuery, Violations, find_violations
from intercom_sync.warehouse.state import workspace_state

# By what the sync last wrote, and not by what it noted of the ledger.
_COUNTED = (
    "SELECT w.email_key, CASE WHEN u.intercom_deleted_at IS NULL THEN COALESCE(w.mrr, 0) ELSE 0 END AS counted "
    "FROM customer_last_written w LEFT JOIN unified_customers u ON lower(u.email) = w.email_key"
)
_MOVED = "SELECT email, sum(mrr_change) AS moved FROM mrr_movements WHERE email IS NOT NULL GROUP BY email"
_DIFFERENT = ViolationQuery(
    f"SELECT COALESCE(c.email_key, m.email) FROM ({_COUNTED}) c FULL JOIN ({_MOVED}) m ON m.email = c.email_key "
    "WHERE COALESCE(c.counted, 0) <> COALESCE(m.moved, 0)",
    personal=True,
)
_TOTALS = (
    f"SELECT (SELECT COALESCE(sum(counted), 0) FROM ({_COUNTED}) c)::text AS counted, "
    f"(SELECT COALESCE(sum(moved), 0) FROM ({_MOVED}) m)::text AS moved"
)
_UNKNOWN_KIND = ViolationQuery(
    f"SELECT movement_id FROM mrr_movements WHERE kind NOT IN ({', '.join(map(literal, movements.KINDS))})"
)
# Openings are left out: there is one a customer, and two of them would not add up.
_TWICE = ViolationQuery(
    f"SELECT min(email) FROM mrr_movements WHERE email IS NOT NULL AND kind <> '{movements.OPENING}' "
    f"GROUP BY run_id, email, kind = '{movements.TRANSFER}' HAVING count(*) > 1",
    personal=True,
)


@dataclass(frozen=True)
class Totals:
    """What all customers are counted with, and what their movements add up to.

    Attributes:
        counted: the counted MRR.
        moved: the sum of the movements.
        different: customers for which the two differ.
        has_begun: whether a sync has opened the ledger.
    """

    counted: Decimal
    moved: Decimal
    different: Violations
    has_begun: bool


def totals(session: Session) -> Totals:
    """Compare the ledger with what the sync last wrote, customer by customer."""
    row = session.frame(_TOTALS).row(0, named=True)
    has_begun = workspace_state.ledger_rules_hash(session) is not None
    different = find_violations(session, _DIFFERENT) if has_begun else Violations(0)
    return Totals(Decimal(row["counted"]), Decimal(row["moved"]), different, has_begun)


def unknown_kinds(session: Session) -> Violations:
    """Return the movements of an unknown kind."""
    return find_violations(session, _UNKNOWN_KIND)


def moved_twice(session: Session) -> Violations:
    """Return the customers with two movements of one run that are not a transfer and its remainder."""
    return find_violations(session, _TWICE)


def was_rebuilt(session: Session, run_id: RunId) -> bool:
    """Return whether a run rebuilt the ledger."""
    rebuilt = f"SELECT EXISTS (SELECT FROM mrr_movements WHERE run_id = $1 AND cause = '{movements.REBUILT}')"
    return bool(session.value(rebuilt, run_id))


def movements_of(session: Session, run_id: RunId) -> dict[str, tuple[int, Decimal]]:
    """Return the number of a run's movements and their sum, by kind; every kind is there."""
    found = session.frame(
        "SELECT kind, count(*) AS number, sum(mrr_change)::text AS amount FROM mrr_movements WHERE run_id = $1 "
        "GROUP BY kind",
        run_id,
    )
    return dict.fromkeys(movements.KINDS, (0, Decimal(0))) | {
        kind: (number, Decimal(amount)) for kind, number, amount in found.iter_rows()
    }


def newest_months(session: Session, number: int) -> list[dict[str, Any]]:
    """Return the newest rows of `mrr_monthly`, in order."""
    found = session.frame(f"SELECT {select_list(MRR_MONTHLY)} FROM mrr_monthly ORDER BY month DESC LIMIT {number}")
    return cast_numeric(found, MRR_MONTHLY).sort("month").rows(named=True)
