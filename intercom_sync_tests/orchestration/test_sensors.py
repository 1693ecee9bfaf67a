"""The sensors on a real Postgres, a local Slack and an ephemeral Dagster, as the daemon evaluates them."""

import logging
import re
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from intercom_sync.definitions import build_definitions
from intercom_sync.orchestration.jobs import SYNC_JOB, run_config
from intercom_sync.orchestration.partitions import partition_key, window_containing
from intercom_sync.orchestration.resources import FOREGROUND_TAG, SCHEMA_TAG, WarehouseResource, build_slack_resource
from intercom_sync.orchestration.sensors import build_sensors
from intercom_sync.sandbox.generate import generate
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.settings import Settings
from intercom_sync.slack.slack_client import SlackMisconfiguredError
from intercom_sync.warehouse.alerts import outbox
from intercom_sync_tests.slack.server import TOKEN, LocalSlack

NOW = datetime.now(UTC)


@pytest.fixture
def warehouse(connect, database_url, schema, monkeypatch):
    monkeypatch.setenv("INTERCOM_SYNC_DATABASE_URL", database_url)
    monkeypatch.setenv("INTERCOM_SYNC_SCHEMA", schema)
    return WarehouseResource(Settings.load())


@pytest.fixture
def session(connect):
    with connect() as opened:
        yield opened


@pytest.fixture
def slack(monkeypatch):
    with LocalSlack() as server:
        monkeypatch.setenv("SLACK_API_URL", server.url)
        monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
        yield server


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


class Ticks:
    """Evaluates one sensor again and again, keeping its cursor as the daemon does, with the settings of now."""

    def __init__(self, name, instance, warehouse):
        self.name, self.instance, self.warehouse = name, instance, warehouse
        self.cursor = None

    def tick(self):
        settings = Settings.load()
        sensor = next(one for one in build_sensors(settings.schema_name) if one.name == self.name)
        resources = {"warehouse": self.warehouse, "slack": build_slack_resource(settings)}
        with dg.build_sensor_context(self.instance, cursor=self.cursor, resources=resources) as context:
            said = sensor(context)
            self.cursor = context.cursor
        return said.skip_message


@pytest.fixture
def looks(warehouse, instance):
    return Ticks("incidents", instance, warehouse)


@pytest.fixture
def sends(warehouse, instance):
    return Ticks("slack_alerts", instance, warehouse)


def put(session, count):
    with session.transaction():
        session.execute(
            "INSERT INTO customer_alerts (kind, email, details, run, created_at) "
            "SELECT 'mrr_change', 'c' || n || '@example.com', '{\"mrr\": \"600.00\"}'::json, 'run', $1 "
            "FROM generate_series(1, $2) n",
            NOW,
            count,
        )


def covered(session, until, *, status="succeeded", mode="full", errors=0, started=None):
    with session.transaction():
        session.execute(
            "INSERT INTO sync_runs "
            "(run_id, mode, status, as_of, window_start, window_end, started_at, finished_at, errors) "
            "VALUES ($1, $2, $3, $4, '1970-01-01', $4, $6, $4, $5::bigint::int)",
            f"run-{status}", mode, status, until, errors, started or until,
        )  # fmt: skip


def sentences(session):
    return [alert.details["sentence"] for alert in outbox.pending(session)]


def test_alerts_are_delivered_and_the_tick_says_how_many(session, slack, sends):
    put(session, 12)
    assert sends.tick() == "delivered 12, 0 waiting"
    assert sends.tick() == "delivered 0, 0 waiting"
    assert len(slack.taken) == 1


def test_without_a_token_alerts_wait_in_the_table_and_are_logged_once(session, sends, caplog):
    caplog.set_level(logging.INFO)
    put(session, 12)
    assert sends.tick() == "no SLACK_BOT_TOKEN: 12 alerts wait in customer_alerts"
    assert sends.tick() == "no SLACK_BOT_TOKEN: 12 alerts wait in customer_alerts"
    put(session, 1)
    sends.tick()
    logged = [record.getMessage() for record in caplog.records if record.name == "intercom_sync.alerts"]
    assert logged == ["New in customer_alerts: 12 mrr_change", "New in customer_alerts: mrr_change (id 13)"]


