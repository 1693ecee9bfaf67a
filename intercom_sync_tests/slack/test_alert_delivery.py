"""Delivering a real outbox to a local Slack that fails in all the ways Slack does."""

import json
import logging
import random
import re
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from threading import Thread

import polars as pl
import pytest

from intercom_sync.domain.alerts import decide_alerts
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.window import Window
from intercom_sync.pipeline.alert_delivery import BUDGET_SECONDS, MESSAGE_INTERVAL_SECONDS, AlertDispatcher
from intercom_sync.slack.slack_client import (
    SlackMisconfiguredError,
    SlackUnavailableError,
    channels,
    post_message,
    quiet_client,
)
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.state.runs import SyncRun
from intercom_sync_tests.slack.server import TOKEN, LocalSlack, said

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def session(connect):
    with connect() as opened:
        yield opened


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def deliver(connect, slack, clock):
    def once(token=TOKEN, url=None):
        with connect() as session:
            send = partial(post_message, quiet_client(token, url or slack.url))
            return AlertDispatcher(session, channels("#alerts", "#alerts"), send, clock, clock.sleep).deliver()

    return once


def put(session, count, each_run=1, kind="mrr_change"):
    """Put alerts of customers 0, 1, 2 … into the outbox, so many a run."""
    for first in range(0, count, each_run):
        run = SyncRun(f"run-{first}", NOW, Window(NOW - timedelta(hours=6), NOW), False, NOW)
        rows = [(kind, f"c{n}@example.com", '{"mrr": "600.00"}') for n in range(first, min(first + each_run, count))]
        frame = pl.DataFrame(rows, schema=dict.fromkeys(("kind", "email", "details"), pl.String), orient="row")
        with session.transaction():
            outbox.enqueue(session, frame, run)


def customers(messages):
    return [int(found) for message in messages for found in re.findall(r"c(\d+)@", message["text"])]


def rows(session, columns):
    with session.transaction():
        return session.frame(f"SELECT {columns} FROM customer_alerts ORDER BY id").rows()


def test_every_alert_is_delivered_once_in_order_and_noted(session, slack, deliver):
    put(session, 6)
    assert str(deliver()) == "delivered 6, 0 waiting"
    assert str(deliver()) == "delivered 0, 0 waiting"
    assert customers(slack.taken) == list(range(6))
    assert {message["channel"] for message in slack.taken} == {"#alerts"}
    assert rows(session, "delivered_at IS NOT NULL, attempts, last_error") == [(True, 1, None)] * 6


def test_slack_gets_no_more_than_a_message_a_second(session, deliver, clock):
    put(session, 5)
    deliver()
    assert clock.slept == [MESSAGE_INTERVAL_SECONDS] * 4


def test_a_delivery_ends_in_time_and_the_next_goes_on(session, slack, deliver, clock):
    put(session, 50)
    first = deliver()
    assert clock.now < BUDGET_SECONDS
    assert first.alerts < 50
    assert str(first) == f"delivered {first.alerts}, {50 - first.alerts} waiting"
    deliver()
    assert customers(slack.taken) == list(range(50))


def test_a_slack_that_is_down_delays_alerts_and_loses_none(session, slack, deliver):
    put(session, 3)
    slack.trouble = lambda message: 500 if "c1@" in message["text"] else None
    with pytest.raises(
        SlackUnavailableError, match=r"^Slack is unavailable \(500\); 1 were delivered before. 2 alerts wait"
    ):
        deliver()
    assert rows(session, "delivered_at IS NOT NULL, attempts, last_error") == [
        (True, 1, None), (False, 1, "Slack is unavailable (500)"), (False, 0, None),
    ]  # fmt: skip
    slack.trouble = lambda message: None
    assert str(deliver()) == "delivered 2, 0 waiting"
    assert customers(slack.taken) == [0, 1, 2]


def test_a_refused_connection_is_an_outage(session, deliver):
    with LocalSlack() as gone:
        pass
    put(session, 1)
    for _ in range(9):
        with pytest.raises(SlackUnavailableError, match="Slack does not answer"):
            deliver(url=gone.url)
    assert str(deliver()) == "delivered 1, 0 waiting"


