"""Readings that broke off: what landed stays, the next try goes on from there, and nothing is left behind."""

import pytest

from intercom_sync.domain.window import Window
from intercom_sync.sandbox.faults import error, reset, server_error
from intercom_sync_tests.end_to_end.scenario import DAY, HOUR, NOW, Scenario, at, person, talk

_BOOKS = ("sync_extractions", "sync_seen_ids", "sync_checkpoints")


def _left(scenario: Scenario) -> dict[str, int]:
    return {name: scenario.values(f"SELECT count(*) FROM {name}")[0] for name in _BOOKS}


def _many(scenario: Scenario, count: int) -> None:
    scenario.put(
        *(person(f"c{n:04}", f"p{n}@example.com", updated=NOW - DAY / 2 - n * HOUR / 60) for n in range(count))
    )


def _scans(scenario: Scenario) -> list[str]:
    """The searches for everything; a try that goes on also asks for what changed since the first one."""
    return [request.path for request in scenario.requests(lambda one: b'"created_at"' in one.raw)]


def _landed(scenario: Scenario) -> int:
    return scenario.values("SELECT count(*) FROM intercom_contacts")[0]


@pytest.mark.parametrize("full", [True, False])
def test_the_next_try_of_the_same_reading_goes_on_where_the_last_one_stopped(scenario: Scenario, full: bool) -> None:
    scenario.sync(NOW - 30 * DAY)  # the first sync reads everything, whatever is asked for
    _many(scenario, 700)
    window = None if full else Window(NOW - 3 * DAY, NOW)
    scenario.sandbox.faults.add(error(400, "parameter_invalid", "no"), match="POST /contacts/search", after=2)
    broken = scenario.run(full=full, window=window)
    assert not broken.result.success
    landed = _landed(scenario)
    assert 0 < landed < 700
    assert scenario.rows("SELECT 1 FROM unified_customers") == []
    scenario.sandbox.faults.clear()
    again = scenario.sync(NOW + HOUR if full else NOW, full=full, window=window)
    assert again.counts == (700, 0, 0, 0)
    assert again.row["contacts_read"] == 700 - landed
    assert _left(scenario) == dict.fromkeys(_BOOKS, 0)


def test_another_scope_does_not_go_on_with_what_it_did_not_ask_for(scenario: Scenario) -> None:
    scenario.sync(NOW - 30 * DAY)
    _many(scenario, 400)
    scenario.sandbox.faults.add(error(400, "parameter_invalid", "no"), match="POST /contacts/search", after=1)
    assert not scenario.run(full=True).result.success
    scenario.sandbox.faults.clear()
    window = scenario.sync(window=Window(NOW - 3 * DAY, NOW))
    assert window.row["contacts_read"] == 400
    assert _left(scenario)["sync_extractions"] == 1
    assert scenario.sync(full=True).counts[:3] == (0, 400, 0)
    assert _left(scenario) == dict.fromkeys(_BOOKS, 0)


def test_the_stream_that_was_read_to_its_end_is_not_read_again(scenario: Scenario) -> None:
    _many(scenario, 30)
    scenario.talks(*(talk(f"t{n}", f"c{n:04}", "Hello", "cancel") for n in range(20)))
    scenario.sandbox.faults.add(error(400, "parameter_invalid", "no"), match="POST /contacts/search")
    assert not scenario.run(full=True).result.success
    assert len(scenario.parts_fetched()) == 20
    scenario.sandbox.faults.clear()
    scenario.sandbox.requests.clear()
    again = scenario.sync(full=True)
    assert again.read == (30, 0)
    assert _scans(scenario) == ["/contacts/search"]
    assert again.counts == (30, 0, 0, 20)


