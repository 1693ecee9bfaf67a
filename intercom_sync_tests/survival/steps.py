"""Run one sync step by step, as the assets do, and deliver its alerts.

As a program it takes an order as JSON and prints the name of each step at its start.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from intercom_sync.intercom.reader import Reader
from intercom_sync.pipeline.alert_delivery import AlertDispatcher, Delivery
from intercom_sync.pipeline.publish import PublishResult
from intercom_sync.pipeline.run_plan import RunRequest, get_or_start_run
from intercom_sync.pipeline.run_sync import STEPS as SYNC_STEPS
from intercom_sync.pipeline.run_sync import run_sync
from intercom_sync.settings import Settings
from intercom_sync.slack.slack_client import channels, post_message, quiet_client
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.schema.migrate import prepare
from intercom_sync_tests.model.harness import SmallPages, instant, partition
from intercom_sync_tests.slack.server import TOKEN

STEPS = ("start", *SYNC_STEPS, "alerts")


@dataclass(frozen=True)
class Order:
    """What to sync, from where and to where; times in UNIX seconds. Without Slack, alerts are not delivered.

    `ends` is the machine's clock at the end of the run; by default a second after `as_of`.
    """

    run: str
    url: str
    schema: str
    intercom: str
    as_of: int
    full: bool = False
    start: int | None = None
    end: int | None = None
    ends: int | None = None
    slack: str = ""
    per_page: int = 20

    @property
    def asked(self) -> RunRequest:
        """Return the run request of an order: full, one window, or the changes since the last sync."""
        now = instant(self.as_of)
        if self.full:
            return RunRequest(full=True, as_of=now)
        if self.start is not None and self.end is not None:
            return RunRequest(as_of=now, start=instant(self.start), end=instant(self.end))
        return RunRequest(catch_up=True, as_of=now, end=now)

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def sync(order: Order, tell: Callable[[str], None] = lambda step: None) -> PublishResult:
    """Run all steps except the delivery."""
    tell("start")
    prepare(order.url, order.schema)
    connect = partial(Session, order.url, order.schema)
    settings = Settings.load({})
    with _client(order) as client:
        with connect() as session:
            run = get_or_start_run(session, order.run, order.asked, partition(order.as_of), instant(order.as_of))
        return run_sync(
            run,
            Reader(client, clock=client.now),
            connect,
            settings.rules,
            overlap=settings.overlap,
            clock=lambda: instant(order.ends) if order.ends else run.as_of + timedelta(seconds=1),
            before_step=tell,
        )


def deliver(order: Order) -> Delivery:
    """Deliver the pending alerts without waiting between messages."""
    with Session(order.url, order.schema) as session:
        send = partial(post_message, quiet_client(TOKEN, order.slack))
        return AlertDispatcher(session, channels("#alerts", "#alerts"), send, lambda: 0.0, lambda _: None).deliver()


def _client(order: Order) -> SmallPages:
    client = SmallPages(
        "tok_invented", base_url=order.intercom, contacts_per_second=None,
        sleep=lambda seconds: time.sleep(min(seconds, 0.01)),
    )  # fmt: skip
    client.per_page = order.per_page
    return client


def main(text: str) -> None:
    order = Order(**json.loads(text))

    def tell(step: str) -> None:
        print(step, f"{datetime.now(UTC).timestamp():.3f}", flush=True)

    sync(order, tell)
    if order.slack:
        tell("alerts")
        deliver(order)
    tell("end")


if __name__ == "__main__":
    main(sys.argv[1])
