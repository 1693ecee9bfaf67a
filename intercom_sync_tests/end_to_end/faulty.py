"""One workspace for several syncs, each with its own sandbox and schema, and a comparison of their tables.

The failures are in `failures`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from uuid import uuid4

import dagster as dg
import orjson
import pytest

from intercom_sync.intercom.client import IntercomClient
from intercom_sync.sandbox.builders import subscription
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync.warehouse.schema.migrate import create_schema
from intercom_sync_tests.end_to_end.scenario import DAY, HOUR, NOW, Scenario, person, talk
from intercom_sync_tests.intercom.scenario import HandClock

TOKEN = "an invented token"
CONTACTS, TALKS = 400, 30
_UNLIKE = {"intercom_contacts": ("landed_at", "revision"), "intercom_conversations": ("landed_at",),
           "revenue_metrics": ("revision",), "customer_alerts": ("id", "run")}  # fmt: skip
_TABLES = (
    *_UNLIKE,
    "unified_customers",
    "intercom_messages",
    "support_metrics",
    "rejected_records",
    "customer_last_written",
)
Tables = dict[str, Counter[bytes]]


class QuickIntercom:
    """An Intercom resource whose clock advances only by waiting, so that waits take no time."""

    def __init__(self, url: str, **options: Any) -> None:
        self.clock = HandClock()
        self._options = {"base_url": url, "clock": self.clock, "sleep": self.clock.sleep} | options

    @contextmanager
    def client(self) -> Iterator[IntercomClient]:
        """Open a client."""
        with IntercomClient(TOKEN, **self._options) as client:
            yield client


@pytest.fixture(scope="module")
def company() -> Workspace:
    """Return the workspace of every scenario, which no test changes."""
    company = Workspace()
    for n in range(CONTACTS):
        stripe = {"Stripe Subscriptions": [subscription()], "stripe_delinquent": n % 50 == 7}
        company.put_contact(
            person(f"c{n:04}", f"p{n}@example.com", updated=NOW - DAY / 2 - n * HOUR / 60, stripe=stripe)
        )
    for n in range(TALKS):
        company.put_conversation(talk(f"{500 + n}", f"c{n:04}", "Hello", "I cancel" if n % 3 else "Thanks"))
    return company


def held_by(scenario: Scenario) -> Tables:
    """Return all rows of the tables, without the columns that differ from run to run."""
    return {
        table: Counter(
            orjson.dumps({k: v for k, v in row.items() if k not in _UNLIKE.get(table, ())}, default=str)
            for row in scenario.rows(f"SELECT * FROM {table}")
        )
        for table in _TABLES
    }


def told(held: Tables) -> list[tuple[str, str]]:
    """Return kind and email of every alert."""
    return sorted((one["kind"], one["email"]) for one in map(orjson.loads, held["customer_alerts"].elements()))


Begin = Callable[..., AbstractContextManager[Scenario]]


@pytest.fixture(scope="module")
def begun(database_url: str, company: Workspace) -> Begin:
    """Return a function that starts scenarios, each with its own schema and sandbox."""

    @contextmanager
    def begin(options: dict[str, Any] | None = None, **sandbox_options: Any) -> Iterator[Scenario]:
        schema = f"f_{uuid4().hex[:12]}"
        create_schema(database_url, schema)
        with (
            Sandbox(company, **sandbox_options) as sandbox,
            dg.DagsterInstance.ephemeral() as instance,
            pytest.MonkeyPatch.context() as environment,
        ):
            for name, value in {"API_KEY": TOKEN, "SYNC_DATABASE_URL": database_url, "SYNC_SCHEMA": schema}.items():
                environment.setenv(f"INTERCOM_{name}", value)
            intercom = dg.ResourceDefinition.hardcoded_resource(QuickIntercom(sandbox.url, **(options or {})))
            scenario = Scenario(sandbox, database_url, schema, instance, intercom=intercom)
            yield scenario
            scenario.rows(f"DROP SCHEMA {schema} CASCADE")
            scenario.close()

    return begin


@pytest.fixture(scope="module")
def clean(begun: Begin) -> Tables:
    """Return the tables of a sync without failures."""
    with begun() as scenario:
        scenario.sync(full=True)
        held = held_by(scenario)
    assert (len(held["unified_customers"]), len(held["customer_alerts"])) == (CONTACTS, 20 + 8)
    return held
