"""How `unified_customers` stands against what syncs noted of it: how many there were, and when the last was done."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from intercom_sync.domain.clocks import TOLERANCE
from intercom_sync.warehouse.postgres.session import Session, literal
from intercom_sync.warehouse.schema.column_types import column_types, parsed, reads


@dataclass(frozen=True)
class CustomerCounts:
    """Customers before and after the newest sync.

    Attributes:
        before: customers not deleted after the sync before it; None when there was none.
        created: customers that it created.
        marked: customers that it marked as deleted.
        now: customers not deleted now.
    """

    before: int | None
    created: int
    marked: int
    now: int

    @property
    def lost(self) -> int:
        """Customers that somebody else removed."""
        return 0 if self.before is None else max(0, self.before + self.created - self.marked - self.now)


def customer_counts(session: Session) -> CustomerCounts:
    """Return how the customers stand; runs that noted no number of them are left out."""
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
    """Return when the newest sync that succeeded was done; one that was done later than the present does not count."""
    finished: datetime | None = session.value(
        "SELECT max(finished_at) FROM sync_runs WHERE status = 'succeeded' AND finished_at <= $1", present + TOLERANCE
    )
    return finished


@dataclass(frozen=True)
class EmailShares:
    """How many contacts there are, and how many have an email; users apart, as leads often have none."""

    contacts: int
    with_email: int
    users: int
    users_with_email: int


def email_shares(session: Session) -> EmailShares:
    """Count them."""
    user = "FILTER (WHERE role = 'user')"
    row = session.frame(
        f"SELECT count(*) AS contacts, count(email_key) AS with_email, count(*) {user} AS users, "
        f"count(email_key) {user} AS users_with_email FROM intercom_contacts"
    ).row(0, named=True)
    return EmailShares(**row)


_PLANS_KEPT = 50
_LIVING = "intercom_deleted_at IS NULL"
_BY_PLAN = (
    "SELECT COALESCE({plan}, '') AS plan, sum({mrr}) AS mrr FROM unified_customers "
    f"WHERE {_LIVING} AND {{mrr}} IS NOT NULL AND lower(btrim(COALESCE({{paid_in}}, {{currency}}))) = {{currency}} "
    f"GROUP BY 1 ORDER BY 2 DESC LIMIT {_PLANS_KEPT}"
)
_SHOWN = (
    "email", "mrr", "currency", "plan_name", "subscription_status", "days_since_seen", "open_tickets",
    "mentioned_cancel", "quality_score",
)  # fmt: skip


@dataclass(frozen=True)
class PlanRevenue:
    """What a plan brings a month, from customers that pay in the workspace's currency.

    Attributes:
        plan: its name; empty for customers without one.
        mrr: now.
        before: after the sync before this one; None when that is not known.
    """

    plan: str
    mrr: Decimal
    before: Decimal | None


def record_summary(session: Session, run: str, customers: int, currency: str) -> None:
    """Note the sums of a run; runs inside the caller's transaction, after the customers are written."""
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
        run,
        customers,
    )


def revenue_by_plan(session: Session) -> list[PlanRevenue]:
    """Return what each plan brings after the newest successful sync, the most first."""
    noted = session.frame(
        "SELECT mrr_by_plan::text AS sums FROM sync_runs WHERE status = 'succeeded' AND customers IS NOT NULL "
        "ORDER BY finished_at DESC LIMIT 2"
    )
    sums = [{plan: Decimal(mrr) for plan, mrr in json.loads(one or "{}").items()} for one in noted["sums"]]
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
    """Return how many customers have a score of 0 to 9, 10 to 19, … and 90 to 100."""
    score = column_types(session)["quality_score"].read()
    found = session.frame(
        f"SELECT LEAST({score} / 10, 9) AS tens, count(*) AS customers FROM unified_customers "
        f"WHERE {_LIVING} AND {score} BETWEEN 0 AND 100 GROUP BY 1"
    )
    counts = dict(found.iter_rows())
    return [counts.get(tens, 0) for tens in range(10)]


def alerts_by_kind(session: Session, run: str) -> list[tuple[str, int, int]]:
    """Return each kind of alert with the number that a run decided, and of all the number that wait for Slack."""
    found = session.frame(
        "SELECT kind, count(*) FILTER (WHERE run = $1) AS decided, count(*) FILTER (WHERE delivered_at IS NULL) AS "
        "waiting FROM customer_alerts WHERE run = $1 OR delivered_at IS NULL GROUP BY kind ORDER BY kind",
        run,
    )
    return [(kind, decided, waiting) for kind, decided, waiting in found.iter_rows()]


def largest_customers(session: Session, number: int) -> list[dict[str, Any]]:
    """Return the customers that pay most, with their emails as they are."""
    columns = column_types(session)
    mrr = columns["mrr"].number("u.mrr")
    found = session.frame(
        f"SELECT {reads(columns, 'u.', *_SHOWN)} FROM unified_customers u WHERE {_LIVING} AND u.email IS NOT NULL "
        f"ORDER BY {mrr} DESC NULLS LAST, u.email LIMIT {number}"
    )
    return parsed(found, columns).select(_SHOWN).rows(named=True)
