"""A real `dagster dev` on the project: it loads, its schedules run and can be tested, and runs launched in it land."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import pytest

from intercom_sync.sandbox.generate import generate
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.warehouse.postgres.urls import plain_url
from intercom_sync_tests.end_to_end.dagster_dev import ROOT, Dev, dagster_dev
from intercom_sync_tests.homes import passing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
_ASSETS = {"raw_contacts", "raw_conversations", "revenue_metrics", "support_metrics", "unified_customers"}
_PARTITION = "2026-06-15T06"
_LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError {
  __typename ... on RepositoryLocation { repositories { name } } ... on PythonError { message } } } } } }"""
_SCHEDULES = """query($repository: RepositorySelector!) { schedulesOrError(repositorySelector: $repository) {
  ... on Schedules { results { name scheduleState { status } } } } }"""
_NODES = (
    "{ assetNodes { assetKey { path } isPartitioned partitionKeyConnection(limit: 1, ascending: true) { results } } }"
)
_LAUNCH = """mutation($execution: ExecutionParams!) { launchRun(executionParams: $execution) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
_DRY_RUN = """mutation($schedule: ScheduleSelector!, $moment: Float!) {
  scheduleDryRun(selectorData: $schedule, timestamp: $moment) { __typename
    ... on PythonError { message }
    ... on DryRunInstigationTick { evaluationResult { skipReason error { message }
      runRequests { runConfigYaml tags { key value } } } } } }"""
_FUTURE = datetime(2099, 6, 14, 12, 7, tzinfo=UTC)
_RANGE = {"start": "2026-06-14T06", "end": _PARTITION}
_RUN = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
_MADE = """{ assetNodes { assetKey { path } assetMaterializations(limit: 1) { partition
  metadataEntries { label ... on IntMetadataEntry { intValue } } } } }"""


def _repository(dev: Dev) -> dict[str, str]:
    """The one code location's repository, once it has loaded."""

    def loaded() -> dict[str, str] | None:
        for entry in dev.ask(_LOCATIONS)["workspaceOrError"]["locationEntries"]:
            found = entry["locationOrLoadError"]
            if found:
                assert found["__typename"] == "RepositoryLocation", found
                return {"repositoryLocationName": entry["name"], "repositoryName": found["repositories"][0]["name"]}
        return None

    return dev.wait_for("the code location", loaded)


def _launch(dev: Dev, repository: dict[str, str], tags: dict[str, str], **config: bool) -> str:
    execution = {
        "selector": {**repository, "jobName": "sync"},
        "runConfigData": {"ops": {"raw": {"config": config}}},
        "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
    }
    launched = dev.ask(_LAUNCH, execution=execution)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    return str(launched["run"]["runId"])


def _end(dev: Dev, run: str) -> str:
    """The status with which a run ends."""

    def ended() -> str | None:
        status = dev.ask(_RUN, id=run)["runOrError"]["status"]
        return status if status in {"SUCCESS", "FAILURE", "CANCELED"} else None

    return str(dev.wait_for("the end of the run", ended))


def _assert_a_future_tick_can_be_tested(dev: Dev, repository: dict[str, str]) -> None:
    """What "Test schedule" in the UI asks for."""
    schedule = {**repository, "scheduleName": "every_six_hours"}
    tick = dev.ask(_DRY_RUN, schedule=schedule, moment=_FUTURE.timestamp())["scheduleDryRun"]
    assert tick["__typename"] == "DryRunInstigationTick", tick
    found = tick["evaluationResult"]
    assert (found["error"], found["skipReason"]) == (None, None)
    (request,) = found["runRequests"]
    assert {"key": "dagster/partition", "value": "2099-06-14T06"} in request["tags"]
    assert "catch_up: true" in request["runConfigYaml"]


def test_a_partition_materialized_in_the_ui_lands_and_nothing_is_left_running(
    tmp_path: Path, database_url: str, schema: str
) -> None:
    with Sandbox(generate(contacts=120, conversations=80)) as sandbox:
        settings = {
            "INTERCOM_API_KEY": "an invented token",
            "INTERCOM_BASE_URL": sandbox.url,
            "INTERCOM_SYNC_DATABASE_URL": database_url,
            "INTERCOM_SYNC_SCHEMA": schema,
        }
        with dagster_dev(tmp_path, settings) as dev:
            repository = _repository(dev)
            assert repository["repositoryLocationName"] == "intercom_sync"
            schedules = dev.ask(_SCHEDULES, repository=repository)["schedulesOrError"]["results"]
            assert {one["name"]: one["scheduleState"]["status"] for one in schedules} == {
                "every_six_hours": "RUNNING",
                "weekly_full": "RUNNING",
            }
            nodes = {one["assetKey"]["path"][-1]: one for one in dev.ask(_NODES)["assetNodes"]}
            assert set(nodes) >= _ASSETS
            for name in _ASSETS:
                assert nodes[name]["isPartitioned"]
                assert nodes[name]["partitionKeyConnection"]["results"]
            _assert_a_future_tick_can_be_tested(dev, repository)
            assert _end(dev, _launch(dev, repository, {"dagster/partition": _PARTITION}, full=True)) == "SUCCESS"
            made = {one["assetKey"]["path"][-1]: one["assetMaterializations"] for one in dev.ask(_MADE)["assetNodes"]}
            assert {name for name, found in made.items() if found and found[0]["partition"] == _PARTITION} >= _ASSETS
            figures = {one["label"]: one.get("intValue") for one in made["unified_customers"][0]["metadataEntries"]}
            over = {f"dagster/asset_partition_range_{name}": key for name, key in _RANGE.items()}
            for run in [_launch(dev, repository, tags) for tags in ({}, over)]:
                assert _end(dev, run) == "SUCCESS"
    connection = psycopg2.connect(plain_url(database_url))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {schema}.unified_customers")
        (customers,) = cursor.fetchone()
    connection.close()
    assert customers == figures["new_contacts"] > 50


def test_it_loads_without_any_setting(tmp_path: Path) -> None:
    with passing(tmp_path / "home"), dagster_dev(tmp_path, {}) as dev:
        assert _repository(dev)["repositoryLocationName"] == "intercom_sync"


def test_dg_finds_the_definitions_sound() -> None:
    checked = subprocess.run(
        [str(Path(sys.executable).with_name("dg")), "check", "defs"],
        cwd=ROOT, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
