"""What a full sync does before it lets go: it asks for missing contacts, and reads which conversations were deleted."""

import json
from datetime import datetime
from typing import Any

import pytest

from intercom_sync.sandbox.faults import Fault, error, status
from intercom_sync_tests.end_to_end.scenario import DAY, HOUR, NOW, Scenario, at, person, talk

_EMAIL = "ada@example.com"
_LIST = "GET /conversations/deleted"
_REFUSED = error(400, "parameter_invalid", "no")


def _shows(key: str, *records: Any, total: int | None = None) -> Fault:
    """A search that shows these records and no others, and counts as many or some."""
    shown = [{name: value for name, value in one.items() if name != "conversation_parts"} for one in records]
    return status(200, json.dumps({"type": "list", key: shown, "total_count": total or len(shown), "pages": None}))


def _scan(key: str) -> str:
    return "POST /contacts/search" if key == "data" else "POST /conversations/search"


def _asked_for(scenario: Scenario) -> list[str]:
    return [
        one.path for one in scenario.requests(lambda one: one.path.startswith("/contacts/") and one.method == "GET")
    ]


def _gone(scenario: Scenario, kind: str) -> int:
    query = (
        "SELECT s.deleted FROM sync_stream_stats s JOIN sync_runs r USING (run_id) WHERE s.kind = %s "
        "ORDER BY r.as_of DESC LIMIT 1"
    )
    return scenario.one(query, kind)["deleted"]


def _landed(scenario: Scenario, what: str) -> list[str]:
    return scenario.values(f"SELECT id FROM intercom_{what} ORDER BY id")


# Contacts.


def test_a_contact_that_the_scan_missed_stays_as_it_is_now_and_is_told(scenario: Scenario) -> None:
    found, missed = person("c1", _EMAIL), person("c2", "ben@example.com", name="Ben")
    scenario.put(found, missed)
    scenario.sync(full=True)
    scenario.put(missed | {"name": "Benjamin"})
    scenario.sandbox.faults.add(_shows("data", found), match=_scan("data"))
    again = scenario.sync(NOW + DAY, full=True, checked=True)
    assert again.counts == (0, 2, 0, 0)
    assert scenario.customer("ben@example.com")["name"] == "Benjamin"
    assert _asked_for(scenario) == ["/contacts/c2"]
    assert _gone(scenario, "contact") == 0
    failed = [one for one in again.result.get_asset_check_evaluations() if not one.passed]
    assert [one.check_name for one in failed] == ["record_count_reconciled"]
    assert failed[0].metadata["examples"].value == "c2"
    told = "SELECT scan_misses, scan_miss_ids FROM sync_stream_stats WHERE kind = 'contact' AND scan_misses > 0"
    assert scenario.one(told) == {"scan_misses": 1, "scan_miss_ids": ["c2"]}


def test_only_missing_contacts_are_asked_for_and_only_by_a_full_sync(scenario: Scenario) -> None:
    scenario.put(*(person(f"c{n}", f"p{n}@example.com") for n in range(5)))
    scenario.sync(full=True)
    scenario.company.archive_contact("c3")
    scenario.sync(NOW + HOUR)
    assert _asked_for(scenario) == []
    scenario.sync(NOW + DAY, full=True)
    assert _asked_for(scenario) == ["/contacts/c3"]
    assert (_gone(scenario, "contact"), _landed(scenario, "contacts")) == (1, ["c0", "c1", "c2", "c4"])


def test_a_truncated_scan_asks_for_nobody_and_takes_nobody_away(scenario: Scenario) -> None:
    found = person("c1", _EMAIL)
    scenario.put(found, person("c2", "ben@example.com"))
    scenario.sync(full=True)
    scenario.company.archive_contact("c2")
    scenario.sandbox.faults.add(_shows("data", found, total=2), match=_scan("data"))
    scenario.sync(NOW + DAY, full=True)
    assert _asked_for(scenario) == []
    assert _landed(scenario, "contacts") == ["c1", "c2"]


