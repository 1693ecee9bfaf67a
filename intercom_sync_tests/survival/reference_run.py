"""Two schemas of one workspace: a disturbed one, with kills and concurrent syncs, and a clean one for reference."""

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from intercom_sync.sandbox.server import Sandbox
from intercom_sync.slack.blocks import build_messages
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.schema.migrate import create_schema, prepare
from intercom_sync_tests.slack.server import LocalSlack
from intercom_sync_tests.survival.random_edits import RandomEdits
from intercom_sync_tests.survival.state import State, differences, opened
from intercom_sync_tests.survival.steps import Order, deliver, sync


@dataclass
class SchemaPair:
    """A workspace, the disturbed schema and the clean one."""

    random_edits: RandomEdits
    sandbox: Sandbox
    slack: LocalSlack
    url: str
    schemas: tuple[str, str]
    disturbed: State
    clean: State

    def order(self, run: str, **how: Any) -> Order:
        """Return an order for the disturbed schema as of now."""
        return Order(run, self.url, self.schemas[0], self.sandbox.url, self.random_edits.world.now, **how)

    def sync_clean(self, order: Order) -> list[str]:
        """Run the same order in the clean schema and return the expected Slack messages."""
        alone = replace(order, schema=self.schemas[1], slack="")
        sync(alone)
        with Session(self.url, self.schemas[1]) as session:
            waiting = outbox.pending(session)
            if waiting:
                outbox.mark_delivered(session, [alert.id for alert in waiting], datetime.now(UTC))
        return [message.text for message in build_messages(waiting)]

    def deliver(self, order: Order) -> None:
        """Deliver the pending alerts of the disturbed schema."""
        deliver(replace(order, slack=self.slack.url))

    def told(self) -> Counter[str]:
        """Return the messages that Slack received since the last call, with their counts."""
        told = Counter(message["text"] for message in self.slack.taken)
        self.slack.taken.clear()
        return told

    def differences(self, found: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the differences of the disturbed schema, or of tables read from it earlier, from the clean one."""
        return differences(found or self.disturbed.tables(), self.clean.tables())


@contextmanager
def schema_pair(url: str, seed: int, people: int, *, latency: float = 0.0) -> Iterator[SchemaPair]:
    """Create two schemas and a workspace for both."""
    schemas = (f"t_{uuid.uuid4().hex[:12]}", f"t_{uuid.uuid4().hex[:12]}")
    for schema in schemas:
        create_schema(url, schema)
        prepare(url, schema)
    random_edits = RandomEdits(seed, people)
    try:
        with (
            LocalSlack() as slack, Sandbox(random_edits.world.company, latency=latency) as sandbox,
            opened(url, schemas[0]) as disturbed, opened(url, schemas[1]) as clean,
        ):  # fmt: skip
            pair = SchemaPair(random_edits, sandbox, slack, url, schemas, disturbed, clean)
            try:
                yield pair
            finally:
                schemas = pair.schemas
                pair.clean.close()
    finally:
        with opened(url, schemas[0]) as state:
            for schema in schemas:
                state.query(f"DROP SCHEMA {schema} CASCADE")
