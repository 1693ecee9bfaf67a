"""An upgrade whose rules have another version: what is stored is computed again once, and nothing is read anew.

An older version is played by what it would have left behind: other results, under the fingerprint of its rules.
"""

from datetime import timedelta

import pytest

from intercom_sync.sandbox.builders import subscription
from intercom_sync_tests.end_to_end.scenario import DAY, NOW, Scenario, person, talk

_EMAIL = "ada@example.com"
_STRIPE = {"Stripe Subscriptions": [subscription(amount=60_000)]}


def test_contacts_that_do_not_change_are_computed_again_once(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL, name="  Ada ", stripe=_STRIPE), person("c2", "bob@example.com"))
    scenario.sync(full=True)
    scenario.rows("UPDATE revenue_metrics SET mrr = 1, currency = 'xxx', rules_hash = 'older'")
    scenario.rows("UPDATE intercom_contacts SET name = 'Ada', email = 'other@example.com' WHERE id = 'c1'")
    synced = scenario.sync(NOW + 9 * DAY)
    assert synced.read == (0, 0)
    ada = scenario.customer(_EMAIL)
    assert (ada["name"], ada["mrr"], ada["currency"], ada["intercom_deleted_at"]) == ("  Ada ", 600, "usd", None)
    assert scenario.emails() == [_EMAIL, "bob@example.com"]
    assert synced.metadata("revenue_metrics")["contacts_recomputed"] == 2
    assert scenario.sync(NOW + 10 * DAY).metadata("revenue_metrics")["contacts_recomputed"] == 0


def test_a_contact_that_newer_rules_refuse_keeps_what_it_was_and_is_judged_once(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario.put(person("c1", _EMAIL, stripe={**_STRIPE, "stripe_subscription_status": "paused"}))
    scenario.sync(full=True)
    monkeypatch.setenv("INTERCOM_SYNC_SUBSCRIPTION_STATUSES", "active")
    scenario.sync(NOW + DAY)
    rules = scenario.values("SELECT rules_hash FROM revenue_metrics")
    assert rules == scenario.values("SELECT rules_hash FROM rejected_records")
    assert scenario.customer(_EMAIL)["mrr"] == 600
    monkeypatch.delenv("INTERCOM_SYNC_SUBSCRIPTION_STATUSES")
    scenario.sync(NOW + 2 * DAY)
    assert scenario.rejects() == []
    assert scenario.values("SELECT rules_hash FROM revenue_metrics") != rules


def test_rejected_records_are_judged_again_conversations_by_fetching_them(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL, stripe=_STRIPE), person("c2", "not an address"))
    scenario.talks(talk("500", "c1", "please cancel"), talk("501", "c1") | {"contacts": "nobody"})
    scenario.sync(full=True)
    # As an older version would have refused them.
    scenario.rows(
        "INSERT INTO rejected_records (kind, id, reason, field, value, run, time, updated_at, payload, rules_hash) "
        "SELECT 'contact', id, 'too strict', 'email', '0', 'older', now(), updated_at, payload, 'older' "
        "FROM intercom_contacts"
    )
    scenario.rows("DELETE FROM intercom_contacts")
    scenario.rows(
        "INSERT INTO rejected_records (kind, id, reason, field, value, run, time, updated_at, rules_hash) "
        "SELECT 'conversation', id, 'too strict', 'open', '0', 'older', now(), updated_at, 'older' "
        "FROM intercom_conversations"
    )
    scenario.rows("DELETE FROM intercom_messages")
    scenario.rows("DELETE FROM intercom_conversations")
    scenario.rows("UPDATE rejected_records SET rules_hash = 'older'")
    scenario.sandbox.requests.clear()
    synced = scenario.sync(NOW + 9 * DAY)
    assert synced.read == (0, 0)
    assert scenario.rejects() == [("contact", "c2", "email"), ("conversation", "501", "contacts")]
    ada = scenario.customer(_EMAIL)
    assert (ada["intercom_convos_total"], ada["mentioned_cancel"]) == (1, True)
    assert sorted(set(scenario.parts_fetched())) == ["500", "501"]
    scenario.sandbox.requests.clear()
    scenario.sync(NOW + 10 * DAY)
    assert scenario.parts_fetched() == []


def test_messages_are_searched_again_by_another_version_of_matching(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL), person("c2", "bob@example.com"))
    scenario.talks(talk("500", "c1", "Hello", "please cancel"), talk("501", "c2", "Hello", "all is well"))
    scenario.sync(full=True)
    scenario.rows(
        "UPDATE intercom_messages SET mentions_cancel = NOT mentions_cancel, "
        "rules_hash = split_part(rules_hash, '.', 1) || '.old'"
    )
    scenario.sandbox.requests.clear()
    scenario.sync(NOW + 9 * DAY)
    assert scenario.customer(_EMAIL)["mentioned_cancel"] is True
    assert scenario.customer("bob@example.com")["mentioned_cancel"] is False
    assert scenario.parts_fetched() == []


def test_conversations_are_fetched_again_by_another_version_of_their_text(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL), person("c2", "bob@example.com"))
    old = NOW - 40 * DAY
    scenario.talks(
        talk("500", "c1", "Hello", "please cancel"),
        talk("501", "c2", "Hello"),
        talk("502", "c2", "cancel", created=old, updated_at=int(old.timestamp())),
    )
    scenario.sync(full=True)
    scenario.rows("UPDATE intercom_messages SET text = 'quoted: cancel', mentions_cancel = TRUE, rules_hash = 'older'")
    scenario.rows("DELETE FROM intercom_messages WHERE conversation_id = '501'")
    scenario.sandbox.requests.clear()
    scenario.sync(NOW + 9 * DAY)
    assert sorted(scenario.parts_fetched()) == ["500", "501"]
    texts = scenario.values("SELECT text FROM intercom_messages ORDER BY conversation_id, created_at")
    assert texts == ["Hello", "please cancel", "Hello"]
    assert scenario.customer(_EMAIL)["mentioned_cancel"] is True
    scenario.sandbox.requests.clear()
    scenario.sync(NOW + 9 * DAY + timedelta(hours=1))
    assert scenario.parts_fetched() == []
