"""What the sync does with values of other systems that write to the same table, value by value."""

from decimal import Decimal

import pytest

from intercom_sync.sandbox.builders import location
from intercom_sync_tests.end_to_end.scenario import DAY, NOW, Scenario, person

_EMAIL = "ada@example.com"
_PRO = {"stripe_plan": "Pro"}


def _later(scenario: Scenario, day: int, **fields: object) -> None:
    """The contact as it is some days later, and a sync of then."""
    scenario.put(person("c1", _EMAIL, updated=NOW + day * DAY, **fields))
    scenario.sync(NOW + day * DAY + DAY / 2)


def _set(scenario: Scenario, column: str, value: object) -> None:
    scenario.rows(f"UPDATE unified_customers SET {column} = %s", value)


def test_a_value_that_intercom_never_had_is_left_as_another_system_wrote_it(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    scenario.sync(full=True)
    _set(scenario, "plan_name", "Theirs")
    _set(scenario, "mrr", Decimal("12.5"))
    _later(scenario, 1, name="Ada")
    ada = scenario.customer(_EMAIL)
    assert (ada["name"], ada["plan_name"], ada["mrr"]) == ("Ada", "Theirs", Decimal("12.5"))


def test_intercoms_value_wins_over_another_systems(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    scenario.sync(full=True)
    _set(scenario, "plan_name", "Theirs")
    _later(scenario, 1, stripe=_PRO)
    assert scenario.customer(_EMAIL)["plan_name"] == "Pro"


def test_intercoms_value_is_put_back_when_another_system_changed_it(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL, stripe=_PRO))
    scenario.sync(full=True)
    _set(scenario, "plan_name", "Theirs")
    scenario.sync(NOW + DAY)
    assert scenario.customer(_EMAIL)["plan_name"] == "Pro"


def test_a_value_of_ours_that_intercom_lost_becomes_null(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL, stripe=_PRO, location=location("Ireland", "Cork")))
    scenario.sync(full=True)
    _later(scenario, 1, location=None)
    ada = scenario.customer(_EMAIL)
    assert (ada["plan_name"], ada["location_country"], ada["location_city"]) == (None, None, None)


def test_a_value_that_another_system_wrote_over_ours_stays_when_intercom_loses_its_own(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL, stripe=_PRO))
    scenario.sync(full=True)
    _set(scenario, "plan_name", "Theirs")
    _later(scenario, 1)
    assert scenario.customer(_EMAIL)["plan_name"] == "Theirs"
    _later(scenario, 3)
    assert scenario.customer(_EMAIL)["plan_name"] == "Theirs"


def test_a_value_that_became_null_stays_free_for_another_system(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL, stripe=_PRO))
    scenario.sync(full=True)
    _later(scenario, 1)
    _set(scenario, "plan_name", "Pro")
    _later(scenario, 3)
    assert scenario.customer(_EMAIL)["plan_name"] == "Pro"


@pytest.mark.parametrize("blank", [None, "", "   "])
def test_a_contact_without_a_name_is_called_by_the_email_before_the_at(scenario: Scenario, blank: object) -> None:
    scenario.put(person("c1", '"Ada@Home"@Example.com', name=blank))
    scenario.sync(full=True)
    assert scenario.customer('"ada@home"@example.com')["name"] == '"ada@home"'


def test_another_systems_name_stays_where_intercom_has_none_and_goes_where_it_has_one(scenario: Scenario) -> None:
    scenario.rows("CREATE TABLE unified_customers (email text NOT NULL, name text)")
    scenario.rows("INSERT INTO unified_customers VALUES (%s, 'Countess')", _EMAIL)
    scenario.put(person("c1", _EMAIL, name=None))
    scenario.sync(full=True)
    assert scenario.customer(_EMAIL)["name"] == "Countess"
    _later(scenario, 1, name="Ada Field")
    assert scenario.customer(_EMAIL)["name"] == "Ada Field"
    _later(scenario, 3, name=None)
    assert scenario.customer(_EMAIL)["name"] == "ada"
    _set(scenario, "name", "Countess")
    scenario.sync(NOW + 5 * DAY)
    assert scenario.customer(_EMAIL)["name"] == "Countess"


def test_a_blank_name_of_another_system_is_no_name(scenario: Scenario) -> None:
    scenario.rows("CREATE TABLE unified_customers (email text NOT NULL, name text)")
    scenario.rows("INSERT INTO unified_customers VALUES (%s, ' ')", _EMAIL)
    scenario.put(person("c1", _EMAIL, name=None))
    scenario.sync(full=True)
    assert scenario.customer(_EMAIL)["name"] == "ada"


def test_a_customer_whom_only_others_know_keeps_everything_but_what_depends_on_time(scenario: Scenario) -> None:
    scenario.rows("CREATE TABLE unified_customers (email text, name text, last_seen_at timestamptz, ltv numeric)")
    scenario.rows("INSERT INTO unified_customers VALUES ('Eve@Example.com', NULL, %s, 20), (NULL, 'x', NULL, 1)", NOW)
    scenario.sync(NOW + 3 * DAY, full=True)
    eve = scenario.customer("eve@example.com")
    assert (eve["email"], eve["name"], eve["ltv"]) == ("Eve@Example.com", None, 20)
    assert (eve["days_since_seen"], eve["quality_score"]) == (3, 30)
    assert (eve["intercom_deleted_at"], eve["intercom_contact_id"]) == (None, None)
    scenario.sync(NOW + 9 * DAY)
    eve = scenario.customer("eve@example.com")
    assert (eve["days_since_seen"], eve["quality_score"]) == (9, 15)
