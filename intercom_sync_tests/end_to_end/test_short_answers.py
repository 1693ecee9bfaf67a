"""Answers that hold less than there is: the sync fails or finds the rest, and never ends well with less."""

from collections.abc import Callable
from typing import Any

import pytest

from intercom_sync.sandbox import faults
from intercom_sync_tests.end_to_end.scenario import DAY, NOW, Scenario, person, talk, why

_SEARCH = "POST /contacts/search"
_URL = "https://api.intercom.io/contacts/search?page=2"


def _people(scenario: Scenario, number: int = 250) -> list[str]:
    scenario.put(*(person(f"c{n:03}", f"p{n:03}@example.com", updated=NOW - DAY - n * DAY) for n in range(number)))
    return [f"p{n:03}@example.com" for n in range(number)]


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("pages", [{"next": _URL}, {"next": {"page": 2}}, {"next": ""}, "https://example.com"])
def test_a_next_page_that_is_no_cursor_fails_the_run_and_the_next_one_reads_everything(
    scenario: Scenario, pages: Any, full: bool
) -> None:
    emails = _people(scenario)
    if not full:
        scenario.sync(NOW - 300 * DAY, full=True)  # before anything changed
    scenario.sandbox.faults.add(faults.edited(lambda page: page | {"pages": pages}), match=_SEARCH)
    failed = scenario.run(full=full)
    assert not failed.result.success
    assert "unknown shape" in why(failed.result)
    scenario.sandbox.faults.clear()
    scenario.sync(full=True)
    assert scenario.emails() == emails


def test_pages_that_name_no_next_one_are_read_to_the_end_all_the_same(scenario: Scenario) -> None:
    emails = _people(scenario)
    scenario.sandbox.faults.add(faults.edited(lambda page: page | {"pages": None}), match=_SEARCH)
    scenario.sync(full=True)
    assert scenario.emails() == emails


def test_a_record_that_is_read_twice_does_not_make_up_for_one_that_was_not(scenario: Scenario) -> None:
    """The last page says that one more exists, and is asked for again; then nothing is marked as deleted."""
    scenario.talks(*(talk(f"{500 + n}", "c0") for n in range(5)))
    scenario.sync(full=True)
    short = faults.edited(lambda page: page | {"conversations": page["conversations"][1:], "total_count": 5})
    scenario.sandbox.faults.add(short, match="POST /conversations/search")
    scenario.sync(NOW + DAY, full=True)
    assert len(scenario.values("SELECT id FROM intercom_conversations")) == 5


@pytest.mark.parametrize("count", [3_000_000_000, 10**18, -1, "250", None])
def test_a_count_of_any_kind_fails_no_sync(scenario: Scenario, count: Any) -> None:
    emails = _people(scenario, 5)
    scenario.talks(talk("500", "c001", "Hello", "I cancel"))

    def counted(found: Any) -> Any:
        parts = found.get("conversation_parts")
        return (
            found | {"total_count": count} | ({"conversation_parts": parts | {"total_count": count}} if parts else {})
        )

    scenario.sandbox.faults.add(faults.edited(counted))
    scenario.sync(full=True)
    scenario.sync(NOW + DAY)
    assert scenario.emails() == emails
    assert scenario.customer(emails[1])["mentioned_cancel"]


_WITHOUT_PARTS: dict[str, Callable[[Any], Any]] = {
    "null": lambda one: one | {"conversation_parts": None},
    "a list with null": lambda one: one | {"conversation_parts": {"conversation_parts": None, "total_count": 1}},
    "another conversation's": lambda one: one | {"id": "501"},
    "an error list": lambda one: one | {"type": "error.list", "errors": [{"code": "server_error"}]},
}


@pytest.mark.parametrize("name", _WITHOUT_PARTS)
def test_a_conversation_without_its_parts_waits_for_the_next_sync(scenario: Scenario, name: str) -> None:
    scenario.put(person("c1", "ada@example.com"))
    scenario.talks(talk("500", "c1", "Hello", "I cancel"))
    scenario.sandbox.faults.add(faults.edited(_WITHOUT_PARTS[name]), match="GET /conversations/500")
    assert scenario.sync(full=True).row["errors"] == 1
    assert not scenario.customer("ada@example.com")["mentioned_cancel"]
    scenario.sandbox.faults.clear()
    scenario.sync(NOW)
    assert scenario.customer("ada@example.com")["mentioned_cancel"]
