"""Clocks that are wrong: of this machine, of the database, of Intercom. None of them does harm that lasts.

The real clock is the database's. To make it wrong, a test moves everything else to another time.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from intercom_sync.sandbox.faults import cursor_refused, error
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync_tests.end_to_end.scenario import DAY, HOUR, Scenario, at, person, set_environment, talk, why

_EMAIL = "ada@example.com"
_AHEAD = 40 * DAY
_SECOND = timedelta(seconds=1)


@dataclass
class Clocks:
    """How far each clock is from the real time; the database's is never off it."""

    machine: timedelta = timedelta(0)
    intercom: timedelta = timedelta(0)

    def now(self) -> datetime:
        """What this machine's clock says."""
        return datetime.now(UTC) + self.machine


class Clocked(Scenario):
    """A scenario whose clocks can be set."""

    clocks: Clocks

    def set_machine(self, off: timedelta) -> None:
        self.clocks.machine = off

    def set_intercom(self, off: timedelta) -> None:
        self.clocks.intercom = off


@pytest.fixture
def clocked(database_url: str, schema: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clocked]:
    clocks = Clocks()
    company = Workspace(clock=lambda: time.time() + clocks.intercom.total_seconds())
    with Sandbox(company, clock=company.clock) as sandbox, dg.DagsterInstance.ephemeral() as instance:
        set_environment(monkeypatch, sandbox, database_url, schema)
        resource = dg.ResourceDefinition.hardcoded_resource(clocks.now)
        made = Clocked(sandbox, database_url, schema, instance, clock=resource)
        made.clocks = clocks
        yield made
        made.close()


def _fill(clocked: Clocked, now: datetime) -> None:
    clocked.put(
        person("c1", _EMAIL, updated=now - HOUR, last_seen_at=at(now - 3 * DAY)),
        person("c2", "bob@example.com", updated=now - HOUR, last_seen_at=at(now - 2 * DAY)),
    )
    clocked.talks(
        talk("500", "c1", "please cancel", created=now - 2 * DAY),
        talk("501", "c2", "Hello", "please cancel", created=now - 2 * DAY),
        talk("502", "c1", "Hello", "again", created=now - 20 * DAY),
    )


def _is_right(clocked: Clocked, now: datetime, *, mentioned: bool = True) -> None:
    """What depends on the time is right at an instant, for both customers."""
    for email, days in ((_EMAIL, 3), ("bob@example.com", 2)):
        row = clocked.customer(email)
        assert (row["days_since_seen"], row["mentioned_cancel"]) == (days, mentioned)
        assert now - HOUR <= row["last_intercom_sync"] <= now + HOUR
    latest = clocked.one(
        "SELECT GREATEST(max(as_of), max(started_at), max(finished_at), (SELECT max(created_at) FROM customer_alerts), "
        "(SELECT max(last_intercom_sync) FROM unified_customers)) AS at FROM sync_runs"
    )["at"]
    assert latest <= now + timedelta(minutes=1)


def _check(clocked: Clocked, **how: object) -> dg.AssetCheckEvaluation:
    result = clocked.execute(None, checked=True, **how)  # type: ignore[arg-type]
    assert result.success, why(result)
    return next(one for one in result.get_asset_check_evaluations() if one.check_name == "clocks_agree")


def test_a_clock_40_days_ahead_changes_nothing_and_is_a_failed_check(clocked: Clocked) -> None:
    now = datetime.now(UTC)
    _fill(clocked, now)
    clocked.sync(None, full=True)
    clocked.set_machine(_AHEAD)
    found = _check(clocked)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "this machine is 3,456,0" in (found.description or "")
    assert "ahead" in (found.description or "")
    _is_right(clocked, now)
    assert clocked.alerts() == [("cancel_mention", _EMAIL), ("cancel_mention", "bob@example.com")]
    clocked.set_machine(timedelta(0))
    assert _check(clocked).passed
    _is_right(clocked, now)
    assert len(clocked.alerts()) == 2


def test_a_machine_and_a_database_that_are_ahead_together_give_way_to_intercoms_answers(clocked: Clocked) -> None:
    now = datetime.now(UTC) - _AHEAD
    clocked.set_intercom(-_AHEAD)
    _fill(clocked, now)
    clocked.sync(None, full=True)
    _is_right(clocked, now)
    clocked.sync(None)
    _is_right(clocked, now)
    assert clocked.values("SELECT count(*) FROM intercom_messages") == [5]


def _poison(clocked: Clocked, **how: bool) -> None:
    """A sync while the machine and the database are 40 days ahead, and Intercom does not say what time it is."""
    clocked.set_intercom(-_AHEAD)
    clocked.sandbox.dated(False)
    clocked.set_machine(timedelta(0))
    clocked.sync(None, **how)
    clocked.sandbox.dated(True)


@pytest.mark.parametrize("full_first", [True, False])
def test_the_first_sync_after_a_clock_was_ahead_heals_everything(clocked: Clocked, full_first: bool) -> None:
    now = datetime.now(UTC) - _AHEAD
    _fill(clocked, now)
    if full_first:
        clocked.set_intercom(-_AHEAD)
        clocked.set_machine(-_AHEAD)
        clocked.sync(None, full=True)
    _poison(clocked)
    assert clocked.customer(_EMAIL)["mentioned_cancel"] is False
    clocked.put(person("c1", _EMAIL, updated=now - 20 * _SECOND, name="Changed", last_seen_at=at(now - 3 * DAY)))
    clocked.set_machine(-_AHEAD)
    synced = clocked.sync(None)
    _is_right(clocked, now)
    assert clocked.customer(_EMAIL)["name"] == "Changed"
    assert synced.row["future_instants"] > 0
    assert clocked.values("SELECT count(*) FROM intercom_messages") == [5]
    assert clocked.sync(None).row["future_instants"] == 0
    _is_right(clocked, now)


