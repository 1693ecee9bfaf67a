"""A database of release 0001 is upgraded by the next sync, which continues where that release stopped.

The dump holds what that release wrote of the workspace below: two full syncs, one window, the erasure of a person, and
a full sync that broke off after 150 of 162 conversations.
"""

import pytest

from intercom_sync.orchestration.run_events import record_ended
from intercom_sync.sandbox.builders import subscription
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.end_to_end.scenario import DAY, HOUR, NOW, Row, Scenario, Synced, person, talk
from intercom_sync_tests.warehouse.schema.release_0001 import restore

_BEFORE = NOW - 6 * DAY


@pytest.fixture
def upgraded(scenario: Scenario, database_url: str, schema: str) -> Scenario:
    """The workspace of the dump and the database of the dump, whose last sync broke off an hour ago."""
    scenario.put(
        person("c1", "ada@example.com", stripe=_paying(60_000), updated=_BEFORE),
        person("c2", "bob@example.com", stripe=_paying(70_000), updated=NOW - 2 * DAY + HOUR),
        person("c3", "not an address", updated=_BEFORE),
        person("c4", "dan@example.com", stripe={"stripe_delinquent": True}, updated=_BEFORE),
        person("c5", "eve@example.com", updated=_BEFORE),
        person("c6", "fay@example.com", updated=_BEFORE),
    )
    scenario.talks(talk("500", "c1", "Hello", "please cancel", created=_BEFORE), talk("501", "c2", created=_BEFORE))
    scenario.talks(*(talk(str(1000 + n), "c1", created=NOW - 60 * DAY + n * HOUR) for n in range(160)))
    restore(database_url, schema)
    scenario.rows("UPDATE sync_readings SET begun_at = clock_timestamp() - interval '1 hour'")
    recent = "clock_timestamp() - interval '1 hour'"
    scenario.rows(f"UPDATE check_verdicts SET told_at = {recent}, evaluated_at = {recent} WHERE NOT passed")
    return scenario


def _paying(amount: int) -> dict[str, object]:
    return {"Stripe Subscriptions": [subscription(amount=amount)]}


def _alerts(scenario: Scenario) -> list[Row]:
    names = "id, kind, email, details::text, run, created_at, delivered_at, attempts, last_error"
    return scenario.rows(f"SELECT {names} FROM customer_alerts ORDER BY id")


def _record(scenario: Scenario, synced: Synced, database_url: str, schema: str) -> None:
    """Put into the outbox what is news of a run, as the sensor does."""
    runs = scenario.instance.get_run_records()
    (record,) = [one for one in runs if one.dagster_run.run_id == synced.result.run_id]
    with Session(database_url, schema) as session:
        record_ended(scenario.instance, session, record)


def test_no_row_is_lost_and_no_alert_is_created_again(upgraded: Scenario) -> None:
    customers = upgraded.rows("SELECT email, customer_id, mrr, is_delinquent FROM unified_customers ORDER BY email")
    alerts = _alerts(upgraded)
    assert [alert["delivered_at"] is None for alert in alerts] == [False] * 5 + [True] * 2
    synced = upgraded.sync(full=True)
    assert (synced.counts[0], synced.counts[3]) == (0, 0)
    assert _alerts(upgraded) == alerts
    kept = upgraded.rows("SELECT email, customer_id, mrr, is_delinquent FROM unified_customers ORDER BY email")
    assert kept == customers
    assert upgraded.emails() == ["ada@example.com", "bob@example.com", "dan@example.com", "fay@example.com"]
    assert upgraded.customer("ada@example.com")["intercom_convos_total"] == 161
    assert upgraded.values("SELECT count(*) FROM sync_runs WHERE status = 'succeeded'") == [4]


def test_the_extraction_that_broke_off_is_resumed(upgraded: Scenario) -> None:
    synced = upgraded.sync(full=True)
    assert synced.read == (0, 12)
    searches = upgraded.requests(lambda one: b'"created_at"' in one.raw)
    assert [request.path for request in searches] == ["/conversations/search"]
    for table in ("sync_extractions", "sync_seen_ids", "sync_checkpoints"):
        assert upgraded.values(f"SELECT count(*) FROM {table}") == [0]


def test_a_check_that_keeps_failing_is_not_notified_again(upgraded: Scenario, database_url: str, schema: str) -> None:
    upgraded.put(person("c7", "gus@example.com", updated=_BEFORE))  # no window covers it: it arrives late, as c6 did
    upgraded.rows("DELETE FROM sync_readings")
    notified = "SELECT details->>'check' FROM customer_alerts WHERE kind = 'failed_check' ORDER BY id"
    known = upgraded.values(notified)
    assert known == ["raw_contacts/emails_valid", "raw_contacts/windows_complete"]
    synced = upgraded.sync(full=True, checked=True)
    _record(upgraded, synced, database_url, schema)
    failing = upgraded.values("SELECT check_name FROM check_states WHERE NOT passed ORDER BY check_name")
    assert failing[:2] == ["raw_contacts/emails_valid", "raw_contacts/no_late_arrivals"]
    # Of the failing ones only that of the old conversations is new.
    assert upgraded.values(notified) == [*known, "raw_conversations/no_late_arrivals"]
