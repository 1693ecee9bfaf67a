"""What depends on the time is right after every sync, also for contacts that did not change."""

from decimal import Decimal

from intercom_sync.sandbox.builders import rating
from intercom_sync_tests.end_to_end.scenario import DAY, HOUR, NOW, Scenario, at, person, talk

_EMAIL = "ada@example.com"


def test_what_depends_on_the_time_is_right_days_later_though_nothing_changed(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL, last_seen_at=at(NOW - 6 * DAY)))
    scenario.talks(talk("500", "c1", "cancel", created=NOW - 20 * DAY), talk("501", "c1", created=NOW - 5 * DAY))
    scenario.sync(full=True)
    ada = scenario.customer(_EMAIL)
    assert (ada["days_since_seen"], ada["quality_score"]) == (6, 25)
    assert (ada["intercom_convos_30d"], ada["mentioned_cancel"]) == (2, True)
    later = scenario.sync(NOW + 12 * DAY)
    assert later.read == (0, 0)
    assert later.counts == (0, 0, 0, 0)
    ada = scenario.customer(_EMAIL)
    assert (ada["days_since_seen"], ada["quality_score"]) == (18, 10)
    assert (ada["intercom_convos_30d"], ada["intercom_convos_total"], ada["mentioned_cancel"]) == (1, 2, False)
    assert ada["last_intercom_sync"] == NOW + 12 * DAY


def test_thirty_and_seven_days_are_counted_to_the_second(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL, last_seen_at=at(NOW - 7 * DAY)), person("c2", "bob@example.com"))
    scenario.talks(
        talk("500", "c1", "cancel", created=NOW - 30 * DAY),
        talk("501", "c2", "Hello", "cancel", created=NOW - 30 * DAY - HOUR / 3600),
    )
    scenario.sync(full=True)
    ada, bob = scenario.customer(_EMAIL), scenario.customer("bob@example.com")
    assert (ada["intercom_convos_30d"], ada["mentioned_cancel"], ada["quality_score"]) == (1, True, 25)
    assert (bob["intercom_convos_30d"], bob["mentioned_cancel"]) == (0, True)
    scenario.sync(NOW + HOUR / 3600)
    ada = scenario.customer(_EMAIL)
    assert (ada["intercom_convos_30d"], ada["mentioned_cancel"], ada["quality_score"]) == (0, False, 10)


def test_days_since_seen_goes_by_the_rows_last_seen_at_whoever_wrote_it(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    scenario.sync(full=True)
    assert scenario.customer(_EMAIL)["days_since_seen"] is None
    scenario.rows("UPDATE unified_customers SET last_seen_at = %s", NOW - 3 * DAY + HOUR)
    scenario.sync(NOW + HOUR / 2)
    assert scenario.customer(_EMAIL)["days_since_seen"] == 2


def test_a_customer_seen_after_now_was_seen_today(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL, last_seen_at=at(NOW + 9 * DAY)))
    scenario.sync(full=True)
    ada = scenario.customer(_EMAIL)
    assert (ada["days_since_seen"], ada["quality_score"]) == (0, 15)


def test_a_mention_that_passes_and_comes_again_is_told_twice(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    scenario.talks(talk("500", "c1", "cancel"))
    scenario.sync(full=True)
    scenario.sync(NOW + 40 * DAY)
    scenario.talks(talk("501", "c1", "cancel", created=NOW + 40 * DAY))
    scenario.sync(NOW + 41 * DAY)
    assert scenario.alerts() == [("cancel_mention", _EMAIL)] * 2


def test_people_of_a_group_conversation_are_told_apart_and_one_person_of_two_contacts_is_not(
    scenario: Scenario,
) -> None:
    scenario.put(
        person("c1", _EMAIL),
        person("c2", _EMAIL.upper(), role="lead"),
        person("c3", "bob@example.com"),
    )
    group = talk(
        "500", "c3", "Hello", "We will cancel", contacts=["c1", "c2", "c3"],
        conversation_rating=rating(2, by="c3", at=at(NOW)),
    )  # fmt: skip
    anyone = talk("501", "c1", contacts=["c1", "c3"], conversation_rating=rating(5, by="c1", at=at(NOW)), open=False)
    anyone["conversation_rating"].pop("contact")
    scenario.talks(group, anyone)
    scenario.sync(full=True)
    ada, bob = scenario.customer(_EMAIL), scenario.customer("bob@example.com")
    assert (ada["intercom_convos_total"], ada["open_tickets"], ada["mentioned_cancel"]) == (2, 1, False)
    assert (bob["intercom_convos_total"], bob["open_tickets"], bob["mentioned_cancel"]) == (2, 1, True)
    assert (ada["csat_score"], bob["csat_score"]) == (Decimal(5), Decimal("3.5"))


def test_what_a_lead_wrote_counts_for_the_user_of_the_same_email(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL), person("c2", _EMAIL, role="lead", updated=NOW - 9 * DAY))
    scenario.talks(talk("500", "c1"), talk("501", "c2", "cancel", kind="lead"))
    scenario.sync(full=True)
    ada = scenario.customer(_EMAIL)
    assert (ada["intercom_convos_total"], ada["mentioned_cancel"]) == (2, True)


def test_an_opening_message_that_is_redacted_says_nothing_any_more(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    said = talk("500", "c1", "cancel")
    scenario.talks(said)
    scenario.sync(full=True)
    assert scenario.customer(_EMAIL)["mentioned_cancel"] is True
    said["source"] |= {"body": None, "redacted": True}
    scenario.talks(said | {"updated_at": at(NOW)})
    scenario.sync(NOW + HOUR)
    assert scenario.customer(_EMAIL)["mentioned_cancel"] is False
