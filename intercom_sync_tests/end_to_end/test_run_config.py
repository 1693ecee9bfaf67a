"""What a person types into the launchpad: wrong values are refused by name, in one sentence, and nothing is written."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from intercom_sync.cli import USAGE_ERROR, main
from intercom_sync.definitions import build_definitions
from intercom_sync.orchestration.jobs import SYNC_JOB, run_config
from intercom_sync.orchestration.resources import WarehouseResource
from intercom_sync.orchestration.sensors import build_sensors
from intercom_sync.settings import Settings
from intercom_sync_tests.end_to_end.scenario import DAY, NOW, QUIET, Scenario, person, talk, why

_WRITTEN = ("unified_customers", "intercom_contacts", "intercom_conversations", "intercom_messages", "sync_extractions")


def _launch(scenario: Scenario, config: dict[str, Any]) -> dg.ExecuteInProcessResult:
    job = build_definitions(Settings.load()).resolve_job_def(SYNC_JOB)
    return job.execute_in_process(
        run_config={"ops": {"raw": {"config": config}}} | QUIET,
        partition_key="2026-06-15T06",
        instance=scenario.instance,
        raise_on_error=False,
        op_selection=None,
    )


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"start": "yesterday"}, "start in the run's configuration is not right: "),
        ({"end": "soon"}, "end in the run's configuration is not right: "),
        ({"as_of": "2026-13-01"}, "as_of in the run's configuration is not right: "),
        ({"as_of": "1750000000"}, "as_of in the run's configuration is not right: "),
        ({"start": "0001-01-01T00:00+14:00"}, "start in the run's configuration is not right: "),
        ({"end": "9999-12-31T23:59-14:00"}, "end in the run's configuration is not right: "),
        ({"start": "1970-01-01"}, "start in the run's configuration is not right: "),
        ({"start": "2026-06-02", "end": "2026-06-01"}, "The window ends before it starts: "),
        ({"start": "2026-06-02", "end": "2026-06-02"}, "The window ends before it starts: "),
        ({"end": "2026-06-01"}, "The window ends before it starts: "),
        ({"start": "2026-07-01"}, "The window ends before it starts: "),
        ({"full": True, "start": "2026-06-01"}, "full reads everything: leave "),
        ({"full": True, "catch_up": True}, "full reads everything: leave "),
        ({"catch_up": True, "start": "2026-06-01"}, "catch_up starts where "),
    ],
    ids=str,
)
def test_a_wrong_value_is_one_sentence_that_names_it(scenario: Scenario, config: dict[str, Any], expected: str) -> None:
    failed = _launch(scenario, config)
    assert not failed.success
    assert why(failed).startswith(expected)
    assert "\n" not in why(failed)
    assert scenario.rows("SELECT FROM sync_runs WHERE status = 'succeeded'") == []
    assert scenario.requests(lambda request: request.path.endswith("/search")) == []


@pytest.mark.parametrize("config", [{"full": "yes"}, {"start": 5}, {"begin": "2026-06-01"}], ids=str)
def test_a_wrong_type_or_field_is_refused_before_the_run_begins(scenario: Scenario, config: dict[str, Any]) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match=next(iter(config))):
        _launch(scenario, config)


def test_a_window_of_years_is_read(scenario: Scenario) -> None:
    done = _launch(scenario, {"start": "2012-01-01", "end": "2026-06-15T12:00", "as_of": NOW.isoformat()})
    assert done.success, why(done)


def test_values_with_spaces_and_offsets_are_read(scenario: Scenario) -> None:
    scenario.sync(NOW - 5 * DAY, full=True)
    config = {"start": " 2026-06-14T06:00+02:00 ", "end": "2026-06-14 12:00", "as_of": " 2026-06-15T12:00 "}
    done = _launch(scenario, config)
    assert done.success, why(done)
    row = scenario.one("SELECT window_start, window_end, as_of FROM sync_runs WHERE mode = 'window'")
    assert [f"{row[name]:%d %H:%M}" for name in row] == ["14 04:00", "14 12:00", "15 12:00"]
    assert run_config(**config)["ops"] == {"raw": {"config": config}}


@pytest.fixture
def synced(scenario: Scenario) -> Scenario:
    """A company that was synced, with a message that retention would delete 40 days from now."""
    now = datetime.now(UTC)
    scenario.put(person("c1", "ada@example.com", updated=now - DAY))
    scenario.talks(talk("500", "c1", "Hello", "please cancel", created=now - DAY))
    scenario.sync(None, full=True)
    scenario.sandbox.requests.clear()
    return scenario


def _dump(scenario: Scenario, *more: str) -> dict[str, list[str]]:
    return {name: sorted(scenario.values(f"SELECT t::text FROM {name} t")) for name in (*_WRITTEN, *more)}


@pytest.mark.parametrize("ahead", [timedelta(minutes=2), 40 * DAY], ids=str)
def test_an_as_of_ahead_of_the_clock_is_wrong_use_of_the_command_and_nothing_is_written(
    synced: Scenario, capsys: pytest.CaptureFixture[str], ahead: timedelta
) -> None:
    before = _dump(synced, "sync_runs", "customer_alerts", "sync_state")
    assert main(["sync", "--full", "--as-of", (datetime.now(UTC) + ahead).isoformat()]) == USAGE_ERROR
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("as_of is ")
    assert "which is later than now" in said.err
    assert said.err.count("\n") == 1
    assert _dump(synced, "sync_runs", "customer_alerts", "sync_state") == before
    assert synced.sandbox.requests == []


def test_an_as_of_ahead_of_the_clock_fails_in_the_launchpad_by_one_sentence_and_one_alert(synced: Scenario) -> None:
    before = _dump(synced)
    ahead = (datetime.now(UTC) + timedelta(minutes=2)).isoformat()
    failed = _launch(synced, {"full": True, "as_of": ahead})
    assert why(failed).startswith("as_of is ")
    assert "which is later than now" in why(failed)
    assert "\n" not in why(failed)
    settings = Settings.load()
    incidents, _ = build_sensors(settings.schema_name)
    for _ in range(2):
        with dg.build_sensor_context(synced.instance, resources={"warehouse": WarehouseResource(settings)}) as context:
            incidents(context)
    told = synced.values("SELECT details->>'sentence' FROM customer_alerts WHERE kind <> 'cancel_mention'")
    assert told == [f"The run of sync failed: {why(failed)}"]
    assert _dump(synced) == before


def test_an_as_of_less_than_a_minute_ahead_is_taken(synced: Scenario) -> None:
    """Clocks differ by seconds: one who gives the instant of another machine is not refused."""
    done = _launch(synced, {"full": True, "as_of": (datetime.now(UTC) + timedelta(seconds=30)).isoformat()})
    assert done.success, why(done)
