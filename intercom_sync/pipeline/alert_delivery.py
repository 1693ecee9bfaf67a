"""Deliver the outbox: waiting alerts into messages, messages to Slack, each noted as soon as Slack has taken it.

At least once, and once whenever Slack's answer arrives: only one process delivers at a time, a message is noted in a
transaction of its own right after its answer, and nothing is sent again while an answer may still come.
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
"""So long may one delivery take; Dagster gives a sensor 60 s."""

MESSAGE_INTERVAL_SECONDS = 1.1
"""Slack takes a message a second in a channel."""


@dataclass
class Delivery:
    """What one delivery did.

    Attributes:
        alerts: alerts delivered.
        messages: messages they went out as.
        wait: seconds that Slack asks to be left alone from now on; 0 when it does not.
        busy: whether another process delivers, so that this one did nothing.
        refusals: why channels take nothing; their messages wait, those of another channel go on.
        puzzle: a refusal whose reason is not known here; the alert waits and the others go on.
        backlog: what is left.
    """

    alerts: int = 0
    messages: int = 0
    wait_seconds: int = 0
    busy: bool = False
    refusals: dict[Channel, str] = field(default_factory=dict)
    unknown_refusal: str = ""
    backlog: outbox.Backlog = field(default_factory=lambda: outbox.Backlog(0, 0))

    def __str__(self) -> str:
        """Return it as a line for people, without any customer's data."""
        if self.busy:
            return "another process is delivering"
        parts = [f"delivered {self.alerts}, {self.backlog.pending} waiting"]
        if self.backlog.dead_lettered:
            parts.append(f"{self.backlog.dead_lettered} set aside ({self.backlog.last_refusal})")
        if self.wait_seconds:
            parts.append(f"Slack asks to wait {self.wait_seconds} s")
        return ", ".join(parts)


class AlertDispatcher:
    """Sends messages at Slack's pace within a budget of time.

    Args:
        session: the outbox; claimed as long as it delivers.
        channels: where messages go.
        send: sends one message once.
        clock: seconds that only grow.
        sleep: waits so many seconds.
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
        """Deliver what waits, as far as the time goes.

        Raises:
            SlackSetupError: a setting must be mended first; what waits goes on waiting.
            SlackAwayError: Slack is down; what it took before is noted.
        """
        done = Delivery()
        if not outbox.try_lock(self._session):
            done.busy = True
            return done
        try:
            self._deliver_all(done)
        finally:
            self._session.release_advisory_locks()
        return done

    def _deliver_all(self, done: Delivery) -> None:
        for message in build_messages(outbox.pending(self._session)):
            if self._channels.of(message) not in done.refusals and not self._deliver_one(message, done):
                break
        if done.refusals:
            raise SlackMisconfiguredError(f"{' '.join(done.refusals.values())} {self._left()}")
        if done.unknown_refusal:
            raise SlackUnavailableError(
                f"Slack refuses ({done.unknown_refusal}); {done.alerts} were delivered. {self._left()}"
            )
        done.backlog = outbox.backlog(self._session)

    def _deliver_one(self, message: Message, done: Delivery) -> bool:
        """Send one message; return whether there is time for another."""
        while self._wait_for_turn():
            answer = self._send(self._channels.of(message), message)
            self._next_at = self._clock() + MESSAGE_INTERVAL_SECONDS
            if answer.outcome is Outcome.RATE_LIMITED:
                self._next_at = self._clock() + answer.wait_seconds
                done.wait_seconds = answer.wait_seconds
                continue
            done.wait_seconds = 0
            self._note(message, answer, done)
            return True
        return False

    def _wait_for_turn(self) -> bool:
        """Wait until a message may be sent; False when that is past the budget."""
        if self._next_at >= self._until:
            return False
        pause = self._next_at - self._clock()
        if pause > 0:
            self._sleep(pause)
        return True

    def _note(self, message: Message, answer: PostResult, done: Delivery) -> None:
        if answer.outcome is Outcome.DELIVERED:
            outbox.mark_delivered(self._session, message.ids, datetime.now(UTC))
            done.alerts += len(message.ids)
            done.messages += 1
            return
        outbox.mark_failed(self._session, message.ids, answer.reason, answer.outcome is Outcome.REJECTED)
        if answer.outcome is Outcome.UNKNOWN_REJECTION:
            done.unknown_refusal = answer.reason
        if answer.outcome is Outcome.CHANNEL_MISCONFIGURED:
            done.refusals[self._channels.of(message)] = answer.reason
        if answer.outcome is Outcome.MISCONFIGURED:
            raise SlackMisconfiguredError(f"{answer.reason} {self._left()}")
        if answer.outcome is Outcome.UNAVAILABLE:
            raise SlackUnavailableError(f"{answer.reason}; {done.alerts} were delivered before. {self._left()}")

    def _left(self) -> str:
        return f"{outbox.backlog(self._session).pending} alerts wait in customer_alerts."
