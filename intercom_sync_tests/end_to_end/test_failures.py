"""The table in docs/operations.md of what happens when something fails, compared with real faults in real syncs.

After each of them the tables equal those of a sync that met none, alerts included.
"""

import importlib
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from intercom_sync.intercom.http.deadline import TOTAL_TIMEOUT_FACTOR
from intercom_sync.intercom.http.rate_limiter import MAX_WINDOW_SECONDS
from intercom_sync.intercom.http.transport import MAX_RESPONSE_BYTES, TIMEOUTS_SECONDS
from intercom_sync.sandbox import faults
from intercom_sync_tests.end_to_end.failures import (
    ELSEWHERE,
    LASTING,
    OTHERS,
    PAGE,
    PASSING_OR_LASTING,
    TALK,
    Failure,
    struck,
    with_cursor,
)
from intercom_sync_tests.end_to_end.faulty import CONTACTS, TOKEN, Begin, Tables, held_by, told
from intercom_sync_tests.end_to_end.scenario import NOW, Scenario, at, person, why
from intercom_sync_tests.intercom.scenario import HandClock

_PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def _asked(scenario: Scenario) -> list[int]:
    """How often each question was asked that got no usable answer to the end, whatever the page's size."""
    pages = scenario.requests(lambda one: one.path == "/contacts/search")
    return list(Counter(re.sub(rb'"per_page":\d+', b"", one.raw) for one in pages).values())


@pytest.mark.parametrize("name", PASSING_OR_LASTING)
def test_trouble_that_passes_is_ridden_out(name: str, begun: Begin, clean: Tables) -> None:
    trouble = PASSING_OR_LASTING[name]
    with begun(trouble.options) as scenario:
        struck(trouble)(scenario.sandbox.faults)
        synced = scenario.sync(full=True)
        assert synced.row["errors"] == 0
        assert scenario.parts_fetched().count("507") == trouble.attempts
        assert held_by(scenario) == clean


@pytest.mark.parametrize("name", [*PASSING_OR_LASTING, *LASTING])
def test_trouble_that_lasts_ends_the_run_and_the_next_sync_puts_it_right(
    name: str, begun: Begin, clean: Tables
) -> None:
    trouble: Failure = (PASSING_OR_LASTING | LASTING)[name]
    with begun(trouble.options) as scenario:
        scenario.sandbox.faults.add(trouble.fault, match=PAGE, after=1)
        broken = scenario.run(full=True)
        assert not broken.result.success
        assert trouble.says in why(broken.result)
        assert TOKEN not in why(broken.result)
        assert max(_asked(scenario)) == (trouble.page_attempts or trouble.attempts)
        assert (1 in _sizes(scenario)) == (trouble.page_attempts > 0)
        assert 37 in _sizes(scenario) if trouble.shrinks else _sizes(scenario) <= {150}
        landed = scenario.values("SELECT count(*) FROM intercom_contacts")[0]
        assert 0 < landed < CONTACTS
        assert scenario.rows("SELECT 1 FROM unified_customers") == scenario.alerts() == []
        scenario.sandbox.faults.clear()
        assert scenario.sync(full=True).row["contacts_read"] == CONTACTS - landed
        assert held_by(scenario) == clean


def _sizes(scenario: Scenario) -> set[int]:
    pages = scenario.requests(lambda one: one.path == "/contacts/search")
    return {one.json["pagination"]["per_page"] for one in pages}


def test_a_cursor_refused_in_the_middle_of_a_read_costs_no_record(begun: Begin, clean: Tables) -> None:
    with begun() as scenario:
        scenario.sandbox.faults.add(faults.cursor_refused(), match=with_cursor, times=1)
        synced = scenario.sync(full=True)
        assert scenario.requests(lambda one: one.status == 400)
        assert synced.row["errors"] == 1
        assert len(scenario.requests(lambda one: one.path == "/contacts/search")) <= 3 + 4
        assert held_by(scenario) == clean


