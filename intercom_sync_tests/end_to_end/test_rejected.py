"""Records that break a rule: kept for a person to mend, and never in the way of the good ones."""

import pytest

from intercom_sync.sandbox.builders import rating, subscription
from intercom_sync_tests.end_to_end.scenario import DAY, NOW, Scenario, at, person, talk

_EMAIL = "ada@example.com"


def test_a_bad_contact_is_kept_with_its_reason_and_the_good_ones_enter(
    scenario: Scenario, caplog: pytest.LogCaptureFixture
) -> None:
    scenario.put(
        person("c1", _EMAIL),
        person("c2", "bob@example.com", stripe={"stripe_subscription_status": "dormant"}),
        person("c3", "cyd@example.com"),
    )
    synced = scenario.sync(full=True)
    assert synced.counts == (2, 0, 1, 0)
    assert scenario.emails(living=False) == [_EMAIL, "cyd@example.com"]
    kept = scenario.one("SELECT kind, id, reason, field, value, run, time FROM rejected_records")
    assert kept == {
        "kind": "contact",
        "id": "c2",
        "reason": kept["reason"],
        "field": "custom_attributes.stripe_subscription_status",
        "value": "dormant",
        "run": synced.row["run_id"],
        "time": NOW,
    }
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any("c2" in text and kept["reason"] in text for text in warnings)
    assert not any("bob@example.com" in text for text in warnings)


def test_the_last_good_version_stays_in_play_until_the_record_is_good_again(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL, name="Good", updated=NOW - 3 * DAY))
    scenario.sync(NOW - 2 * DAY, full=True)
    scenario.put(person("c1", _EMAIL, name="Bad", updated=NOW - DAY, last_seen_at="yesterday"))
    assert scenario.sync().row["skipped_contacts"] == 1
    assert scenario.rejects() == [("contact", "c1", "last_seen_at")]
    assert scenario.customer(_EMAIL)["name"] == "Good"
    scenario.put(person("c1", _EMAIL, name="Good again", updated=NOW + DAY))
    assert scenario.sync(NOW + 2 * DAY).counts == (0, 1, 0, 0)
    assert scenario.rejects() == []
    assert scenario.customer(_EMAIL)["name"] == "Good again"


def test_a_full_sync_keeps_the_good_version_of_a_contact_that_is_bad_now(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL, name="Good", updated=NOW - 3 * DAY))
    scenario.sync(NOW - 2 * DAY, full=True)
    scenario.put(person("c1", _EMAIL, name="Bad", updated=NOW - DAY, created_at=True))
    scenario.sync(full=True)
    ada = scenario.customer(_EMAIL)
    assert (ada["name"], ada["intercom_deleted_at"]) == ("Good", None)


def test_a_bad_record_leaves_the_rejects_when_a_full_sync_no_longer_finds_it(scenario: Scenario) -> None:
    scenario.put(person("c1", "not an address"), person("c2", _EMAIL))
    scenario.talks(talk("500", "c2", contacts=None) | {"contacts": "nobody"}, talk("501", "c2"))
    scenario.sync(full=True)
    assert scenario.rejects() == [("contact", "c1", "email"), ("conversation", "500", "contacts")]
    scenario.company.archive_contact("c1")
    scenario.company.delete_conversation("500")
    scenario.sync(NOW + DAY)
    assert len(scenario.rejects()) == 2
    scenario.sync(NOW + 2 * DAY, full=True)
    assert scenario.rejects() == []


def test_a_contact_that_never_was_good_is_no_candidate_and_its_conversations_count_for_nobody(
    scenario: Scenario,
) -> None:
    scenario.put(
        person("c1", _EMAIL, name="Good", updated=NOW - 9 * DAY),
        person("c2", _EMAIL, name="Bad", stripe={"Stripe Subscriptions": [subscription(amount="a lot")]}),
    )
    scenario.talks(talk("500", "c1"), talk("501", "c2", "cancel"))
    scenario.sync(full=True)
    ada = scenario.customer(_EMAIL)
    assert (ada["name"], ada["intercom_convos_total"], ada["mentioned_cancel"]) == ("Good", 1, False)


def test_a_status_that_is_allowed_later_lets_the_contact_in_without_reading_it_again(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario.put(person("c1", _EMAIL, stripe={"stripe_subscription_status": "dormant"}), person("c2", "b@c"))
    scenario.sync(full=True)
    monkeypatch.setenv("INTERCOM_SYNC_SUBSCRIPTION_STATUSES", "active, dormant")
    synced = scenario.sync(NOW + 9 * DAY)
    assert synced.read == (0, 0)
    assert scenario.rejects() == []
    assert scenario.customer(_EMAIL)["subscription_status"] == "dormant"


def test_a_status_that_is_no_longer_allowed_keeps_what_was_and_says_so(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario.put(person("c1", _EMAIL, stripe={"stripe_subscription_status": "paused"}), person("c2", "b@c"))
    scenario.sync(full=True)
    monkeypatch.setenv("INTERCOM_SYNC_SUBSCRIPTION_STATUSES", "active")
    scenario.sync(NOW + 9 * DAY)
    assert scenario.rejects() == [("contact", "c1", "custom_attributes.stripe_subscription_status")]
    assert scenario.customer(_EMAIL)["subscription_status"] == "paused"


def test_a_record_without_a_usable_id_is_kept_once_however_often_it_is_read(scenario: Scenario) -> None:
    scenario.put(person("", _EMAIL), person("c2", "b@c"))
    scenario.sync(full=True)
    scenario.sync(NOW + DAY, full=True)
    ((kind, id, field),) = scenario.rejects()
    assert (kind, field) == ("contact", "id")
    assert id.startswith("sha256:")


def test_nul_and_broken_surrogates_are_cleaned_and_break_nothing(scenario: Scenario) -> None:
    scenario.put(person("c1", "ada\x00@example.com", name="A\x00da \ud83d", external_id="u-\x001"))
    scenario.talks(talk("500", "c1", "can\x00cel \udfff"))
    assert scenario.sync(full=True).counts == (1, 0, 0, 1)
    ada = scenario.customer(_EMAIL)
    assert (ada["name"], ada["external_id"], ada["mentioned_cancel"]) == ("Ada ", "u-1", True)
    assert scenario.rejects() == []


def test_a_rating_outside_one_to_five_is_ignored_and_counted(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    scenario.talks(
        talk("500", "c1", conversation_rating=rating(9, by="c1", at=at(NOW))),
        talk("501", "c1", conversation_rating=rating(3, by="c1", at=at(NOW))),
        talk("502", "c1", conversation_rating=rating(None, by="c1", at=at(NOW))),
    )
    scenario.sync(full=True)
    assert scenario.customer(_EMAIL)["csat_score"] == 3
    assert scenario.rejects() == []
