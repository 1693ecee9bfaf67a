"""Runs whose process is gone are closed, and no run that lives."""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace

import dagster as dg
import pytest

from intercom_sync.orchestration.dead_runs import WORKER_TAG, close_dead_runs
from intercom_sync.orchestration.jobs import LAUNCHER_TAG, SYNC_JOB
from intercom_sync.orchestration.resources import FOREGROUND_TAG
from intercom_sync.pipeline.worker_processes import Worker, this_worker
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import liveness

_STARTED = dg.DagsterRunStatus.STARTED


@pytest.fixture
def session(connect: Callable[[], Session]) -> Iterator[Session]:
    with connect() as opened:
        yield opened


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def ended() -> Worker:
    """A process of this host that has ended."""
    with subprocess.Popen(["sleep", "60"]) as process:
        worker = this_worker(process.pid)
        process.kill()
    return worker


def add_run(instance: dg.DagsterInstance, status: dg.DagsterRunStatus = _STARTED, **tags: str) -> str:
    run = dg.DagsterRun(SYNC_JOB, tags=tags, status=status)
    instance.add_run(run)
    return run.run_id


def add_row(session: Session, run: str, worker: Worker, silent: int = 0) -> None:
    with session.transaction():
        session.execute(
            "INSERT INTO sync_runs (run_id, mode, status, as_of, window_end, started_at) "
            "VALUES ($1, 'window', 'started', now(), now(), now())",
            run,
        )
    liveness.record_worker(session, run, worker.as_text())
    with session.transaction():
        session.execute(
            "UPDATE sync_workers SET heartbeat_at = now() - make_interval(secs => $1::bigint::integer)", silent
        )


def states(session: Session) -> dict[str, str]:
    with session.transaction():
        return dict(session.frame("SELECT run_id, status FROM sync_runs").rows())


def status(instance: dg.DagsterInstance, run: str) -> dg.DagsterRunStatus:
    found = instance.get_run_by_id(run)
    assert found
    return found.status


def elsewhere(worker: Worker) -> Worker:
    return replace(worker, host="another/boot/pid:[1]")


def test_a_run_whose_process_ended_is_closed_and_told(session, instance, ended):
    run = add_run(instance)
    add_row(session, run, ended)
    (said,) = close_dead_runs(instance, session, "public")
    assert run[:8] in said
    assert status(instance, run) is dg.DagsterRunStatus.FAILURE
    assert states(session) == {run: "crashed"}
    with session.transaction():
        sentence = session.value("SELECT details->>'sentence' FROM customer_alerts")
    assert sentence == "The run of sync failed: Its process is gone: it was killed, or its machine went down."
    assert close_dead_runs(instance, session, "public") == []


def test_a_run_that_lives_is_left_alone(session, instance):
    run = add_run(instance)
    add_row(session, run, this_worker(), silent=3600)
    assert close_dead_runs(instance, session, "public") == []
    assert status(instance, run) is _STARTED
    assert states(session) == {run: "started"}


def test_a_process_id_that_another_process_has_now_is_no_proof_of_life(session, instance):
    run = add_run(instance)
    add_row(session, run, replace(this_worker(), started="1"))
    assert len(close_dead_runs(instance, session, "public")) == 1
    assert states(session) == {run: "crashed"}


@pytest.mark.parametrize(
    ("silent", "always", "dead"), [(5, True, False), (45, True, True), (45, False, False), (200, False, True)]
)
def test_a_run_of_another_host_is_judged_by_its_signs_of_life_alone(session, instance, ended, silent, always, dead):
    run = add_run(instance)
    add_row(session, run, elsewhere(replace(ended, beats_always=always)), silent=silent)
    with session.transaction():
        up = session.value("SELECT extract(epoch FROM now() - pg_postmaster_start_time())::float8")
    # No process can write a sign of life to a database that is away.
    assert (len(close_dead_runs(instance, session, "public")) == 1) is (dead and up > (30 if always else 180))


def test_a_foreground_run_that_died_before_it_began_to_read_is_closed(session, instance, ended):
    run = add_run(instance, dg.DagsterRunStatus.NOT_STARTED, **{FOREGROUND_TAG: "true", WORKER_TAG: ended.as_text()})
    lives = add_run(instance, dg.DagsterRunStatus.NOT_STARTED, **{WORKER_TAG: this_worker().as_text()})
    (said,) = close_dead_runs(instance, session, "public")
    assert "It is not retried automatically" in said
    assert status(instance, run) is dg.DagsterRunStatus.FAILURE
    assert status(instance, lives) is dg.DagsterRunStatus.NOT_STARTED
    assert states(session) == {run: "crashed"}


def test_a_run_that_was_launched_and_never_started_is_closed_when_its_launcher_is_gone(session, instance, ended):
    tags = [{LAUNCHER_TAG: ended.as_text()}, {LAUNCHER_TAG: this_worker().as_text()}, {}]
    runs = [add_run(instance, dg.DagsterRunStatus.STARTING, **one) for one in tags]
    assert len(close_dead_runs(instance, session, "public")) == 1
    assert [status(instance, run).value for run in runs] == ["FAILURE", "STARTING", "STARTING"]


def test_a_run_that_was_being_canceled_is_canceled(session, instance, ended):
    run = add_run(instance, dg.DagsterRunStatus.CANCELING, **{WORKER_TAG: ended.as_text()})
    close_dead_runs(instance, session, "public")
    assert status(instance, run) is dg.DagsterRunStatus.CANCELED


def test_runs_of_other_jobs_are_left_alone(session, instance, ended):
    other = dg.DagsterRun("other", tags={WORKER_TAG: ended.as_text()}, status=_STARTED)
    instance.add_run(other)
    assert close_dead_runs(instance, session, "public") == []
    assert status(instance, other.run_id) is _STARTED


def test_rows_that_dagster_has_closed_or_does_not_know_are_closed(session, instance, ended):
    done = add_run(instance, dg.DagsterRunStatus.SUCCESS)
    canceled = add_run(instance, dg.DagsterRunStatus.CANCELED)
    for run, worker in ((done, this_worker()), (canceled, this_worker()), ("unknown", ended), ("lives", this_worker())):
        add_row(session, run, worker)
    assert close_dead_runs(instance, session, "public") == []
    assert states(session) == {done: "succeeded", canceled: "canceled", "unknown": "crashed", "lives": "started"}


def test_the_worker_of_this_process_is_this_process():
    worker = this_worker()
    assert worker.pid == os.getpid()
    assert Worker.from_text(worker.as_text()) == worker
    assert worker.is_gone() is False
    assert elsewhere(worker).is_gone() is None
