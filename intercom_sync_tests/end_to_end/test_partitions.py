"""Runs of the job without a partition, with one that does not exist, and of some assets only."""

import dagster as dg
import pytest

from intercom_sync.definitions import build_definitions
from intercom_sync.orchestration.jobs import SYNC_JOB
from intercom_sync.settings import Settings
from intercom_sync_tests.end_to_end.scenario import HOUR, NOW, QUIET, Scenario, person, why


def _launch(scenario: Scenario, key: str | None = None, **how) -> dg.ExecuteInProcessResult:
    """What the UI's launchpad does: the job unchanged, with no configuration."""
    job = build_definitions(Settings.load()).resolve_job_def(SYNC_JOB)
    tags = {"dagster/partition": key} if key else {}
    return job.execute_in_process(instance=scenario.instance, raise_on_error=False, run_config=QUIET, tags=tags, **how)


def test_a_run_without_a_partition_reads_the_newest_window_and_what_was_left_out(scenario: Scenario) -> None:
    scenario.put(person("1", "old@example.com"))
    scenario.sync(NOW, full=True)
    scenario.put(person("2", "new@example.com", updated=NOW + HOUR))
    launched = _launch(scenario)
    assert launched.success, why(launched)
    assert scenario.emails() == ["new@example.com", "old@example.com"]
    row = scenario.one("SELECT * FROM sync_runs WHERE run_id = %s", launched.run_id)
    assert (row["mode"], row["status"]) == ("window", "succeeded")
    assert row["window_start"] <= NOW
    assert row["window_end"] > row["started_at"]


@pytest.mark.parametrize("key", ["2026-06-15T07", "1999-01-01T00", "2999-01-01T00"])
def test_a_partition_that_does_not_exist_is_named_in_a_sentence(scenario: Scenario, key: str) -> None:
    launched = _launch(scenario, key)
    assert not launched.success
    said = why(launched)
    assert key in said
    assert "INTERCOM_SYNC_PARTITIONS_START" in said
    assert "Unexpected" not in said


@pytest.mark.parametrize("how", [{}, {"assets": ["raw_contacts", "raw_conversations"]}], ids=["all", "raw only"])
def test_the_first_sync_of_a_workspace_reads_everything_however_it_is_started(scenario: Scenario, how: dict) -> None:
    scenario.put(person("1", "old@example.com", updated=NOW - 4000 * HOUR), person("2", "new@example.com"))
    first = scenario.sync(window=_hour(), **how)
    assert first.read[0] == 2
    # What has read no full sync to its end, with its customers, does not count.
    second = scenario.sync(NOW + HOUR, window=_hour())
    assert scenario.emails() == ["new@example.com", "old@example.com"]
    assert (first.row["mode"] == "full") is (second.row["mode"] == "window")


def test_a_run_of_some_assets_is_closed_whether_it_succeeds_or_fails(scenario: Scenario, monkeypatch) -> None:
    scenario.put(person("1", "ann@example.com"))
    done = scenario.run(assets=["raw_contacts"])
    assert (done.row["status"], done.row["mode"]) == ("succeeded", "refresh")
    done = scenario.run(assets=["revenue_metrics", "support_metrics"])
    assert (done.row["status"], done.row["mode"]) == ("succeeded", "refresh")
    monkeypatch.setenv("INTERCOM_BASE_URL", "http://127.0.0.1:9")
    failed = scenario.run(assets=["raw_contacts"])
    assert failed.row["status"] == "failed"
    assert failed.row["finished_at"] is not None


def _hour():
    from intercom_sync.domain.window import Window

    return Window(NOW - 48 * HOUR, NOW)
