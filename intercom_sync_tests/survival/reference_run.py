"""Two schemas, one company: one is synced with kills and company, the other alone; both must say the same."""

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
from intercom_sync_tests.survival.random_edits import Life
from intercom_sync_tests.survival.state import State, differences, opened
from intercom_sync_tests.survival.steps import Order, deliver, sync


@dataclass
class Twins:
    """A company, the disturbed schema and the clean one."""

    life: Life
    sandbox: Sandbox
    slack: LocalSlack
    url: str
    schemas: tuple[str, str]
    disturbed: State
    clean: State

    def order(self, run: str, **how: Any) -> Order:
        """An order for the disturbed schema, as of now."""
        return Order(run, self.url, self.schemas[0], self.sandbox.url, self.life.world.now, **how)

    def sync_clean(self, order: Order) -> list[str]:
        """Do the same order alone; what Slack has to hear of it."""
        alone = replace(order, schema=self.schemas[1], slack="")
        sync(alone)
        with Session(self.url, self.schemas[1]) as session:
            waiting = outbox.pending(session)
            if waiting:
                outbox.mark_delivered(session, [alert.id for alert in waiting], datetime.now(UTC))
        return [message.text for message in build_messages(waiting)]

    def deliver(self, order: Order) -> None:
        """Deliver what waits in the disturbed schema."""
        deliver(replace(order, slack=self.slack.url))

    def told(self) -> Counter[str]:
        """What Slack was told since the last question, and how often."""
        told = Counter(message["text"] for message in self.slack.taken)
        self.slack.taken.clear()
        return told

    def differences(self, found: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the disturbed schema says otherwise than the clean one; or what tables read from it earlier do."""
        return differences(found or self.disturbed.tables(), self.clean.tables())


@contextmanager
def twins(url: str, seed: int, people: int, *, latency: float = 0.0) -> Iterator[Twins]:
    """Two new schemas and a company that serves both."""
    schemas = (f"t_{uuid.uuid4().hex[:12]}", f"t_{uuid.uuid4().hex[:12]}")
    for schema in schemas:
        create_schema(url, schema)
        prepare(url, schema)
    life = Life(seed, people)
    try:
        with (
            LocalSlack() as slack, Sandbox(life.world.company, latency=latency) as sandbox,
            opened(url, schemas[0]) as disturbed, opened(url, schemas[1]) as clean,
        ):  # fmt: skip
            pair = Twins(life, sandbox, slack, url, schemas, disturbed, clean)
            try:
                yield pair
            finally:
                schemas = pair.schemas
                pair.clean.close()
    finally:
        with opened(url, schemas[0]) as state:
            for schema in schemas:
                state.query(f"DROP SCHEMA {schema} CASCADE")