def test_what_waited_for_a_token_is_delivered_when_there_is_one(session, sends, monkeypatch):
    put(session, 2)
    sends.tick()
    with LocalSlack() as late:
        monkeypatch.setenv("SLACK_API_URL", late.url)
        monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
        assert sends.tick() == "delivered 2, 0 waiting"


def test_slack_is_left_alone_for_as_long_as_it_asks(session, slack, sends):
    put(session, 1)
    slack.trouble = lambda message: ("wait", 300)
    assert sends.tick() == "delivered 0, 1 waiting, Slack asks to wait 300 s"
    slack.trouble = lambda message: None
    assert re.fullmatch(r"Slack asks to wait until \d\d:\d\d:\d\d UTC, 1 waiting", sends.tick())
    assert len(slack.requests) == 1


def test_a_wrong_token_makes_the_tick_fail_with_the_settings_name(session, slack, sends, monkeypatch):
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-wrong")
    put(session, 2)
    with pytest.raises(SlackMisconfiguredError, match=r"see SLACK_BOT_TOKEN\. 2 alerts wait") as refused:
        sends.tick()
    assert "xoxb" not in str(refused.value)


def test_both_sensors_run_by_themselves_every_minute():
    found = {sensor.name: sensor for sensor in build_definitions(Settings.load()).sensors}
    assert set(found) == {"incidents", "slack_alerts"}
    for sensor in found.values():
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
        assert sensor.minimum_interval_seconds == 60


@pytest.fixture
def sync(instance, warehouse, monkeypatch):
    """Runs a sync of a small sandbox in the foreground."""
    with Sandbox(generate(contacts=40, conversations=20, seed=1)) as sandbox:
        monkeypatch.setenv("INTERCOM_BASE_URL", sandbox.url)

        def run(token="sandbox", **config):  # noqa: S107  (the sandbox takes any)
            monkeypatch.setenv("INTERCOM_API_KEY", token)
            return (
                build_definitions(Settings.load())
                .resolve_job_def(SYNC_JOB)
                .execute_in_process(
                    run_config=run_config(**config),
                    instance=instance,
                    partition_key=partition_key(window_containing(NOW)),
                    raise_on_error=False,
                    tags={FOREGROUND_TAG: "true"},
                )
            )

        yield run


def test_a_failed_run_is_told_once_and_kept_as_failed(session, sync, looks):
    failed = sync("", full=True)
    assert not failed.success
    assert looks.tick().endswith("1 news")
    looks.cursor = None
    assert looks.tick().endswith("0 news")
    (sentence,) = sentences(session)
    assert sentence.startswith("The run of sync failed: ")
    with session.transaction():
        assert session.frame("SELECT run_id, mode, status FROM sync_runs").rows() == [(failed.run_id, "full", "failed")]


def test_a_run_that_died_before_it_began_is_told_and_kept(session, instance, looks):
    run = dg.DagsterRun(SYNC_JOB, tags={"dagster/partition": "2026-01-02T06"}, status=dg.DagsterRunStatus.STARTED)
    instance.add_run(run)
    instance.report_run_failed(run, "Detected run worker status FAILED. Marking run as failed.")
    looks.tick()
    assert sentences(session) == ["The run of sync failed: Detected run worker status FAILED. Marking run as failed."]
    with session.transaction():
        kept = session.frame("SELECT run_id, mode, status, window_start FROM sync_runs").row(0)
    # The first sync of a workspace is full, whatever window it was asked for.
    assert kept == (run.run_id, "full", "failed", datetime(1970, 1, 1, tzinfo=UTC))


def test_a_run_and_its_retry_are_told_once(session, instance, looks):
    first = dg.DagsterRun(SYNC_JOB, status=dg.DagsterRunStatus.STARTED)
    again = dg.DagsterRun(
        SYNC_JOB, status=dg.DagsterRunStatus.STARTED, root_run_id=first.run_id, parent_run_id=first.run_id
    )
    for run in (first, again):
        instance.add_run(run)
        instance.report_run_failed(run, "died")
        looks.tick()
    assert len(sentences(session)) == 1