def test_a_lost_answer_is_the_one_case_that_is_sent_twice(session, slack, deliver):
    put(session, 3)
    lost = iter(["lost"])
    slack.trouble = lambda message: next(lost, None) if "c1@" in message["text"] else None
    with pytest.raises(SlackUnavailableError, match="does not answer"):
        deliver()
    assert customers(slack.taken) == [0, 1], "one request, and not tried again in the dark"
    deliver()
    assert customers(slack.taken) == [0, 1, 1, 2]


def test_a_short_wait_that_slack_asks_for_is_waited(session, slack, deliver, clock):
    put(session, 2)
    asked = iter([("wait", 7)])
    slack.trouble = lambda message: next(asked, None)
    assert str(deliver()) == "delivered 2, 0 waiting"
    assert clock.slept == pytest.approx([7, MESSAGE_INTERVAL_SECONDS])
    assert rows(session, "attempts") == [(1,), (1,)]


def test_a_long_wait_is_left_to_a_later_delivery(session, slack, deliver):
    put(session, 2)
    slack.trouble = lambda message: ("wait", 300) if "c1@" in message["text"] else None
    done = deliver()
    assert str(done) == "delivered 1, 1 waiting, Slack asks to wait 300 s"
    assert done.wait_seconds == 300
    assert len(slack.requests) == 2


@pytest.mark.parametrize("word", ["invalid_blocks", "msg_too_long", "no_text"])
def test_a_poison_message_is_set_aside_and_blocks_nobody(session, slack, deliver, word):
    put(session, 3)
    slack.trouble = lambda message: word if "c1@" in said(message) else None
    assert str(deliver()) == "delivered 2, 1 waiting"
    assert str(deliver()) == "delivered 0, 1 waiting"
    number = rows(session, "id")[1][0]
    assert str(deliver()) == f"delivered 0, 0 waiting, 1 set aside (customer_alerts {number}: {word})"
    assert str(deliver()) == f"delivered 0, 0 waiting, 1 set aside (customer_alerts {number}: {word})"
    assert rows(session, "delivered_at IS NOT NULL, attempts, last_error")[1] == (False, 3, word)
    assert customers(slack.taken) == [0, 2]


def test_blocks_that_slack_refuses_are_said_in_plain_words_next(session, slack, deliver):
    put(session, 1)
    slack.trouble = lambda message: "invalid_blocks" if message.get("blocks") else None
    deliver()
    assert str(deliver()) == "delivered 1, 0 waiting"


def test_one_poison_alert_does_not_take_its_digest_along(session, slack, deliver):
    put(session, 40, each_run=40)
    slack.trouble = lambda message: "invalid_blocks" if "c10@" in said(message) else None
    assert str(deliver()) == "delivered 0, 40 waiting"
    assert str(deliver()) == "delivered 40, 0 waiting"


def test_a_refusal_that_is_not_known_loses_nothing_and_blocks_nobody(session, slack, deliver):
    put(session, 3)
    slack.trouble = lambda message: "brand_new_error" if "c1@" in said(message) else None
    for _ in range(5):
        with pytest.raises(SlackUnavailableError, match="brand_new_error"):
            deliver()
    assert customers(slack.taken) == [0, 2]
    slack.trouble = lambda message: None
    assert str(deliver()) == "delivered 1, 0 waiting"


@pytest.mark.parametrize(
    ("word", "setting"),
    [
        ("channel_not_found", "SLACK_CHANNEL"),
        ("not_in_channel", "SLACK_CHANNEL"),
        ("is_archived", "SLACK_CHANNEL"),
        ("invalid_auth", "SLACK_BOT_TOKEN"),
        ("missing_scope", "SLACK_BOT_TOKEN"),
        (404, "SLACK_API_URL"),
    ],
)
def test_what_only_a_person_can_mend_stops_the_delivery_and_loses_nothing(session, slack, deliver, word, setting):
    put(session, 3)
    slack.trouble = lambda message: word
    for _ in range(5):
        with pytest.raises(SlackMisconfiguredError, match=f"{setting}.*3 alerts wait"):
            deliver()
    assert len(slack.requests) == 5, "one try each"
    slack.trouble = lambda message: None
    assert str(deliver()) == "delivered 3, 0 waiting"


