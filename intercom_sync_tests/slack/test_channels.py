"""Two channels: customers' alerts in one, what concerns the sync itself in another; neither holds back the other."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

import pytest

from intercom_sync.domain.incidents import failed_check, failed_run, partial_failure
from intercom_sync.pipeline.alert_delivery import AlertDispatcher, Delivery
from intercom_sync.slack.blocks import DIGEST_THRESHOLD, build_messages
from intercom_sync.slack.slack_client import SlackMisconfiguredError, channels, post_message, quiet_client
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.slack.samples import alert, trouble
from intercom_sync_tests.slack.server import TOKEN, LocalSlack
from intercom_sync_tests.slack.test_alert_delivery import put, rows

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def session(connect: Callable[[], Session]) -> Iterator[Session]:
    """An outbox with two alerts of customers and three notes of the sync, one of each kind."""
    with connect() as opened:
        put(opened, 2)
        with opened.transaction():
            for note in (
                failed_run("r1", "r1", "sync", "no reason", NOW),
                failed_check("raw_contacts/is_fresh", "WARN", "old", "r1", NOW),
                partial_failure("r2", 3, NOW),
            ):
                outbox.enqueue_once(opened, note)
        yield opened


@pytest.fixture
def deliver(session: Session, slack: LocalSlack) -> Callable[..., Delivery]:
    def once(operations: str = "#ops") -> Delivery:
        send = partial(post_message, quiet_client(TOKEN, slack.url))
        return AlertDispatcher(session, channels("#alerts", operations), send, lambda: 0.0, lambda _: None).deliver()

    return once


def test_customers_and_the_sync_itself_have_a_channel_each(slack: LocalSlack, deliver: Callable[..., Delivery]) -> None:
    assert str(deliver()) == "delivered 5, 0 waiting"
    assert [message["channel"] for message in slack.taken] == ["#alerts"] * 2 + ["#ops"] * 3


def test_one_channel_for_both_takes_everything(slack: LocalSlack, deliver: Callable[..., Delivery]) -> None:
    assert str(deliver("#alerts")) == "delivered 5, 0 waiting"
    assert {message["channel"] for message in slack.taken} == {"#alerts"}


@pytest.mark.parametrize(
    ("refused", "setting", "waiting"), [("#alerts", "SLACK_CHANNEL", 2), ("#ops", "SLACK_OPERATIONS_CHANNEL", 3)]
)
@pytest.mark.parametrize("word", ["channel_not_found", "not_in_channel", "is_archived"])
def test_a_channel_that_takes_nothing_does_not_hold_back_the_other(
    session: Session, slack: LocalSlack, deliver: Callable[..., Delivery], word: str, refused: str, setting: str,
    waiting: int,
) -> None:  # fmt: skip
    slack.trouble = lambda message: word if message["channel"] == refused else None
    for _ in range(2):
        with pytest.raises(
            SlackMisconfiguredError, match=rf"{refused} .*\({word}\): see {setting}\. {waiting} alerts wait"
        ):
            deliver()
    assert len(slack.taken) == 5 - waiting
    assert len(slack.requests) == 5 - waiting + 2, "one try each time"
    slack.trouble = lambda message: None
    assert str(deliver()) == f"delivered {waiting}, 0 waiting"


def test_both_channels_wrong_are_both_named(slack: LocalSlack, deliver: Callable[..., Delivery]) -> None:
    slack.trouble = lambda message: "is_archived"
    with pytest.raises(
        SlackMisconfiguredError, match=r"see SLACK_CHANNEL\. .*see SLACK_OPERATIONS_CHANNEL\. 5 alerts wait"
    ):
        deliver()


def test_one_channel_that_is_wrong_is_tried_once(slack: LocalSlack, deliver: Callable[..., Delivery]) -> None:
    slack.trouble = lambda message: "is_archived"
    with pytest.raises(SlackMisconfiguredError, match=r"see SLACK_CHANNEL\. 5 alerts wait"):
        deliver("#alerts")
    assert len(slack.requests) == 1


def test_a_refused_token_stops_both(session: Session, slack: LocalSlack, deliver: Callable[..., Delivery]) -> None:
    slack.trouble = lambda message: "token_revoked"
    with pytest.raises(SlackMisconfiguredError, match="SLACK_BOT_TOKEN"):
        deliver()
    assert len(slack.requests) == 1
    assert rows(session, "attempts") == [(1,), (0,), (0,), (0,), (0,)]


def test_no_digest_is_about_both() -> None:
    many = DIGEST_THRESHOLD + 2
    # A customer's alert of no run would share the key of the troubles.
    waiting = [made for n in range(many) for made in (alert(2 * n, run=""), trouble(2 * n + 1))]
    made = build_messages(waiting)
    assert [(message.operations, len(message.ids)) for message in made] == [(False, many), (True, many)]
