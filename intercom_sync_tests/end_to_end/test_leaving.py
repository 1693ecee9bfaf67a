"""Customers whose contacts go: archived, merged away, of another email, or without one. And deleted conversations."""

from intercom_sync.sandbox.builders import subscription
from intercom_sync_tests.end_to_end.scenario import DAY, NOW, Scenario, person, talk

_EMAIL = "ada@example.com"


def test_a_full_sync_marks_a_customer_without_a_contact_and_leaves_the_rest_of_the_row(scenario: Scenario) -> None:
    stripe = {"stripe_id": "cus_1", "Stripe Subscriptions": [subscription(amount=60000)]}
    scenario.put(
        person("c1", _EMAIL, stripe=stripe, last_seen_at=person("x", "x@x")["created_at"]), person("c2", "b@c")
    )
    scenario.talks(talk("500", "c1", "cancel"))
    scenario.sync(full=True)
    before = scenario.customer(_EMAIL)
    scenario.company.archive_contact("c1")
    assert scenario.sync(NOW + DAY, full=True).counts == (0, 1, 0, 0)
    after = scenario.customer(_EMAIL)
    assert after == before | {"intercom_deleted_at": NOW + DAY, "last_intercom_sync": NOW + DAY}
    scenario.sync(NOW + 40 * DAY, full=True)
    assert scenario.customer(_EMAIL) == after


def test_a_window_does_not_take_an_absent_contact_for_a_deleted_one(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    scenario.sync(full=True)
    scenario.company.archive_contact("c1")
    scenario.sync(NOW + DAY)
    assert scenario.customer(_EMAIL)["intercom_deleted_at"] is None


def test_a_customer_who_comes_back_is_no_longer_marked_and_right_again(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL, name="Ada", stripe={"stripe_plan": "Pro"}), person("c2", "b@c"))
    scenario.sync(full=True)
    scenario.company.archive_contact("c1")
    scenario.sync(NOW + DAY, full=True)
    assert scenario.emails() == ["b@c"]
    scenario.put(person("c9", _EMAIL, name="Ada again", updated=NOW + DAY))
    assert scenario.sync(NOW + 2 * DAY).counts == (0, 1, 0, 0)
    ada = scenario.customer(_EMAIL)
    assert (ada["intercom_deleted_at"], ada["intercom_contact_id"], ada["name"]) == (None, "c9", "Ada again")
    assert ada["plan_name"] is None


def test_a_changed_email_makes_the_new_customer_and_marks_the_old_at_once(scenario: Scenario) -> None:
    scenario.put(person("c1", "old@example.com", name="Ada", stripe={"stripe_plan": "Pro"}))
    scenario.talks(talk("500", "c1"))
    scenario.sync(full=True)
    scenario.put(person("c1", "new@example.com", name="Ada", updated=NOW, stripe={"stripe_plan": "Max"}))
    assert scenario.sync(NOW + DAY / 4).counts == (1, 0, 0, 0)
    old, new = scenario.customer("old@example.com"), scenario.customer("new@example.com")
    assert (old["intercom_deleted_at"], old["plan_name"]) == (NOW + DAY / 4, "Pro")
    assert (new["intercom_deleted_at"], new["plan_name"], new["intercom_convos_total"]) == (None, "Max", 1)


def test_an_email_that_changes_only_in_case_stays_the_same_customer_and_spelling(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    scenario.sync(full=True)
    scenario.put(person("c1", "ADA@Example.com", updated=NOW))
    assert scenario.sync(NOW + DAY).counts == (0, 1, 0, 0)
    assert scenario.emails(living=False) == [_EMAIL]


def test_a_contact_that_loses_its_email_leaves_its_customer_marked(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    scenario.sync(full=True)
    scenario.put(person("c1", None, updated=NOW))
    assert scenario.sync(NOW + DAY).counts == (0, 0, 1, 0)
    assert scenario.customer(_EMAIL)["intercom_deleted_at"] == NOW + DAY


def test_a_contact_without_an_email_is_skipped_and_counted_and_nothing_more(scenario: Scenario) -> None:
    scenario.put(
        *(person(f"c{n}", email, role="lead") for n, email in enumerate((None, "", "  "))), person("c9", "b@c")
    )
    scenario.talks(talk("500", "c0", "cancel", kind="lead"))
    assert scenario.sync(full=True).counts == (1, 0, 3, 0)
    assert scenario.emails(living=False) == ["b@c"]
    assert scenario.rejects() == []


def test_a_row_that_another_system_deleted_is_made_again(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL, name="Ada"))
    scenario.sync(full=True)
    scenario.rows("DELETE FROM unified_customers")
    assert scenario.sync(NOW + DAY, full=True).counts == (1, 0, 0, 0)
    assert scenario.customer(_EMAIL)["name"] == "Ada"


def test_a_deleted_conversation_no_longer_counts_after_a_full_sync(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    scenario.talks(talk("500", "c1", "Hello", "I want to cancel"), talk("501", "c1"))
    scenario.sync(full=True)
    scenario.company.delete_conversation("500")
    scenario.sync(NOW + DAY, full=True)
    ada = scenario.customer(_EMAIL)
    assert (ada["intercom_convos_total"], ada["open_tickets"], ada["mentioned_cancel"]) == (1, 1, False)
