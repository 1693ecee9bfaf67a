"""The figures of a run: the same in sync_runs, in the log entry, in the UI's metadata and in the database."""

import json
import re

from intercom_sync.sandbox.faults import server_error
from intercom_sync.sandbox.generate import generate
from intercom_sync_tests.end_to_end.scenario import DAY, NOW, Scenario, at, person, talk

ENTRY = re.compile(
    r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] Intercom sync completed\n"
    r"- Synced: (\d+) contacts\n- New: (\d+), Updated: (\d+), Skipped: (\d+)\n"
    r"- Duration: (\d+\.\d)s\n- Quality: (\d+\.\d|n/a) avg\n- Alerts: (\d+) generated"
)


def _entry(synced) -> re.Match[str]:
    shown = synced.metadata("unified_customers")["log_entry"]
    found = ENTRY.fullmatch(shown.removeprefix("```\n").removesuffix("\n```"))
    assert found is not None, shown
    return found


def test_the_run_the_entry_and_the_metadata_tell_the_same(scenario: Scenario) -> None:
    company = generate(contacts=220, conversations=240, now=at(NOW))
    scenario.company.workspace_id = company.workspace_id
    scenario.put(*company.contacts())
    scenario.talks(*company.conversations())
    synced = scenario.sync(full=True, checked=True)
    row, entry, shown = synced.row, _entry(synced), synced.metadata("unified_customers")
    counts = (row["contacts_synced"], *synced.counts)
    assert tuple(int(entry[n]) for n in (1, 2, 3, 4, 7)) == counts
    names = ("contacts_synced", "new_contacts", "updated_contacts", "skipped_contacts", "alerts_generated")
    assert tuple(shown[name] for name in names) == counts
    (average,) = scenario.values("SELECT round(avg(quality_score), 1) FROM unified_customers")
    assert float(entry[6]) == float(average) == shown["avg_quality_score"]
    assert row["new_contacts"] == len(scenario.emails()) == shown["dagster/row_count"]
    (total,) = scenario.values("SELECT sum(mrr) FROM unified_customers WHERE coalesce(currency, 'usd') = 'usd'")
    assert shown["mrr_total_usd"] == float(round(total, 2))
    assert shown["mrr_total"] == f"${round(total, 2):,}"
    assert row["alerts_generated"] == len(scenario.alerts())
    assert synced.read == (220, 240)
    (rejected,) = scenario.values("SELECT count(*) FROM rejected_records WHERE kind = 'contact'")
    nameless = sum(1 for one in company.contacts() if not (one.get("email") or "").strip())
    assert row["skipped_contacts"] == rejected + nameless
    assert (row["mode"], row["status"], row["as_of"], row["errors"]) == ("full", "succeeded", NOW, 0)
    assert row["finished_at"] >= row["started_at"]


def test_a_run_that_reads_nobody_has_no_average(scenario: Scenario) -> None:
    scenario.put(person("c1", "ada@example.com"))
    scenario.sync(full=True)
    synced = scenario.sync(NOW + 5 * DAY)
    assert (synced.counts, synced.row["avg_quality_score"]) == ((0, 0, 0, 0), None)
    assert _entry(synced)[6] == "n/a"
    assert "avg_quality_score" not in synced.metadata("unified_customers")


def test_synced_counts_customers_and_not_contacts(scenario: Scenario) -> None:
    scenario.put(*(person(f"c{n}", "ada@example.com") for n in range(5)), person("c9", "bob@example.com"))
    synced = scenario.sync(full=True)
    assert (synced.row["contacts_synced"], synced.counts) == (2, (2, 0, 0, 0))


def test_a_conversation_that_stays_refused_is_an_error_that_the_run_survives_and_the_next_takes_up(
    scenario: Scenario,
) -> None:
    scenario.put(person("c1", "ada@example.com"))
    scenario.talks(talk("500", "c1", "Hello", "cancel"), talk("501", "c1", "Hello", "Thanks"))
    scenario.sandbox.faults.add(server_error(), match="GET /conversations/500")
    synced = scenario.sync(full=True)
    assert synced.row["errors"] == 1
    assert synced.metadata("raw_conversations")["parts_failed"] == 1
    assert scenario.customer("ada@example.com")["mentioned_cancel"] is False
    scenario.sandbox.faults.clear()
    scenario.sandbox.requests.clear()
    again = scenario.sync(NOW + DAY)
    assert (again.row["errors"], scenario.parts_fetched()) == (0, ["500"])
    assert scenario.customer("ada@example.com")["mentioned_cancel"] is True


def test_a_conversation_that_vanished_meanwhile_is_no_error(scenario: Scenario) -> None:
    scenario.put(person("c1", "ada@example.com"))
    scenario.talks(talk("500", "c1", "Hello", "cancel"))
    from intercom_sync.sandbox.faults import error

    scenario.sandbox.faults.add(error(404, "not_found", "Resource Not Found"), match="GET /conversations/500")
    assert scenario.sync(full=True).row["errors"] == 0
    scenario.sandbox.faults.clear()
    scenario.sandbox.requests.clear()
    scenario.sync(NOW + DAY)
    assert scenario.parts_fetched() == []


def test_the_details_of_an_alert_are_what_a_person_needs(scenario: Scenario) -> None:
    scenario.put(person("c1", "ada@example.com", stripe={"stripe_delinquent": True, "stripe_plan": "Pro"}))
    synced = scenario.sync(full=True)
    alert = scenario.one("SELECT * FROM customer_alerts")
    assert (alert["run"], alert["created_at"]) == (synced.row["run_id"], NOW)
    assert (alert["delivered_at"], alert["attempts"], alert["last_error"]) == (None, 0, None)
    assert json.dumps(alert["details"])
    assert alert["details"]["plan_name"] == "Pro"
