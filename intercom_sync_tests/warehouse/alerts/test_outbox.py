"""The outbox on a real Postgres: what goes in once, and what comes out until it is delivered."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from intercom_sync.domain.incidents import Evaluation, failed_run
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.window import Window
from intercom_sync.pipeline.customer_alerts import enqueue_alerts
from intercom_sync.pipeline.record_incidents import record_evaluation
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.state.runs import SyncRun

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUN = SyncRun("run-1", NOW, Window(NOW - timedelta(hours=6), NOW), False, NOW)


@pytest.fixture
def session(connect):
    with connect() as opened:
        yield opened


def put(session, *rows):
    frame = pl.DataFrame(rows, schema=dict.fromkeys(("kind", "email", "details"), pl.String), orient="row")
    with session.transaction():
        enqueue_alerts(session, frame, RUN, Rules())


def landed(session, contacts, conversations, messages):
    with session.transaction():
        for contact, email, workspace in contacts:
            payload = json.dumps({"workspace_id": workspace} if workspace else {})
            session.execute(
                "INSERT INTO intercom_contacts (id, email, created_at, updated_at, payload) "
                "VALUES ($1, $2, $3, $3, $4::text::json)",
                contact, email, NOW, payload,
            )  # fmt: skip
        for conversation, who in conversations:
            session.execute(
                "INSERT INTO intercom_conversations (id, created_at, updated_at, open, contact_ids, parts_pending) "
                "VALUES ($1, $2, $2, TRUE, string_to_array($3, ','), FALSE)",
                conversation, NOW, ",".join(who),
            )  # fmt: skip
        for conversation, number, author, at, text in messages:
            session.execute(
                "INSERT INTO intercom_messages VALUES ($1, $2, $3, $4, $5, $6::int::boolean, 'r')",
                conversation, str(number), author, at, text, int("cancel" in text),
            )  # fmt: skip


def details(session):
    return {alert.email: alert.details for alert in outbox.pending(session)}


def test_a_cancel_mention_carries_the_newest_words_of_that_customer(session):
    landed(
        session,
        [("c1", "Ann@example.com", "ws1"), ("c2", "bob@example.com", None)],
        [("77", ["c1"]), ("78", ["c1"]), ("79", ["c1", "c2"])],
        [
            ("77", 1, "c1", NOW - timedelta(days=3), "old: cancel"),
            ("78", 2, "old-lead", NOW - timedelta(days=2), "newest: cancel"),
            ("78", 3, "c1", NOW - timedelta(days=1), "thanks"),
            ("79", 4, "c2", NOW - timedelta(hours=1), "bob's: cancel"),
            ("77", 5, "c1", NOW + timedelta(hours=1), "from the future: cancel"),
            ("77", 6, "c1", NOW - timedelta(days=31), "too old: cancel"),
        ],
    )
    put(session, *(("cancel_mention", email, '{"mrr": "9.00"}') for email in ("ann@example.com", "bob@example.com")))
    assert details(session) == {
        "ann@example.com": {
            "mrr": "9.00",
            "excerpt": "newest: cancel",
            "said_at": "2026-02-27T12:00:00+00:00",
            "conversation_url": "https://app.intercom.com/a/inbox/ws1/inbox/conversation/78",
        },
        "bob@example.com": {
            "mrr": "9.00",
            "excerpt": "bob's: cancel",
            "said_at": "2026-03-01T11:00:00+00:00",
            "conversation_url": "https://app.intercom.com/a/apps/_/conversations/79",
        },
    }


def test_an_alert_without_its_words_goes_out_all_the_same(session):
    put(session, ("cancel_mention", "ann@example.com", '{"mrr": "9.00"}'), ("mrr_change", "b@example.com", "{}"))
    assert details(session) == {"ann@example.com": {"mrr": "9.00"}, "b@example.com": {}}


def test_a_note_is_told_once(session):
    for again in range(3):
        with session.transaction():
            new = outbox.enqueue_once(session, failed_run(f"run-{again}", "run-0", "sync", "no reason", NOW))
        assert new is (again == 0)
    assert [alert.run_id for alert in outbox.pending(session)] == ["run-0"]


def test_a_note_that_was_delivered_is_not_told_again(session):
    note = failed_run("run-0", "run-0", "sync", "no reason", NOW)
    with session.transaction():
        outbox.enqueue_once(session, note)
    outbox.mark_delivered(session, [alert.id for alert in outbox.pending(session)], NOW)
    with session.transaction():
        assert not outbox.enqueue_once(session, note)
    assert outbox.pending(session) == []


def test_what_was_not_delivered_waits_with_the_reason_however_often_slack_was_down(session):
    put(session, ("mrr_change", "ann@example.com", "{}"))
    (alert,) = outbox.pending(session)
    for _ in range(10):
        outbox.mark_failed(session, [alert.id], "Slack does not answer", refused=False)
    assert outbox.pending(session) == [alert]
    with session.transaction():
        assert session.frame("SELECT attempts, last_error FROM customer_alerts").rows() == [
            (10, "Slack does not answer")
        ]


def test_what_slack_refuses_for_what_it_says_is_set_aside_with_the_reason(session):
    put(session, ("mrr_change", "ann@example.com", "{}"), ("mrr_change", "bob@example.com", "{}"))
    poison, good = outbox.pending(session)
    for _ in range(outbox.MAX_REFUSALS):
        outbox.mark_failed(session, [poison.id], "invalid_blocks", refused=True)
    assert outbox.pending(session) == [good]
    assert outbox.backlog(session) == outbox.Backlog(1, 1, f"customer_alerts {poison.id}: invalid_blocks")


def test_one_process_delivers_at_a_time(connect):
    with connect() as first, connect() as second:
        assert outbox.try_lock(first)
        assert not outbox.try_lock(second)
        first.release_advisory_locks()
        assert outbox.try_lock(second)


def evaluation(hours, passed):
    at = NOW + timedelta(hours=hours)
    return Evaluation("unified_customers/emails_are_unique", passed, "ERROR", "2 rows", "r", at)


@pytest.mark.parametrize(
    ("verdicts", "notified_at"),
    [
        ([(0, True), (6, False)], [6]),
        ([(0, False)], [0]),
        ([(0, False), (6, False), (12, False), (18, False)], [0]),
        ([(0, False), (6, False), (24, False), (30, False), (48, False)], [0, 24, 48]),
        ([(0, False), (6, True), (12, False)], [0, 12]),
        ([(0, False), (6, True), (0, False), (6, True)], [0]),  # read again
        ([(0, False), (6, False), (0, False), (6, False)], [0]),
    ],
)
def test_a_check_is_told_of_when_it_begins_to_fail_and_then_once_a_day(session, verdicts, notified_at):
    for hours, passed in verdicts:
        with session.transaction():
            record_evaluation(session, evaluation(hours, passed))
    assert [alert.created_at for alert in outbox.pending(session)] == [NOW + timedelta(hours=h) for h in notified_at]
    for alert in outbox.pending(session):
        assert alert.details["sentence"] == "The check unified_customers/emails_are_unique failed (ERROR): 2 rows"


def test_an_outbox_of_an_earlier_version_gets_what_is_missing(connect, database_url, schema):
    from intercom_sync.warehouse.schema.migrate import prepare

    with connect() as session:
        put(session, ("mrr_change", "ann@example.com", "{}"))
        with session.transaction():
            session.execute("ALTER TABLE customer_alerts DROP COLUMN dedupe_key, DROP COLUMN refusal_count")
            session.execute("DROP TABLE check_states")
    prepare(database_url, schema)
    with connect() as session:
        assert [alert.refusal_count for alert in outbox.pending(session)] == [0]
        with session.transaction():
            assert outbox.enqueue_once(session, failed_run("a", "a", "sync", "no reason", NOW))
            assert not outbox.enqueue_once(session, failed_run("a", "a", "sync", "no reason", NOW))
