"""Emails as other programs write them: with marks that no reader sees, and domains that are no host names."""

import pytest

from intercom_sync.cli import main
from intercom_sync_tests.end_to_end.scenario import DAY, NOW, Scenario, person


def test_contacts_whose_emails_differ_by_invisible_characters_are_one_customer(scenario: Scenario) -> None:
    scenario.rows("CREATE TABLE unified_customers (email text NOT NULL)")
    scenario.rows("INSERT INTO unified_customers VALUES ('Ann@My_Co.com')")
    scenario.put(
        person("c1", "\ufeffann@my_co.com", updated=NOW - 2 * DAY),
        person("c2", "ANN@MY_CO.COM\u200b", updated=NOW - DAY),
        person("c3", "\u200e bob@example.com \u00ad"),
    )
    synced = scenario.sync(full=True)
    assert synced.counts == (1, 1, 0, 0)
    assert scenario.emails() == ["Ann@My_Co.com", "bob@example.com"]
    assert scenario.customer("ann@my_co.com")["intercom_contact_id"] == "c2"
    assert scenario.rejects() == []


@pytest.mark.parametrize("spelling", ["\ufeffAnn@my_co.com", "ann@my_co.com\u200b", "\u2066ann@my_co.com\u2069"])
def test_a_forgotten_person_stays_out_under_any_invisible_spelling(scenario: Scenario, spelling: str) -> None:
    scenario.put(person("c1", "ann@my_co.com"), person("c2", "bob@example.com"))
    scenario.sync(NOW - DAY, full=True)
    assert main(["forget", f"\u200b{spelling} "]) == 0
    scenario.put(person("c3", spelling), person("c4", spelling, created_at="never"))
    scenario.sync(full=True)
    assert scenario.emails(living=False) == ["bob@example.com"]
    assert scenario.rejects() == []