@pytest.mark.parametrize("name", ["429 without headers", "503", "reset before an answer", "half of a JSON"])
def test_a_conversation_that_stays_refused_costs_only_its_own_parts_until_the_next_sync(
    name: str, begun: Begin, clean: Tables
) -> None:
    trouble = PASSING_OR_LASTING[name]
    with begun() as scenario:
        scenario.sandbox.faults.add(trouble.fault, match=TALK)
        synced = scenario.sync(full=True)
        assert synced.row["errors"] == 1
        assert scenario.parts_fetched().count("507") == trouble.attempts
        assert scenario.values("SELECT id FROM intercom_conversations WHERE parts_pending") == ["507"]
        assert len(scenario.alerts()) == sum(clean["customer_alerts"].values()) - 1
        scenario.sandbox.faults.clear()
        scenario.sandbox.requests.clear()
        assert scenario.sync().row["errors"] == 0
        assert scenario.parts_fetched() == ["507"]
        held = held_by(scenario)
        assert told(held) == told(clean)  # in other words: the customer is no new one by now
        assert held | {"customer_alerts": clean["customer_alerts"]} == clean


def test_a_full_read_that_falls_short_marks_nobody_as_deleted(scenario: Scenario) -> None:
    scenario.put(*(person(f"c{n}", f"p{n}@example.com") for n in range(3)))
    scenario.sync(full=True)
    scenario.company.archive_contact("c2")
    scenario.sandbox.faults.add(faults.overcounted(1), match=PAGE)
    scenario.sync(full=True)
    assert len(scenario.emails()) == 3
    scenario.sandbox.faults.clear()
    scenario.sync(full=True)
    assert scenario.emails() == ["p0@example.com", "p1@example.com"]


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_is_hours_off_is_seen_through_by_the_date_of_its_answers(
    hours: int, begun: Begin, clean: Tables
) -> None:
    """Twenty calls in ten seconds are too few for the sync, so it must wait, by a clock that is not its own."""
    real = {"clock": time.monotonic, "sleep": time.sleep}
    with begun(real, rate=2, clock=lambda: time.time() + hours * 3600) as scenario:
        scenario.sync(full=True)
        assert scenario.requests(lambda one: one.status == 429) == []
        assert held_by(scenario) == clean


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_is_hours_off_does_no_harm(hours: int, begun: Begin, clean: Tables) -> None:
    """Without a date there is nothing to see it by: a wait is too short, and a 429 comes, or some seconds too long."""
    hand = HandClock()
    options = {"clock": hand, "sleep": hand.sleep, "wall": lambda: at(NOW) + hand()}
    with begun(options, rate=1, clock=lambda: at(NOW) + hand() + hours * 3600, dated=False) as scenario:
        assert scenario.sync(full=True).row["errors"] == 0
        assert held_by(scenario) == clean


def test_every_row_of_the_table_is_held_by_a_scenario_and_every_scenario_has_its_row() -> None:
    table = _PAGE.read_text().partition("## When something fails")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| .+ \|$", table, re.MULTILINE)[2:]
    here = {trouble.row for trouble in (PASSING_OR_LASTING | LASTING).values()} | set(OTHERS)
    assert sorted(rows) == sorted(here | set(ELSEWHERE))
    assert not here & set(ELSEWHERE)


def test_every_test_that_a_row_names_is_there() -> None:
    assert [name for name in OTHERS.values() if name not in globals()] == []
    for place in ELSEWHERE.values():
        module, _, name = place.partition("::")
        assert callable(getattr(importlib.import_module(module), name, None)), place


def test_the_figures_in_the_table_are_those_of_the_client() -> None:
    text = _PAGE.read_text()
    seconds = TIMEOUTS_SECONDS[1]
    for said in (
        f"no byte for {seconds:.0f} seconds, or an answer not whole after {seconds * TOTAL_TIMEOUT_FACTOR:.0f}",
        f"more than {MAX_RESPONSE_BYTES >> 20} MB",
        f"last {MAX_WINDOW_SECONDS:.0f} seconds at most",
    ):
        assert said in text
