"""Which of several contacts with one email stands for the customer, and what happens when it goes."""

from decimal import Decimal

from intercom_sync.sandbox.builders import subscription
from intercom_sync_tests.end_to_end.scenario import DAY, NOW, Scenario, at, person, talk

_EMAIL = "ada@example.com"


def test_the_contact_updated_last_stands_for_the_customer_whatever_the_spelling(scenario: Scenario) -> None:
    scenario.put(
        person("c1", "ADA@example.com", updated=NOW - 2 * DAY, name="Older"),
        person("c2", "  Ada@Example.com ", updated=NOW - DAY, name="Newer"),
        person("c3", _EMAIL, updated=NOW - 3 * DAY, name="Oldest"),
    )
    assert scenario.sync(full=True).counts == (1, 0, 0, 0)
    (ada,) = scenario.rows("SELECT * FROM unified_customers")
    assert (ada["email"], ada["intercom_contact_id"], ada["name"]) == (_EMAIL, "c2", "Newer")


def test_of_equals_the_one_created_last_wins_and_then_the_greatest_id(scenario: Scenario) -> None:
    same = at(NOW - DAY)
    scenario.put(
        person("c9", _EMAIL, created_at=same - 500, updated_at=same),
        person("c1", _EMAIL, created_at=same - 100, updated_at=same),
        person("c2", _EMAIL, created_at=same - 100, updated_at=same),
    )
    scenario.sync(full=True)
    assert scenario.customer(_EMAIL)["intercom_contact_id"] == "c2"


def test_an_older_contact_that_comes_in_a_later_window_does_not_take_over(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL, updated=NOW - DAY, name="Newer"))
    scenario.sync(full=True)
    scenario.put(person("c2", _EMAIL, updated=NOW - 2 * DAY, name="Older"), person("c3", "bob@example.com"))
    scenario.sync(full=True)
    assert scenario.customer(_EMAIL)["name"] == "Newer"


def test_a_lead_that_changes_last_stands_for_the_user_of_the_same_email(scenario: Scenario) -> None:
    paying = {"Stripe Subscriptions": [subscription(amount=5000)]}
    scenario.put(person("c1", _EMAIL, updated=NOW - 2 * DAY, stripe=paying))
    scenario.sync(NOW - DAY, full=True)
    assert scenario.customer(_EMAIL)["mrr"] == Decimal(50)
    scenario.put(person("c2", _EMAIL, updated=NOW - DAY, role="lead", name="As a lead"))
    assert scenario.sync().counts == (0, 1, 0, 0)
    ada = scenario.customer(_EMAIL)
    assert (ada["intercom_contact_id"], ada["name"], ada["mrr"]) == ("c2", "As a lead", None)


def test_the_next_takes_over_when_the_winner_is_archived(scenario: Scenario) -> None:
    scenario.put(
        person("c1", _EMAIL, updated=NOW - 2 * DAY, name="Next"),
        person("c2", _EMAIL, updated=NOW - DAY, name="Winner", stripe={"stripe_plan": "Pro"}),
    )
    scenario.sync(full=True)
    scenario.company.archive_contact("c2")
    assert scenario.sync(NOW + DAY, full=True).counts == (0, 1, 0, 0)
    ada = scenario.customer(_EMAIL)
    assert (ada["intercom_contact_id"], ada["name"], ada["plan_name"]) == ("c1", "Next", None)
    assert ada["intercom_deleted_at"] is None


def test_the_next_takes_over_when_the_winner_is_merged_away_with_its_conversations(scenario: Scenario) -> None:
    scenario.put(
        person("c1", _EMAIL, updated=NOW - 2 * DAY, name="User"),
        person("c2", _EMAIL, updated=NOW - DAY, name="Lead", role="lead"),
    )
    scenario.talks(talk("500", "c1"), talk("501", "c2", "I want to cancel", kind="lead"))
    scenario.sync(full=True)
    assert scenario.customer(_EMAIL)["intercom_convos_total"] == 2
    scenario.company.merge_contact("c2", into_id="c1")
    scenario.sync(NOW + DAY, full=True)
    ada = scenario.customer(_EMAIL)
    assert (ada["intercom_contact_id"], ada["name"]) == ("c1", "User")
    assert (ada["intercom_convos_total"], ada["mentioned_cancel"]) == (2, True)


def test_a_lead_merged_into_a_user_of_another_email_brings_its_words_along(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL), person("c2", "ada.lead@example.com", role="lead"))
    scenario.talks(talk("500", "c2", "We are leaving", kind="lead"))
    scenario.sync(full=True)
    assert scenario.customer("ada.lead@example.com")["mentioned_cancel"] is True
    scenario.company.merge_contact("c2", into_id="c1")
    scenario.sync(NOW + DAY, full=True)
    ada, lead = scenario.customer(_EMAIL), scenario.customer("ada.lead@example.com")
    assert (ada["intercom_convos_total"], ada["mentioned_cancel"]) == (1, True)
    assert lead["intercom_deleted_at"] == NOW + DAY