def test_a_broken_full_sync_takes_nobody_for_deleted(scenario: Scenario) -> None:
    _many(scenario, 400)
    scenario.sync(full=True)
    scenario.company.archive_contact("c0399")
    scenario.sandbox.faults.add(error(400, "parameter_invalid", "no"), match="POST /contacts/search", after=1)
    assert not scenario.run(NOW + DAY, full=True).result.success
    scenario.sandbox.faults.clear()
    scenario.sync(NOW + DAY)
    assert len(scenario.emails()) == 400
    scenario.sync(NOW + DAY, full=True)
    assert set(scenario.emails(living=False)) - set(scenario.emails()) == {"p399@example.com"}


def test_trouble_that_passes_is_ridden_out_and_counted_as_nothing(scenario: Scenario) -> None:
    _many(scenario, 200)
    scenario.talks(talk("500", "c0001", "Hello", "cancel"))
    scenario.sandbox.faults.add(server_error(), match="POST /contacts/search", times=1)
    scenario.sandbox.faults.add(reset(), match="POST /conversations/search", times=1)
    scenario.sandbox.faults.add(reset(), match="GET /conversations/500", times=1)
    synced = scenario.sync(full=True)
    assert (synced.counts, synced.row["errors"]) == ((200, 0, 0, 1), 0)


@pytest.mark.parametrize("code", [401, 403])
def test_a_refused_token_ends_the_run_at_once_with_what_to_do(scenario: Scenario, code: int) -> None:
    scenario.sandbox.faults.add(error(code, "unauthorized", "Access Token Invalid"))
    run = scenario.run(full=True)
    failed = next(event for event in run.result.all_events if event.is_step_failure)
    sentence = failed.step_failure_data.user_failure_data.description
    assert "INTERCOM_API_KEY" in sentence
    assert "an invented token" not in sentence
    assert len(scenario.sandbox.requests) <= 4


def test_a_run_that_died_after_reading_leaves_what_the_next_one_needs(scenario: Scenario) -> None:
    """The database refuses the end of the run, which is one transaction with the customers."""
    scenario.sync(full=True)
    _many(scenario, 50)
    scenario.rows("ALTER TABLE sync_runs ADD CONSTRAINT never CHECK (status <> 'succeeded') NOT VALID")
    failed = scenario.run(full=True)
    assert not failed.result.success
    assert _landed(scenario) == 50
    assert scenario.emails() == []
    scenario.rows("ALTER TABLE sync_runs DROP CONSTRAINT never")
    scenario.sandbox.requests.clear()
    again = scenario.sync(full=True)
    assert (again.counts, again.read) == ((50, 0, 0, 0), (0, 0))
    assert _scans(scenario) == []
    assert _left(scenario) == dict.fromkeys(_BOOKS, 0)


def test_parts_are_fetched_once_a_version_and_only_for_words_that_can_matter(scenario: Scenario) -> None:
    scenario.put(person("c1", "ada@example.com"))
    old = talk("500", "c1", "Hello", "cancel", created=NOW - 40 * DAY)
    alone = talk("501", "c1", "cancel")
    talked = talk("502", "c1", "Hello", "Thanks", updated_at=at(NOW - HOUR))
    scenario.talks(old, alone, talked)
    scenario.sync(full=True)
    assert scenario.parts_fetched() == ["502"]
    scenario.sandbox.requests.clear()
    closed = talked | {"open": False, "state": "closed", "updated_at": at(NOW)}
    scenario.talks(closed, alone | {"updated_at": at(NOW)})
    scenario.sync(NOW + HOUR)
    assert scenario.parts_fetched() == ["502"]  # a part may have been redacted
    scenario.sync(NOW + HOUR, full=True)
    assert scenario.parts_fetched() == ["502"]
    scenario.sandbox.requests.clear()
    assert scenario.customer("ada@example.com")["open_tickets"] == 2
    more = talk("502", "c1", "Hello", "Thanks", "Please cancel")
    more["statistics"]["last_contact_reply_at"] = at(NOW + HOUR)
    scenario.talks(more | {"updated_at": at(NOW + HOUR)})
    scenario.sync(NOW + 2 * HOUR)
    assert scenario.parts_fetched() == ["502"]