def test_every_clock_that_was_ahead_intercoms_too_is_outvoted_when_intercoms_and_another_are_right_again(
    clocked: Clocked,
) -> None:
    now = datetime.now(UTC) - _AHEAD
    _fill(clocked, now)
    clocked.sync(None, full=True)
    assert clocked.customer(_EMAIL)["mentioned_cancel"] is False
    clocked.set_intercom(-_AHEAD)
    clocked.set_machine(-_AHEAD)
    assert clocked.sync(None).row["future_instants"] > 0
    _is_right(clocked, now)


def test_the_run_that_meets_future_instants_says_so(clocked: Clocked) -> None:
    _fill(clocked, datetime.now(UTC) - _AHEAD)
    _poison(clocked, full=True)
    clocked.set_machine(-_AHEAD)
    found = _check(clocked)
    assert not found.passed
    assert "stored times were in the future" in (found.description or "")


def test_a_change_that_a_watermark_of_the_future_skipped_is_read(clocked: Clocked) -> None:
    """By windows alone: the full sync came before, the poisoned one was a catch-up."""
    now = datetime.now(UTC) - _AHEAD
    clocked.set_intercom(-_AHEAD)
    clocked.set_machine(-_AHEAD)
    _fill(clocked, now)
    clocked.sync(None, full=True)
    _poison(clocked)
    clocked.put(person("c3", "cyd@example.com", updated=now - HOUR / 2))
    clocked.set_machine(-_AHEAD)
    synced = clocked.sync(None)
    assert synced.row["mode"] == "window"
    assert clocked.emails() == [_EMAIL, "bob@example.com", "cyd@example.com"]


def test_a_reading_that_broke_off_while_the_clock_was_ahead_is_no_hole(clocked: Clocked) -> None:
    now = datetime.now(UTC) - _AHEAD
    _fill(clocked, now)
    clocked.set_intercom(-_AHEAD)
    clocked.sandbox.dated(False)
    clocked.sandbox.faults.add(cursor_refused(), match="POST /conversations/search")
    assert not clocked.run(None, full=True).result.success
    clocked.sandbox.faults.clear()
    clocked.sandbox.dated(True)
    clocked.put(person("c3", "cyd@example.com", updated=now - 10 * _SECOND))
    clocked.set_machine(-_AHEAD)
    clocked.sync(None, full=True)
    assert clocked.emails() == [_EMAIL, "bob@example.com", "cyd@example.com"]
    _is_right(clocked, now)


@pytest.mark.parametrize("behind", [DAY, timedelta(days=20_700)])
def test_a_clock_that_is_behind_does_no_harm(clocked: Clocked, behind: timedelta) -> None:
    now = datetime.now(UTC)
    _fill(clocked, now)
    clocked.sync(None, full=True)
    clocked.put(person("c3", "cyd@example.com", updated=now - 20 * _SECOND))
    clocked.set_machine(-behind)
    clocked.sync(None)
    _is_right(clocked, now)
    assert "cyd@example.com" in clocked.emails()
    clocked.set_machine(timedelta(0))
    clocked.sync(None)
    _is_right(clocked, now)
    assert len(clocked.alerts()) == 2


def test_a_first_sync_on_a_machine_whose_clock_was_never_set_is_right(clocked: Clocked) -> None:
    now = datetime.now(UTC)
    _fill(clocked, now)
    clocked.set_machine(datetime(1970, 1, 1, tzinfo=UTC) - now)
    clocked.sync(None)
    _is_right(clocked, now)


@pytest.mark.parametrize("off", [timedelta(hours=5), 400 * DAY, -timedelta(hours=5), -400 * DAY])
def test_a_date_of_intercoms_that_is_wrong_takes_nothing_back(clocked: Clocked, off: timedelta) -> None:
    now = datetime.now(UTC)
    _fill(clocked, now)
    clocked.sync(None, full=True)
    clocked.set_intercom(off)
    assert not _check(clocked).passed
    _is_right(clocked, now)
    clocked.set_intercom(timedelta(0))
    clocked.sync(None)
    _is_right(clocked, now)
    assert len(clocked.alerts()) == 2


def test_a_customer_that_was_deleted_in_the_future_was_deleted_by_now(clocked: Clocked) -> None:
    now = datetime.now(UTC) - _AHEAD
    clocked.set_intercom(-_AHEAD)
    clocked.set_machine(-_AHEAD)
    _fill(clocked, now)
    clocked.sync(None, full=True)
    clocked.company.archive_contact("c2")
    _poison(clocked, full=True)
    clocked.set_machine(-_AHEAD)
    clocked.sync(None)
    deleted = clocked.customer("bob@example.com")["intercom_deleted_at"]
    assert deleted <= now + HOUR


def test_words_go_also_while_intercom_is_away_and_not_by_a_clock_that_is_ahead(clocked: Clocked) -> None:
    now = datetime.now(UTC)
    _fill(clocked, now)
    clocked.sync(None, full=True)
    clocked.sandbox.faults.add(error(401, "unauthorized", "Access Token Invalid"))
    clocked.set_machine(_AHEAD)
    assert not clocked.run(None).result.success
    clocked.sandbox.faults.clear()
    assert clocked.values("SELECT count(*) FROM intercom_messages") == [5]
