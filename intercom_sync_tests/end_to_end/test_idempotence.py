"""The same sync twice: nothing is written the second time but `last_intercom_sync`, and nobody is alerted again."""

import pytest

from intercom_sync.sandbox.builders import payment, rating, subscription
from intercom_sync.sandbox.generate import generate
from intercom_sync_tests.end_to_end.scenario import DAY, HOUR, NOW, Scenario, at, person, talk

_DATA = "SELECT email, to_jsonb(u) - 'last_intercom_sync' AS data FROM unified_customers u ORDER BY email"


def _lively(scenario: Scenario) -> None:
    stripe = {"Stripe Subscriptions": [subscription(amount=90000, interval="year", quantity=7)], "stripe_delinquent": 1}
    scenario.put(
        person("c1", "ada@example.com", stripe=stripe | {"Stripe Payments": [payment(amount=333)]}),
        person("c2", "bob@example.com", last_seen_at=at(NOW - DAY)),
        person("c3", None),
        person("c4", "not an address"),
    )
    scenario.talks(
        talk("500", "c1", "Hello", "cancel it", conversation_rating=rating(4, by="c1", at=at(NOW))),
        talk("501", "c2"),
        talk("502", "c2", contacts=["c1", "c2"]),
    )


@pytest.mark.parametrize("full", [True, False])
def test_the_same_sync_again_makes_nothing_new(scenario: Scenario, full: bool) -> None:
    _lively(scenario)
    assert scenario.sync(full=True).counts == (2, 0, 2, 3)
    before, alerts = scenario.rows(_DATA), scenario.alerts()
    scenario.sandbox.requests.clear()
    again = scenario.sync(full=full)
    assert (again.row["new_contacts"], again.row["alerts_generated"]) == (0, 0)
    assert scenario.rows(_DATA) == before
    assert scenario.alerts() == alerts
    assert scenario.parts_fetched() == []


def test_a_row_whose_contact_was_not_read_and_whose_values_did_not_change_is_not_written_at_all(
    scenario: Scenario,
) -> None:
    _lively(scenario)
    scenario.sync(full=True)
    places = "SELECT email, ctid::text AS place, xmin::text AS writer, last_intercom_sync FROM unified_customers"
    before = scenario.rows(places)
    scenario.put(person("c5", "cyd@example.com", updated=NOW))
    assert scenario.sync(NOW + HOUR).counts == (1, 0, 0, 0)
    after = scenario.rows(places)
    assert [row for row in after if row["email"] != "cyd@example.com"] == before


def test_a_row_whose_contact_was_read_and_did_not_change_gets_only_the_time_of_the_sync(scenario: Scenario) -> None:
    _lively(scenario)
    scenario.sync(full=True)
    scenario.rows(
        "CREATE TABLE rewritten (email text, was jsonb, now jsonb);"
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO rewritten VALUES (NEW.email, to_jsonb(OLD), to_jsonb(NEW)); RETURN NEW; END $$;"
        "CREATE TRIGGER noted AFTER UPDATE ON unified_customers FOR EACH ROW EXECUTE FUNCTION note()"
    )
    assert scenario.sync(NOW + HOUR, full=True).counts == (0, 2, 2, 0)
    changed = [
        {name for name in row["now"] if row["now"][name] != row["was"][name]}
        for row in scenario.rows("TABLE rewritten")
    ]
    assert changed == [{"last_intercom_sync"}] * 2


def test_a_whole_invented_company_twice(scenario: Scenario) -> None:
    company = generate(contacts=260, conversations=300, now=at(NOW))
    scenario.company.workspace_id = company.workspace_id
    scenario.put(*company.contacts())
    scenario.talks(*company.conversations())
    first = scenario.sync(full=True)
    before, alerts = scenario.rows(_DATA), scenario.alerts()
    again = scenario.sync(full=True)
    assert again.counts == (0, first.row["new_contacts"], first.row["skipped_contacts"], 0)
    assert (scenario.rows(_DATA), scenario.alerts()) == (before, alerts)


@pytest.mark.parametrize("kind", ["double precision", "real", "numeric(10,2)", "integer"])
def test_another_systems_number_column_of_any_type_is_written_once(scenario: Scenario, kind: str) -> None:
    """What a column of theirs cannot hold to the last digit is no reason to write it again and again."""
    scenario.rows(f"CREATE TABLE unified_customers (email text NOT NULL, mrr {kind})")
    stripe = {"Stripe Subscriptions": [subscription(amount=29901, interval="year")]}
    scenario.put(person("c1", "ada@example.com", stripe=stripe))
    scenario.sync(full=True)
    written = scenario.customer("ada@example.com")["mrr"]
    assert round(float(written)) == 25
    places = "SELECT ctid::text AS place FROM unified_customers"
    before = scenario.rows(places)
    scenario.sync(NOW + DAY)
    assert scenario.rows(places) == before
    scenario.put(person("c1", "ada@example.com", updated=NOW + DAY))
    scenario.sync(NOW + 2 * DAY)
    assert scenario.customer("ada@example.com")["mrr"] is None


def test_another_systems_narrower_texts_and_dates_are_written_once_and_lost_with_intercoms(scenario: Scenario) -> None:
    scenario.rows("CREATE TABLE unified_customers (email text, plan_name varchar(5), signup_date date, name char(4))")
    scenario.put(person("c1", "ada@example.com", name="Ada Field", stripe={"stripe_plan": "Professional"}))
    scenario.sync(full=True)
    ada = scenario.customer("ada@example.com")
    assert (ada["plan_name"], ada["name"], ada["signup_date"]) == ("Profe", "Ada ", (NOW - 101 * DAY).date())
    places = "SELECT ctid::text AS place FROM unified_customers"
    before = scenario.rows(places)
    scenario.sync(NOW + DAY)
    assert scenario.rows(places) == before
    scenario.put(person("c1", "ada@example.com", name="Ada Field", updated=NOW + DAY))
    scenario.sync(NOW + 2 * DAY)
    assert scenario.customer("ada@example.com")["plan_name"] is None