def test_an_unexpected_error_is_named_without_its_text(session, instance, looks):
    @dg.op
    def breaks() -> None:
        raise ValueError("ann@example.com said no")

    @dg.job(name=SYNC_JOB)
    def job() -> None:
        breaks()

    job.execute_in_process(instance=instance, raise_on_error=False)
    looks.tick()
    assert sentences(session) == ["The run of sync failed: ValueError in breaks. See the run's log for details."]


def test_runs_of_others_are_none_of_ours(session, instance, looks):
    @dg.op
    def breaks() -> None:
        raise ValueError

    @dg.job
    def other() -> None:
        breaks()

    other.execute_in_process(instance=instance, raise_on_error=False)
    assert looks.tick() == "looked at 0 runs that ended, 0 news"


def test_the_runs_of_another_deployment_on_the_same_instance_are_not_ours(session, instance, looks):
    ours = Settings.load().schema_name
    for schema in ("us", "eu", ours):
        run = dg.DagsterRun(SYNC_JOB, status=dg.DagsterRunStatus.STARTED, tags={SCHEMA_TAG: schema})
        instance.add_run(run)
        instance.report_run_failed(run, f"died in {schema}")
    looks.tick()
    assert sentences(session) == [f"The run of sync failed: died in {ours}"]
    with session.transaction():
        assert session.frame("SELECT run_id FROM sync_runs").height == 1


def test_failed_checks_are_told_when_they_begin_to_fail(session, instance, looks):
    verdict = {"passed": True}

    @dg.asset
    def table() -> None: ...

    @dg.asset_check(asset=table)
    def is_good() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(severity=dg.AssetCheckSeverity.WARN, description="3 of 9 rows are not.", **verdict)

    made = dg.Definitions([table], asset_checks=[is_good], jobs=[dg.define_asset_job(SYNC_JOB)])
    for passed, told in ((True, 0), (False, 1), (False, 1), (True, 1), (False, 2)):
        verdict["passed"] = passed
        made.resolve_job_def(SYNC_JOB).execute_in_process(instance=instance)
        looks.tick()
        assert len(sentences(session)) == told
    looks.cursor = None
    looks.tick()
    assert sentences(session) == ["The check table/is_good failed (WARN): 3 of 9 rows are not."] * 2


def test_errors_that_a_sync_survived_are_told_once(session, looks):
    covered(session, NOW, errors=3)
    assert [looks.tick().split(", ")[1] for _ in range(2)] == ["1 news", "0 news"]
    assert sentences(session)[0].startswith("A sync succeeded, but 3 API calls failed")


def test_windows_that_never_ran_are_told_once_a_gap(session, looks):
    covered(session, NOW - timedelta(days=2))
    for _ in range(3):
        looks.tick()
    (sentence,) = sentences(session)
    assert sentence.startswith("No sync has covered ")


def test_a_new_deployment_misses_nothing(session, looks):
    assert looks.tick() == "looked at 0 runs that ended, 0 news"
    covered(session, NOW - timedelta(days=2), status="failed")
    assert looks.tick() == "looked at 0 runs that ended, 0 news"


def test_a_sync_at_work_on_a_gap_is_no_gap(session, looks):
    covered(session, NOW - timedelta(days=2))
    covered(session, NOW, status="started", mode="window", started=NOW - timedelta(hours=1))
    assert looks.tick().endswith("0 news")


def test_a_gap_behind_a_failed_run_is_told_by_the_run_alone(session, instance, looks):
    covered(session, NOW - timedelta(days=2))
    run = dg.DagsterRun(SYNC_JOB, status=dg.DagsterRunStatus.STARTED)
    instance.add_run(run)
    instance.report_run_failed(run, "died")
    looks.tick()
    assert sentences(session) == ["The run of sync failed: died"]


def test_a_real_sync_that_is_run_again_makes_no_second_alert(session, sync, slack, sends):
    first = sync(full=True)
    assert first.success
    with session.transaction():
        decided = session.value("SELECT count(*) FROM customer_alerts")
    assert decided > 0
    assert sends.tick() == f"delivered {decided}, 0 waiting"
    for full in (True, False):
        assert sync(full=full).success
    with session.transaction():
        assert session.value("SELECT count(*) FROM customer_alerts") == decided
    assert sends.tick() == "delivered 0, 0 waiting"