@pytest.mark.parametrize("answer", [_REFUSED, error(500, "server_error", "?")])
def test_a_missing_contact_that_cannot_be_asked_for_stays_until_the_next_full_sync(
    scenario: Scenario, answer: Fault
) -> None:
    scenario.put(person("c1", _EMAIL), person("c2", "ben@example.com"), person("c3", "cat@example.com"))
    scenario.sync(full=True)
    scenario.company.archive_contact("c2")
    scenario.company.archive_contact("c3")
    scenario.sandbox.faults.add(answer, match="GET /contacts/c2")
    assert scenario.sync(NOW + DAY, full=True).row["errors"] == 1
    assert (_gone(scenario, "contact"), _landed(scenario, "contacts")) == (1, ["c1", "c2"])
    assert scenario.customer("ben@example.com")["last_intercom_sync"] == NOW
    scenario.sandbox.faults.clear()
    assert scenario.sync(NOW + 2 * DAY, full=True).row["errors"] == 0
    assert (_gone(scenario, "contact"), _landed(scenario, "contacts")) == (1, ["c1"])


def test_when_one_after_another_cannot_be_asked_for_the_others_stay_unasked(scenario: Scenario) -> None:
    scenario.put(*(person(f"c{n:03}", f"p{n}@example.com") for n in range(200)))
    scenario.sync(full=True)
    for number in range(100):
        scenario.company.archive_contact(f"c{number:03}")
    scenario.sandbox.faults.add(_REFUSED, match="GET /contacts/*")
    synced = scenario.sync(NOW + DAY, full=True)
    assert 20 <= synced.row["errors"] < 100
    assert len(_landed(scenario, "contacts")) == 200


def test_a_token_that_may_not_read_contacts_ends_the_run(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL), person("c2", "ben@example.com"))
    scenario.sync(full=True)
    scenario.company.archive_contact("c2")
    scenario.sandbox.faults.add(error(403, "forbidden", "no"), match="GET /contacts/*")
    assert not scenario.run(NOW + DAY, full=True).result.success
    scenario.sandbox.faults.clear()
    scenario.sync(NOW + DAY, full=True)
    assert _landed(scenario, "contacts") == ["c1"]


def test_beyond_a_thousand_missing_contacts_the_complete_scan_is_believed(scenario: Scenario) -> None:
    scenario.put(*(person(f"c{n:04}", f"p{n}@example.com") for n in range(1_105)))
    scenario.sync(full=True)
    for number in range(1_100):
        scenario.company.archive_contact(f"c{number:04}")
    scenario.sync(NOW + DAY, full=True)
    assert len(_asked_for(scenario)) == 1_000
    assert (_gone(scenario, "contact"), len(_landed(scenario, "contacts"))) == (1_100, 5)
    assert len(scenario.emails()) == 5


def test_a_refused_contact_that_is_missing_is_kept_with_its_last_good_version(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL), person("c2", "ben@example.com"))
    scenario.sync(full=True)
    scenario.put(person("c2", "no address", updated=NOW))
    scenario.sync(NOW + HOUR)
    scenario.company.archive_contact("c2")
    scenario.sandbox.faults.add(_REFUSED, match="GET /contacts/c2")
    scenario.sync(NOW + DAY, full=True)
    assert (_landed(scenario, "contacts"), [id for _, id, _ in scenario.rejects()]) == (["c1", "c2"], ["c2"])
    scenario.sandbox.faults.clear()
    scenario.sync(NOW + 2 * DAY, full=True)
    assert (_landed(scenario, "contacts"), scenario.rejects()) == (["c1"], [])


# Conversations.


