"""A company whose contacts land without HTTP, and syncs of it six hours apart: for tests of what a sync publishes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from intercom_sync.domain.contacts import parse_contact
from intercom_sync.domain.identifiers import ExtractionId, RunId
from intercom_sync.domain.parse_records import parse_records
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.rules import Rules
from intercom_sync.pipeline.compute import compute_revenue, compute_support
from intercom_sync.pipeline.publish import PublishResult, publish_customers
from intercom_sync.pipeline.run_plan import RunRequest, plan_run
from intercom_sync.sandbox.builders import contact, subscription
from intercom_sync.warehouse.landing.land_contacts import LandingContext, land_contacts
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import extractions, runs
from intercom_sync_tests.model.harness import partition

START = datetime(2026, 1, 10, tzinfo=UTC)
STEP = timedelta(hours=6)
Row = dict[str, Any]


def paying(dollars: float | None, *, stripe: str | None = "cus_1", plan: str = "Pro", **attributes: Any) -> Row:
    """Stripe data of one monthly subscription; none that is active for 0, no data for None."""
    if dollars is None:
        return {}
    items = [subscription(amount=round(dollars * 100), interval="month")] if dollars else []
    return {"stripe_id": stripe, "stripe_plan": plan, "Stripe Subscriptions": items} | attributes


class Company:
    """Contacts, a clock, and syncs."""

    def __init__(self, connect: Callable[[], Session]) -> None:
        self.connect = connect
        self.now = START
        self.rules = Rules()
        self._runs = 0

    def put(self, id: str, email: str, stripe: Row, **fields: Any) -> None:
        """Land a contact, updated now."""
        made = contact(
            id=id, email=email, custom_attributes=stripe, updated_at=int(self.now.timestamp()) - 60, **fields
        )
        stamp = LandingContext(RunId("landing"), self.now, self.rules)
        with self.connect() as session, session.transaction():
            land_contacts(session, parse_records([made], partial(parse_contact, rules=self.rules)), stamp)

    def drop(self, id: str) -> None:
        """Delete a contact, as a full sync does that no longer finds it."""
        self.execute(f"DELETE FROM intercom_contacts WHERE id = '{id}'")

    def sync(self, *, full: bool = True, after: timedelta = STEP) -> PublishResult:
        """Compute and publish, six hours after the sync before."""
        self._runs += 1
        self.now += after
        name = RunId(f"run-{self._runs:04d}")
        run = plan_run(name, RunRequest(full=full, as_of=self.now), partition(int(self.now.timestamp())),
                       None if full else START, self.now)  # fmt: skip
        with self.connect() as session:
            runs.start(session, run)
            with session.transaction():
                for kind in RecordKind:
                    extractions.mark_stream_done(session, ExtractionId(name), kind)
            compute_revenue(session, run, self.rules)
            compute_support(session, run, self.rules)
            return publish_customers(session, run, self.rules, lambda: self.now)

    def rows(self, query: str) -> list[Row]:
        """A query's rows; numbers as text."""
        with self.connect() as session, session.transaction():
            return session.frame(query).rows(named=True)

    def execute(self, statement: str) -> None:
        with self.connect() as session, session.transaction():
            session.execute(statement)

    def moved(self) -> list[tuple[str, str | None, str, str, float]]:
        """Run, email, kind, cause and change of every movement, in order."""
        found = self.rows(
            "SELECT run_id, email, kind, cause, mrr_change::float8 AS change FROM mrr_movements ORDER BY movement_id"
        )
        return [(int(one["run_id"][-4:]), *list(one.values())[1:]) for one in found]

    def news(self) -> list[tuple[str | None, str, str, float]]:
        """The movements of the newest sync, without its number."""
        return [tuple(rest) for run, *rest in self.moved() if run == self._runs]

    def adds_up(self) -> None:
        """The sum of each customer's movements is its counted MRR, by the tables as they are."""
        found = self.rows(
            "SELECT w.email_key, CASE WHEN u.intercom_deleted_at IS NULL THEN COALESCE(w.mrr, 0) ELSE 0 END::float8 AS "
            "counted, (SELECT COALESCE(sum(mrr_change), 0)::float8 FROM mrr_movements m WHERE m.email = w.email_key) "
            "AS moved FROM customer_last_written w JOIN unified_customers u ON lower(u.email) = w.email_key"
        )
        assert [one for one in found if one["counted"] != one["moved"]] == []
