"""Deliver the outbox: build messages from pending alerts, post them to Slack, and mark them as delivered.

Delivery is at least once, and exactly once whenever Slack's response arrives. Only one process delivers at a time, a
message is marked in its own transaction right after the response, and no message is sent again while a response is
outstanding.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from intercom_sync.slack.blocks import Message, build_messages
from intercom_sync.slack.slack_client import (
    Channel,
    Channels,
    Outcome,
    PostResult,
    SlackMisconfiguredError,
    SlackUnavailableError,
)
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.postgres.session import Session

BUDGET_SECONDS = 40.0
"""The time limit of one delivery; Dagster stops a sensor after 60 s."""

MESSAGE_INTERVAL_SECONDS = 1.1
"""The time between messages; Slack accepts one message per second and channel."""


@dataclass
class Delivery:
    """The result of one delivery.

    Attributes:
        alerts: the number of delivered alerts.
        messages: the number of messages they were sent in.
        wait_seconds: how long Slack asks to wait from now on; 0 if it does not.
        busy: whether another process is delivering, so that this one did nothing.
        refusals: why a channel accepts no messages, by channel; its messages stay pending, other channels continue.
        unknown_refusal: a refusal for an unknown reason; its alerts stay pending, other alerts continue.
        backlog: the undelivered alerts.
    """

    alerts: int = 0
    messages: int = 0
    wait_seconds: int = 0
    busy: bool = False
    refusals: dict[Channel, str] = field(default_factory=dict)
    unknown_refusal: str = ""
    backlog: outbox.Backlog = field(default_factory=lambda: outbox.Backlog(0, 0))

    def __str__(self) -> str:
        """Describe the delivery in one line, without any customer's data."""
        if self.busy:
            return "another process is delivering"
        parts = [f"delivered {self.alerts}, {self.backlog.pending} waiting"]
        if self.backlog.dead_lettered:
            parts.append(f"{self.backlog.dead_lettered} set aside ({self.backlog.last_refusal})")
        if self.wait_seconds:
            parts.append(f"Slack asks to wait {self.wait_seconds} s")
        return ", ".join(parts)


class AlertDispatcher:
    """Sends messages at Slack's rate limit within a time budget.

    Args:
        session: the database; its session holds the delivery lock during a delivery.
        channels: the channels of messages.
        send: sends one message, without retries.
        clock: a monotonic clock in seconds.
        sleep: waits a number of seconds.
    """

    def __init__(
        self,
        session: Session,
        channels: Channels,
        send: Callable[[Channel, Message], PostResult],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._session = session
        self._channels = channels
        self._send = send
        self._clock = clock
        self._sleep = sleep
        self._until = clock() + BUDGET_SECONDS
        self._next_at = clock()

    def deliver(self) -> Delivery:
        """Deliver pending alerts until the time budget is used up.

        Raises:
            SlackMisconfiguredError: a setting must be corrected first; undelivered alerts stay pending.
            SlackUnavailableError: Slack is unavailable; messages that it accepted before are marked as delivered.
        """
        delivery = Delivery()
        if not outbox.try_lock(self._session):
            delivery.busy = True
            return delivery
        try:
            self._deliver_all(delivery)
        finally:
            self._session.release_advisory_locks()
        return delivery

    def _deliver_all(self, delivery: Delivery) -> None:
        for message in build_messages(outbox.pending(self._session)):
            if self._channels.of(message) not in delivery.refusals and not self._deliver_one(message, delivery):
                break
        if delivery.refusals:
            raise SlackMisconfiguredError(f"{' '.join(delivery.refusals.values())} {self._pending_note()}")
        if delivery.unknown_refusal:
            raise SlackUnavailableError(
                f"Slack refuses ({delivery.unknown_refusal}); {delivery.alerts} were delivered. {self._pending_note()}"
            )
        delivery.backlog = outbox.backlog(self._session)

    def _deliver_one(self, message: Message, delivery: Delivery) -> bool:
        """Send one message, waiting for the rate limit; return False if the time budget is used up first."""
        while self._wait_for_turn():
            response = self._send(self._channels.of(message), message)
            self._next_at = self._clock() + MESSAGE_INTERVAL_SECONDS
            if response.outcome is Outcome.RATE_LIMITED:
                self._next_at = self._clock() + response.wait_seconds
                delivery.wait_seconds = response.wait_seconds
                continue
            delivery.wait_seconds = 0
            self._record(message, response, delivery)
            return True
        return False

    def _wait_for_turn(self) -> bool:
        """Wait until a message may be sent; return False if that is after the end of the time budget."""
        if self._next_at >= self._until:
            return False
        pause = self._next_at - self._clock()
        if pause > 0:
            self._sleep(pause)
        return True

    def _record(self, message: Message, response: PostResult, delivery: Delivery) -> None:
        if response.outcome is Outcome.DELIVERED:
            outbox.mark_delivered(self._session, message.ids, datetime.now(UTC))
            delivery.alerts += len(message.ids)
            delivery.messages += 1
            return
        outbox.mark_failed(self._session, message.ids, response.reason, response.outcome is Outcome.REJECTED)
        if response.outcome is Outcome.UNKNOWN_REJECTION:
            delivery.unknown_refusal = response.reason
        if response.outcome is Outcome.CHANNEL_MISCONFIGURED:
            delivery.refusals[self._channels.of(message)] = response.reason
        if response.outcome is Outcome.MISCONFIGURED:
            raise SlackMisconfiguredError(f"{response.reason} {self._pending_note()}")
        if response.outcome is Outcome.UNAVAILABLE:
            raise SlackUnavailableError(
                f"{response.reason}; {delivery.alerts} were delivered before. {self._pending_note()}"
            )

    def _pending_note(self) -> str:
        return f"{outbox.backlog(self._session).pending} alerts wait in customer_alerts."
