"""Read-only summaries for checks and charts: customer counts, email shares, revenue, scores and alerts."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from intercom_sync.domain.clocks import TOLERANCE
from intercom_sync.domain.identifiers import RunId
from intercom_sync.warehouse.postgres.session import Session, literal
from intercom_sync.warehouse.schema.column_types import column_types, parsed, reads


@dataclass(frozen=True)
class CustomerCounts:
    """Customers before and after the newest sync.

    Attributes:
        before: customers not deleted after the previous sync; None without one.
        created: customers that the newest sync created.
        marked: customers that it marked as deleted.
        now: customers not deleted now.
    """

    before: int | None
    created: int
    marked: int
    now: int

    @property
    def lost(self) -> int:
        """Customers that another program removed."""
        return 0 if self.before is None else max(0, self.before + self.created - self.marked - self.now)


def customer_counts(session: Session) -> CustomerCounts:
    """Return the customer counts; runs that recorded no count are ignored."""
    runs = session.frame(
        "SELECT customers, new_contacts, as_of FROM sync_runs WHERE status = 'succeeded' AND customers IS NOT NULL "
        "ORDER BY finished_at DESC LIMIT 2"
    ).rows(named=True)
    now = int(session.value("SELECT count(*) FROM unified_customers WHERE intercom_deleted_at IS NULL"))
    if not runs:
        return CustomerCounts(None, 0, 0, now)
    when = column_types(session)["intercom_deleted_at"].cast("$1")
    marked = session.value(
        f"SELECT count(*) FROM unified_customers WHERE intercom_deleted_at = {when}", runs[0]["as_of"]
    )
    return CustomerCounts(runs[1]["customers"] if len(runs) > 1 else None, runs[0]["new_contacts"], int(marked), now)


def last_success(session: Session, present: datetime) -> datetime | None:
    """Return when the newest successful sync finished, ignoring those that finished later than the present."""
    finished: datetime | None = session.value(
        "SELECT max(finished_at) FROM sync_runs WHERE status = 'succeeded' AND finished_at <= $1", present + TOLERANCE
    )
    return finished


@dataclass(frozen=True)
class EmailShares:
    """The number of contacts, and of those with an email; users separately, because leads often have no email."""

    contacts: int
    with_email: int
    users: int
    users_with_email: int


def email_shares(session: Session) -> EmailShares:
    """Count the contacts that have an email."""
    user = "FILTER (WHERE role = 'user')"
    row = session.frame(
        f"SELECT count(*) AS contacts, count(email_key) AS with_email, count(*) {user} AS users, "
        f"count(email_key) {user} AS users_with_email FROM intercom_contacts"
    ).row(0, named=True)
    return EmailShares(**row)


_MAX_PLANS = 50
_NOT_DELETED = "intercom_deleted_at IS NULL"
_BY_PLAN = (
    "SELECT COALESCE({plan}, '') AS plan, sum({mrr}) AS mrr FROM unified_customers "
    f"WHERE {_NOT_DELETED} AND {{mrr}} IS NOT NULL "
    "AND lower(btrim(COALESCE({paid_in}, {currency}))) = {currency} "
    f"GROUP BY 1 ORDER BY 2 DESC LIMIT {_MAX_PLANS}"
)
_SHOWN = (
    "email", "mrr", "currency", "plan_name", "subscription_status", "days_since_seen", "open_tickets",
    "mentioned_cancel", "quality_score",
)  # fmt: skip


@dataclass(frozen=True)
class PlanRevenue:
    """The monthly recurring revenue of a plan, from customers that pay in the workspace's currency.

    Attributes:
        plan: its name; empty for customers without one.
        mrr: the revenue after the newest sync.
        before: the revenue after the previous sync; None if unknown.
    """

    plan: str
    mrr: Decimal
    before: Decimal | None


def record_summary(session: Session, run_id: RunId, customers: int, currency: str) -> None:
    """Store a run's customer count and revenue by plan, after its customers are written.

    Runs inside the caller's transaction.
    """
    columns = column_types(session)
    by_plan = _BY_PLAN.format(
        plan=columns["plan_name"].read(),
        mrr=columns["mrr"].number("mrr"),
        paid_in=columns["currency"].read(),
        currency=literal(currency),
    )
    session.execute(
        "UPDATE sync_runs SET customers = $2::bigint::integer, "
        f"mrr_by_plan = (SELECT json_object_agg(plan, mrr::text) FROM ({by_plan}) p) WHERE run_id = $1",
        run_id,
        customers,
    )


def revenue_by_plan(session: Session) -> list[PlanRevenue]:
    """Return the revenue of each plan after the newest successful sync, largest first."""
    stored = session.frame(
        "SELECT mrr_by_plan::text AS sums FROM sync_runs WHERE status = 'succeeded' AND customers IS NOT NULL "
        "ORDER BY finished_at DESC LIMIT 2"
    )
    sums = [{plan: Decimal(mrr) for plan, mrr in json.loads(one or "{}").items()} for one in stored["sums"]]
    if not sums:
        return []
    now, before = sums[0], sums[1] if len(sums) > 1 else None
    plans = {**dict.fromkeys(now), **dict.fromkeys(before or {})}
    found = [
        PlanRevenue(plan, now.get(plan, Decimal(0)), None if before is None else before.get(plan, Decimal(0)))
        for plan in plans
    ]
    return sorted(found, key=lambda one: (-one.mrr, one.plan))


def score_distribution(session: Session) -> list[int]:
    """Return the number of customers with a score of 0 to 9, 10 to 19, … and 90 to 100."""
    score = column_types(session)["quality_score"].read()
    found = session.frame(
        f"SELECT LEAST({score} / 10, 9) AS tens, count(*) AS customers FROM unified_customers "
        f"WHERE {_NOT_DELETED} AND {score} BETWEEN 0 AND 100 GROUP BY 1"
    )
    counts = dict(found.iter_rows())
    return [counts.get(tens, 0) for tens in range(10)]


def alerts_by_kind(session: Session, run_id: RunId) -> list[tuple[str, int, int]]:
    """Return for each alert kind how many alerts a run enqueued, and how many are pending from all runs."""
    found = session.frame(
        "SELECT kind, count(*) FILTER (WHERE run = $1) AS enqueued, count(*) FILTER (WHERE delivered_at IS NULL) AS "
        "pending FROM customer_alerts WHERE run = $1 OR delivered_at IS NULL GROUP BY kind ORDER BY kind",
        run_id,
    )
    return [(kind, enqueued, pending) for kind, enqueued, pending in found.iter_rows()]


def largest_customers(session: Session, number: int) -> list[dict[str, Any]]:
    """Return the customers with the highest revenue; their emails are not masked."""
    columns = column_types(session)
    mrr = columns["mrr"].number("u.mrr")
    found = session.frame(
        f"SELECT {reads(columns, 'u.', *_SHOWN)} FROM unified_customers u WHERE {_NOT_DELETED} AND u.email IS NOT NULL "
        f"ORDER BY {mrr} DESC NULLS LAST, u.email LIMIT {number}"
    )
    return parsed(found, columns).select(_SHOWN).rows(named=True)