def test_a_deleted_conversation_goes_also_when_the_scan_falls_short(scenario: Scenario) -> None:
    kept, unseen = talk("500", "c1"), talk("501", "c1")
    scenario.put(person("c1", _EMAIL))
    scenario.talks(kept, unseen, talk("502", "c1", "Hello", "I want to cancel"), talk("503", "c1") | {"created_at": -1})
    scenario.sync(full=True)
    assert [id for _, id, _ in scenario.rejects()] == ["503"]
    scenario.company.delete_conversation("502")
    scenario.company.delete_conversation("503")
    scenario.sandbox.faults.add(_shows("conversations", kept, total=9), match=_scan("conversations"))
    scenario.sync(NOW + DAY, full=True)
    assert _landed(scenario, "conversations") == ["500", "501"]
    assert scenario.values("SELECT DISTINCT conversation_id FROM intercom_messages ORDER BY 1") == ["500", "501"]
    assert (_gone(scenario, "conversation"), scenario.rejects()) == (1, [])
    ada = scenario.customer(_EMAIL)
    assert (ada["intercom_convos_total"], ada["mentioned_cancel"]) == (2, False)


def test_the_list_wins_over_a_search_that_still_shows_a_deleted_conversation(scenario: Scenario) -> None:
    late = talk("501", "c1", "Hello", "I want to cancel")
    scenario.put(person("c1", _EMAIL))
    scenario.talks(talk("500", "c1"), late)
    scenario.company.delete_conversation("501")
    scenario.sandbox.faults.add(_shows("conversations", talk("500", "c1"), late), match=_scan("conversations"))
    scenario.sync(full=True)
    assert _landed(scenario, "conversations") == ["500"]
    assert scenario.parts_fetched() == []


def test_a_deleted_conversation_is_counted_once_whether_the_scan_or_the_list_tells(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    scenario.talks(*(talk(str(n), "c1") for n in range(500, 506)))
    scenario.sync(full=True)
    for number in range(500, 503):
        scenario.company.delete_conversation(str(number))
    synced = scenario.sync(NOW + DAY, full=True)
    assert _gone(scenario, "conversation") == synced.metadata("raw_conversations")["records_deleted"] == 3


def test_a_window_does_not_ask_for_the_list(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    scenario.talks(talk("500", "c1"))
    scenario.sync(full=True)
    scenario.company.delete_conversation("500")
    scenario.sandbox.requests.clear()
    scenario.sync(NOW + DAY)
    assert scenario.requests(lambda one: one.path.endswith("/deleted")) == []
    assert _landed(scenario, "conversations") == ["500"]


def test_the_list_is_read_back_to_the_last_full_sync_and_at_first_to_the_first_run(scenario: Scenario) -> None:
    def pages(as_of: datetime) -> list[str]:
        scenario.sandbox.requests.clear()
        scenario.sync(as_of, full=True)
        return [one.query["page"] for one in scenario.requests(lambda one: one.path.endswith("/deleted"))]

    scenario.put(person("c1", _EMAIL))
    for number in range(400):  # 60 a page, one every six hours
        scenario.company.deleted_conversations[str(number)] = at(NOW - number * 6 * HOUR)
    assert pages(NOW - 50 * DAY) == ["1", "2", "3", "4"]
    assert pages(NOW) == ["1", "2", "3", "4"]
    assert pages(NOW + HOUR) == ["1"]


@pytest.mark.parametrize(
    ("answer", "errors"),
    [
        (_REFUSED, 1),
        (error(403, "forbidden", "no"), 1),
        (error(404, "not_found", "?"), 0),
        (error(400, "intercom_version_invalid", "?"), 0),
    ],
)
def test_a_list_that_cannot_be_read_fails_no_sync(scenario: Scenario, answer: Fault, errors: int) -> None:
    scenario.put(person("c1", _EMAIL))
    scenario.talks(talk("500", "c1"), talk("501", "c1"))
    scenario.sync(full=True)
    scenario.company.delete_conversation("501")
    scenario.sandbox.faults.add(answer, match=_LIST)
    assert scenario.sync(NOW + DAY, full=True).row["errors"] == errors
    assert _landed(scenario, "conversations") == ["500"]
