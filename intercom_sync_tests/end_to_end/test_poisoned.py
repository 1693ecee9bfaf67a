"""Single records that Intercom cannot give: they cost themselves only, however many and wherever in the list."""

from collections.abc import Callable, Iterator

import dagster as dg
import pytest

from intercom_sync.sandbox import faults
from intercom_sync.sandbox.faults import Fault
from intercom_sync.sandbox.requests import Request
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync_tests.end_to_end.faulty import QuickIntercom
from intercom_sync_tests.end_to_end.scenario import DAY, HOUR, NOW, Scenario, person, talk, why

_COUNT = 150
_SCATTERED = set(range(5, _COUNT, 6))
_GARBAGE = faults.status(200, "<html>")


@pytest.fixture
def scenario(database_url: str, schema: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scenario]:
    """A company of customers who each wrote twice, the newest first; waiting costs no time."""
    for name, value in {"API_KEY": "t", "SYNC_DATABASE_URL": database_url, "SYNC_SCHEMA": schema}.items():
        monkeypatch.setenv(f"INTERCOM_{name}", value)
    company = Workspace()
    for n in range(_COUNT):
        company.put_contact(person(f"c{n:03}", f"p{n:03}@example.com"))
        changed = NOW - HOUR - n * HOUR / 60
        company.put_conversation(talk(f"{500 + n}", f"c{n:03}", "Hello", "I cancel", created=changed))
    with Sandbox(company) as sandbox, dg.DagsterInstance.ephemeral() as instance:
        intercom = dg.ResourceDefinition.hardcoded_resource(QuickIntercom(sandbox.url))
        made = Scenario(sandbox, database_url, schema, instance, intercom=intercom)
        yield made
        made.close()


def _one_of(numbers: set[int], path: str = "/conversations/", first: int = 500) -> Callable[[Request], bool]:
    paths = {f"{path}{first + number}" for number in numbers}
    return lambda request: request.path in paths


def _waiting(scenario: Scenario) -> set[int]:
    return {int(id) - 500 for id in scenario.values("SELECT id FROM intercom_conversations WHERE parts_pending")}


def _mentions(scenario: Scenario) -> int:
    return scenario.one("SELECT count(*) FROM unified_customers WHERE mentioned_cancel")["count"]


@pytest.mark.parametrize(
    "numbers",
    [
        _SCATTERED,
        set(range(25)),
        set(range(60)),
        set(range(_COUNT - 25, _COUNT)),
        set(range(_COUNT - 60, _COUNT)),
        set(range(_COUNT)) - {0},
        set(range(_COUNT)) - {_COUNT - 1},
    ],
    ids=["scattered", "first 25", "first 60", "last 25", "last 60", "all but the first", "all but the last"],
)
def test_conversations_that_stay_refused_cost_themselves_only_sync_after_sync(
    scenario: Scenario, numbers: set[int]
) -> None:
    scenario.sandbox.faults.add(faults.server_error(), match=_one_of(numbers))
    first = scenario.sync(full=True)
    assert first.counts[0] == _COUNT
    # Others that were tried to see whether Intercom answers at all may be among those.
    assert len(numbers) <= first.row["errors"] <= len(numbers) + 10
    assert (_waiting(scenario), _mentions(scenario)) == (numbers, _COUNT - len(numbers))
    # Now none but those is asked for.
    assert scenario.sync(NOW).row["errors"] == len(numbers)
    scenario.sandbox.faults.clear()
    assert scenario.sync(NOW).row["errors"] == 0
    assert (_waiting(scenario), _mentions(scenario)) == (set(), _COUNT)


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        (_GARBAGE, True),
        (faults.empty_body(), True),
        (faults.error(408, "request_timeout", "?"), True),
        (faults.error(422, "data_invalid", "?"), True),
        (faults.reset(), True),
        (faults.rate_limited(headers=False), True),
        (faults.error(404, "not_found", "?"), False),
        (faults.error(410, "not_found", "?"), False),
    ],
    ids=["garbage", "nothing", "408", "422", "reset", "429", "404", "410"],
)
def test_whatever_such_a_conversation_answers(scenario: Scenario, fault: Fault, waits: bool) -> None:
    scenario.sandbox.faults.add(fault, match=_one_of(_SCATTERED))
    errors = len(_SCATTERED) if waits else 0
    assert scenario.sync(full=True).row["errors"] == errors
    assert len(_waiting(scenario)) == errors
    assert _mentions(scenario) == _COUNT - len(_SCATTERED)


@pytest.mark.parametrize("known", [False, True])
def test_when_no_conversation_can_be_had_the_run_ends_soon_and_says_so_once(scenario: Scenario, known: bool) -> None:
    if known:
        scenario.talks(talk("499", "c000", "Hello", "Bye"))
        everything = set(range(_COUNT))
        scenario.sandbox.faults.add(faults.server_error(), match=_one_of(everything))
        scenario.sync(full=True)
        scenario.sandbox.faults.clear()
        scenario.sandbox.requests.clear()
    scenario.sandbox.faults.add(faults.server_error(), match=_one_of(set(range(-1, _COUNT))))
    failed = scenario.run(NOW, full=not known)
    assert not failed.result.success
    assert why(failed.result).count("gave no usable answer after 4 attempts (status 500)") == 1
    assert len(scenario.parts_fetched()) < _COUNT / 2 * 4
    assert 20 <= failed.row["errors"] <= len(scenario.parts_fetched()) / 4  # each was asked for four times
    assert failed.row["status"] == "failed"
    scenario.sandbox.faults.clear()
    assert scenario.sync(full=True).counts[0] == (0 if known else _COUNT)
    assert (_waiting(scenario), _mentions(scenario)) == (set(), _COUNT)


def test_a_page_that_stays_refused_is_among_the_errors_of_the_failed_run(scenario: Scenario) -> None:
    scenario.sandbox.faults.add(faults.server_error(), match="POST /contacts/search")
    failed = scenario.run(full=True)
    assert not failed.result.success
    assert failed.row["errors"] >= 1


def test_missing_contacts_that_cannot_be_asked_for_keep_no_other_one(scenario: Scenario) -> None:
    scenario.sync(full=True)
    for number in range(100):
        scenario.company.archive_contact(f"c{number:03}")
    refused = set(range(0, 100, 2))
    paths = {f"/contacts/c{number:03}" for number in refused}
    scenario.sandbox.faults.add(faults.server_error(), match=lambda request: request.path in paths)
    assert scenario.sync(NOW + DAY, full=True).row["errors"] == len(refused)
    assert scenario.one("SELECT count(*) FROM intercom_contacts")["count"] == _COUNT - 100 + len(refused)
