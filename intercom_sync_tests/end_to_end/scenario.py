"""The end-to-end scenario: a workspace on a sandbox, a schema, and syncs by the Dagster job.

Syncs use the run configuration of the command, in process, on an ephemeral Dagster instance. Rows are read with
psycopg2, so that our own reading code cannot hide an error in our writing code.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg2
import psycopg2.extras
import pytest

from intercom_sync.commands.sync import SyncRequest
from intercom_sync.definitions import build_definitions
from intercom_sync.domain.window import Window
from intercom_sync.orchestration.jobs import SYNC_JOB
from intercom_sync.orchestration.partitions import nearest_partition, six_hour_windows
from intercom_sync.orchestration.resources import FOREGROUND_TAG
from intercom_sync.sandbox.builders import author, contact, conversation, message, part
from intercom_sync.sandbox.requests import Request
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync.settings import Settings
from intercom_sync.warehouse.postgres.urls import plain_url

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
Row = dict[str, Any]
# The checks take longer than the rest of a small sync, and have their own tests.
_UNCHECKED = dg.Definitions(jobs=[dg.define_asset_job("unchecked", dg.AssetSelection.all().without_checks())])


def at(instant: datetime) -> int:
    """Return an instant in UNIX seconds, as Intercom does."""
    return int(instant.timestamp())


def person(id: str, email: str | None, *, updated: datetime = NOW - DAY, stripe: Mapping[str, Any] = {}, **fields: Any):
    """Build a contact created 100 days before its last change, optionally with Stripe data."""
    times = {"created_at": at(updated - 100 * DAY), "updated_at": at(updated)}
    return contact(id=id, email=email, **({"custom_attributes": dict(stripe)} | times | fields))


def talk(
    id: str,
    by: str,
    *says: str,
    created: datetime = NOW - DAY,
    kind: str = "user",
    contacts: Iterable[str] | None = None,
    **fields: Any,
):
    """Build a conversation with one message per text, all by one contact, one minute apart."""
    who = author(kind, by)
    replies = [
        part(body=f"<p>{text}</p>", author=who, created_at=at(created) + 60 * minute)
        for minute, text in enumerate(says[1:], 1)
    ]
    opening = message(body=f"<p>{says[0] if says else 'Hello'}</p>", author=who)
    people = [by] if contacts is None else list(contacts)
    return conversation(id=id, contact_ids=people, parts=replies, source=opening, created_at=at(created), **fields)


@dataclass(frozen=True)
class Synced:
    """The result of one run: its row of sync_runs and Dagster's result."""

    result: dg.ExecuteInProcessResult
    row: Row

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """The numbers of new, updated and skipped contacts, and of alerts."""
        names = ("new_contacts", "updated_contacts", "skipped_contacts", "alerts_generated")
        return tuple(self.row[name] for name in names)

    @property
    def read(self) -> tuple[int, int]:
        """The numbers of contacts and conversations extracted."""
        return self.row["contacts_read"], self.row["conversations_read"]

    def metadata(self, asset: str) -> dict[str, Any]:
        """Return the metadata of an asset's materialization."""
        made = self.result.asset_materializations_for_node("raw" if asset.startswith("raw") else asset)
        found = next(one for one in made if one.asset_key == dg.AssetKey(asset))
        return {name: value.value for name, value in found.metadata.items()}


def set_environment(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, database_url: str, schema: str) -> None:
    """Configure syncs to use a sandbox and a schema."""
    monkeypatch.setenv("INTERCOM_API_KEY", "an invented token")
    monkeypatch.setenv("INTERCOM_BASE_URL", sandbox.url)
    monkeypatch.setenv("INTERCOM_SYNC_DATABASE_URL", database_url)
    monkeypatch.setenv("INTERCOM_SYNC_SCHEMA", schema)