def test_neither_the_token_nor_a_customer_reaches_an_error_or_the_log(session, slack, deliver, caplog):
    caplog.set_level(logging.INFO)
    put(session, 2)
    told = []
    for trouble in (500, "lost", "invalid_auth", "brand_new_error", "invalid_blocks", ("wait", 99)):
        slack.trouble = lambda message, trouble=trouble: trouble
        try:
            told.append(str(deliver()))
        except (SlackUnavailableError, SlackMisconfiguredError) as error:
            told.append(str(error))
    told += [record.getMessage() for record in caplog.records] + [str(rows(session, "last_error"))]
    assert not re.search(rf"{TOKEN}|example\.com|600", "\n".join(told))


def test_two_deliveries_at_once_send_nothing_twice(session, slack, connect):
    put(session, 30)

    def repeatedly():
        for _ in range(10):
            with connect() as own:
                send = partial(post_message, quiet_client(TOKEN, slack.url))
                AlertDispatcher(own, channels("#alerts", "#alerts"), send, Clock(), lambda _: None).deliver()

    threads = [Thread(target=repeatedly) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(customers(slack.taken)) == list(range(30))


def test_a_first_full_sync_of_20_000_customers_is_one_message(session, slack, deliver):
    money = pl.Decimal(38, 6)
    found = decide_alerts(
        pl.select(pl.int_range(20_000).alias("n")).select(
            email_key=pl.format("c{}@example.com", "n"),
            existed=pl.lit(False),
            before_mrr=pl.lit(None, money),
            after_mrr=(pl.col("n") % 2_000).cast(money),
            before_mentioned_cancel=pl.lit(None, pl.Boolean),
            after_mentioned_cancel=pl.col("n") % 20 == 0,
            before_is_delinquent=pl.lit(None, pl.Boolean),
            after_is_delinquent=pl.col("n") % 10 == 0,
            after_name=pl.format("Customer {} <&>", "n"),
            after_plan_name=pl.lit("Pro & more"),
            after_last_payment_amount=pl.lit(Decimal(9), money),
            after_last_payment_date=pl.lit(NOW),
            after_stripe_customer_id=pl.format("cus_{}", "n"),
            before_currency=pl.lit("usd"),
            after_currency=pl.lit("usd"),
            after_mixed_currencies=pl.lit(False),
        ),
        Rules(),
    )
    run = SyncRun("first", NOW, Window(NOW - timedelta(hours=6), NOW), True, NOW)
    with session.transaction():
        outbox.enqueue(session, found, run)
    assert str(deliver()) == f"delivered {found.height}, 0 waiting"
    assert found.height == 14_990 + 1_000 + 2_000
    (digest,) = slack.taken
    assert digest["text"].startswith("17,990 alerts: 14,990 new high-value customers, 1,000 cancel mentions, 2,000 ")
    assert len(json.loads(digest["blocks"])) == 5


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_delivery_that_is_killed_again_and_again_loses_nothing(session, slack, database_url, schema, seed):
    """Twice is sent only what was in the air when the process was killed, or when Slack's answer was lost."""
    alerts, chance = 60, random.Random(seed)
    put(session, alerts)
    lost: set[int] = set()
    in_the_air: list[set[int]] = []

    def trouble(message):
        time.sleep(0.003)
        drawn = chance.random()
        if drawn < 0.03:
            lost.update(customers([message]))
            return "lost"
        return 500 if drawn < 0.06 else ("wait", 1) if drawn < 0.09 else "cut" if drawn < 0.11 else None

    slack.trouble = trouble
    kills = 0
    while outbox.backlog(session).pending:
        child = subprocess.Popen(
            [sys.executable, "-m", "intercom_sync_tests.slack.deliver_once", database_url, schema, slack.url],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert child.stdout.readline() == "ready\n"
        if kills < 6:
            time.sleep(chance.uniform(0, 0.12))
            child.kill()
            kills += 1
        child.communicate()
        slack.settle()
        waiting = {int(alert.email[1:].split("@")[0]) for alert in outbox.pending(session)}
        in_the_air.append(waiting & set(customers(slack.taken)) - lost)
    counts = Counter(customers(slack.taken))
    twice = {customer for customer, times in counts.items() if times > 1}
    print(
        f"seed {seed}: {alerts} alerts, {len(counts)} delivered, {kills} kills, {len(lost)} answers lost, "
        f"{len(slack.taken) - alerts} sent again"
    )
    assert set(counts) == set(range(alerts))
    assert all(len(one) <= 1 for one in in_the_air)
    assert twice <= lost.union(*in_the_air)
    assert rows(session, "delivered_at IS NOT NULL") == [(True,)] * alerts