class Scenario:
    """A workspace, the sandbox that serves it, and a database for the customers."""

    def __init__(self, sandbox: Sandbox, url: str, schema: str, instance: dg.DagsterInstance, **resources: Any) -> None:
        self.sandbox = sandbox
        self._resources = resources
        self.company: Workspace = sandbox.workspace
        self.instance = instance
        options = f"-c search_path={schema} -c timezone=UTC"
        self._connection = psycopg2.connect(plain_url(url), options=options)
        self._connection.autocommit = True

    def close(self) -> None:
        """Close the database connection."""
        self._connection.close()

    def put(self, *contacts: Any) -> None:
        """Store contacts in the workspace."""
        for one in contacts:
            self.company.put_contact(one)

    def talks(self, *conversations: Any) -> None:
        """Store conversations in the workspace."""
        for one in conversations:
            self.company.put_conversation(one)

    def run(self, as_of: datetime | None = NOW, **how: Any) -> Synced:
        """Run one sync, which may fail, and return its result and its row of sync_runs."""
        result = self.execute(as_of, **how)
        run_rows = self.rows("SELECT * FROM sync_runs WHERE run_id = %s", result.run_id)
        return Synced(result, run_rows[0] if run_rows else {})

    def execute(
        self,
        as_of: datetime | None = NOW,
        *,
        full: bool = False,
        window: Window | None = None,
        checked: bool = False,
        assets: Iterable[str] = (),
        foreground: bool = True,
    ) -> dg.ExecuteInProcessResult:
        """Execute one sync, by default of all assets and without their checks.

        If `as_of` is None, the sync uses the current time.
        """
        now = as_of or datetime.now(UTC)
        settings = Settings.load()
        job = dg.Definitions.merge(build_definitions(settings, **self._resources), _UNCHECKED).resolve_job_def(
            SYNC_JOB if checked else "unchecked"
        )
        return job.execute_in_process(
            run_config=SyncRequest(full, window, as_of).config(now) | QUIET,
            partition_key=nearest_partition(six_hour_windows(settings.partitions_start), now),
            instance=self.instance,
            raise_on_error=False,
            tags={FOREGROUND_TAG: "true"} if foreground else {},
            asset_selection=[dg.AssetKey(asset) for asset in assets] or None,
        )

    def sync(self, as_of: datetime | None = NOW, **how: Any) -> Synced:
        """Run one sync and assert that it succeeds."""
        synced = self.run(as_of, **how)
        assert synced.result.success, why(synced.result)
        return synced

    def rows(self, query: str, *values: Any) -> list[Row]:
        """Return the rows of a query."""
        with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(query, values or None)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def one(self, query: str, *values: Any) -> Row:
        """Return the only row of a query."""
        (row,) = self.rows(query, *values)
        return row

    def values(self, query: str, *values: Any) -> list[Any]:
        """Return the first column of a query."""
        return [next(iter(row.values())) for row in self.rows(query, *values)]

    def customer(self, email: str) -> Row:
        """Return the customer with an email, ignoring case."""
        return self.one("SELECT * FROM unified_customers WHERE lower(email) = lower(%s)", email)

    def emails(self, *, living: bool = True) -> list[str]:
        """Return the emails of all customers, by default without those marked as deleted."""
        where = "WHERE intercom_deleted_at IS NULL" if living else ""
        return self.values(f"SELECT email FROM unified_customers {where} ORDER BY lower(email)")

    def alerts(self) -> list[tuple[str, str]]:
        """Return kind and email of every alert, in order of creation."""
        return [(row["kind"], row["email"]) for row in self.rows("SELECT * FROM customer_alerts ORDER BY id")]

    def rejects(self) -> list[tuple[str, str, str]]:
        """Return kind, id and field of every rejected record."""
        found = self.rows("SELECT kind, id, field FROM rejected_records ORDER BY kind, id")
        return [(row["kind"], row["id"], row["field"]) for row in found]

    def requests(self, matching: Callable[[Request], bool]) -> list[Request]:
        """Return the received requests that match."""
        return [request for request in self.sandbox.requests if matching(request)]

    def parts_fetched(self) -> list[str]:
        """Return the ids of conversations fetched since the request log was last cleared."""
        one_alone = re.compile(r"/conversations/(?!deleted$)")
        asked = self.requests(lambda one: one.method == "GET" and one_alone.match(one.path) is not None)
        return [request.path.rpartition("/")[2] for request in asked]


def why(result: dg.ExecuteInProcessResult) -> str:
    """Return the errors of a failed run."""
    failed = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return "\n".join(
        (one.user_failure_data and one.user_failure_data.description) or str(one.error) for one in failed if one
    )
