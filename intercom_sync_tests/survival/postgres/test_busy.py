"""Others keep from the sync what it needs: connections, locks. It waits, or ends with a sentence; the next is right."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
from dagster import DagsterEventType

from intercom_sync.orchestration import resources
from intercom_sync.orchestration.run_events import record_ended
from intercom_sync.warehouse.marts.key_ranges import Frames, KeyRanges
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.end_to_end.scenario import why
from intercom_sync_tests.survival.postgres import command, fixtures
from intercom_sync_tests.survival.postgres.conftest import Base
from intercom_sync_tests.survival.postgres.fault_injection import inject_fault
from intercom_sync_tests.survival.postgres.fixtures import THEN, WRITTEN, FaultyScenario
from intercom_sync_tests.survival.postgres.server import Server

_STEADY = 10
_IMPATIENT = "&options=-clock_timeout%3D500ms"


@contextmanager
def _taken(server: Server, database: str, leave: int) -> Iterator[None]:
    """Others hold every connection that the server has but some."""
    watcher = server.connect(database)
    held: list[Any] = []

    def ask(query: str, *values: Any) -> int:
        with watcher.cursor() as cursor:
            cursor.execute(query, values)
            return int(cursor.fetchone()[0])

    # What closed a moment ago may still be counted: it is all taken when that stays so.
    steady, most = 0, ask("SELECT current_setting('max_connections')::int") - leave
    while steady < _STEADY:
        missing = most - ask("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
        held += [server.connect(database) for _ in range(missing)]
        steady = 0 if missing else steady + 1
        time.sleep(0.02)
    try:
        yield
    finally:
        pids = [one.info.backend_pid for one in held]
        for one in held:
            one.close()
        while ask("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)", pids):
            time.sleep(0.02)
        watcher.close()


@pytest.fixture
def small(base: Base) -> Iterator[None]:
    """The server takes few connections, while the test lasts."""
    base.server.restart("fast", "max_connections=8", "superuser_reserved_connections=0", "max_wal_senders=0")
    yield
    base.server.restart()


@pytest.mark.usefixtures("small")
def test_without_a_free_connection_the_command_says_so(base: Base, struck: FaultyScenario) -> None:
    before = struck.kept()
    with _taken(base.server, struck.database, leave=0):
        ended = command.sync()
    assert (ended.code, ended.printed, len(ended.told)) == (1, "", 1)
    assert ended.told[0].startswith("PostgreSQL has no connection left: ")
    assert struck.kept() == before


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("leave", [1, 2, 3])
def test_when_connections_run_out_under_way_nothing_is_half_written(
    base: Base, struck: FaultyScenario, leave: int
) -> None:
    before = struck.kept(*WRITTEN)
    with _taken(base.server, struck.database, leave):
        failed = struck.execute(THEN)
    assert not failed.success
    assert why(failed).startswith("PostgreSQL has no connection left: ")
    assert struck.kept(*WRITTEN) == before
    struck.sync(THEN)
    assert struck.kept() == base.clean


@pytest.mark.usefixtures("small")
def test_without_connections_for_sessions_beside_the_transaction_reads_by_itself(
    base: Base, struck: FaultyScenario
) -> None:
    def read(session: Session) -> Iterator[Frames]:
        for bucket in cut:
            bucket.bind(session)
            condition = bucket.condition("email_key")
            yield (session.frame(f"SELECT email_key FROM intercom_contacts WHERE {condition}"),)

    cut = KeyRanges(["p10@example.com", "p20@example.com"])
    own = Session(base.server.url_of(struck.database), "public")
    with (
        own as session,
        _taken(base.server, struck.database, leave=1),
        session.transaction(),
        cut.iter_prefetched(session, [read, read], parallel_reads=True) as found,
    ):
        rows = [(one.height, other.height) for one, other in found]
    assert rows == [(10, 10), (10, 10), (20, 20)]


@pytest.fixture
def impatient(base: Base) -> Iterator[FaultyScenario]:
    """A sync whose URL says that it waits half a second for a lock."""
    url = base.server.url_of("{database}") + _IMPATIENT
    with fixtures.struck(base.sandbox, base.server, base.database, url) as made:
        yield made


def test_a_lock_that_another_program_keeps_is_one_sentence_that_names_the_table(
    base: Base, impatient: FaultyScenario
) -> None:
    before = impatient.kept(*WRITTEN)
    other = base.server.connect(impatient.database)
    other.cursor().execute("BEGIN; LOCK TABLE unified_customers IN ROW EXCLUSIVE MODE")
    failed = impatient.run(THEN)
    other.cursor().execute("ROLLBACK")
    other.close()
    said = (
        "PostgreSQL did not grant a lock in time: another program holds unified_customers; sync again when it is done"
    )
    assert why(failed.result).startswith(said)
    assert impatient.kept(*WRITTEN) == before
    assert impatient.sessions() == 0
    impatient.sync(THEN)
    assert impatient.kept() == base.clean


def test_the_last_retry_tells_what_the_first_did(
    base: Base, impatient: FaultyScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "_RETRY_SECONDS", 0)
    other = base.server.connect(impatient.database)
    other.cursor().execute("BEGIN; LOCK TABLE unified_customers IN ROW EXCLUSIVE MODE")
    failed = impatient.execute(THEN, foreground=False)
    other.close()
    said = (
        "PostgreSQL did not grant a lock in time: another program holds unified_customers; sync again when it is done"
    )
    assert why(failed).startswith(said)
    assert [event.event_type for event in failed.all_events].count(DagsterEventType.STEP_RESTARTED) == 2
    with Session(base.server.url_of(impatient.database), "public") as session:
        record_ended(impatient.instance, session, impatient.instance.get_run_record_by_id(failed.run_id))
    (alert,) = impatient.values("SELECT details->>'sentence' FROM customer_alerts WHERE kind = 'failed_run'")
    assert said in alert


def test_landing_that_waits_too_long_for_another_run_does_not_go_on_without_the_lock(
    base: Base, impatient: FaultyScenario
) -> None:
    other = base.server.connect(impatient.database)
    other.cursor().execute("SELECT pg_advisory_lock(hashtext('intercom_sync.land'), hashtext('public.contact'))")
    failed = impatient.run(THEN)
    other.cursor().execute("SELECT pg_advisory_unlock_all()")
    other.close()
    assert why(failed.result).startswith("PostgreSQL did not grant a lock in time: ")
    impatient.sync(THEN)
    assert impatient.kept() == base.clean


def test_a_short_lock_is_waited_for(base: Base, struck: FaultyScenario) -> None:
    other = base.server.connect(struck.database)
    other.cursor().execute("BEGIN; LOCK TABLE unified_customers IN ROW EXCLUSIVE MODE")

    def stop_server() -> None:
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'unified_customers'::regclass"
        while base.server.ask(waits, database=struck.database) == [(0,)]:
            time.sleep(0.02)
        time.sleep(0.5)
        other.close()

    waiting = Thread(target=stop_server)
    waiting.start()
    struck.sync(THEN)
    waiting.join()
    assert struck.kept() == base.clean


def test_a_deadlock_with_another_program_is_a_sentence_and_nothing_is_half_written(
    base: Base, struck: FaultyScenario
) -> None:
    before = struck.kept(*WRITTEN)
    other = base.server.connect(struck.database)
    pid = other.info.backend_pid
    # The one that looks first whether it waits in a circle is the one that gives way.
    other.cursor().execute("SET deadlock_timeout = '1min'; BEGIN; LOCK TABLE customer_last_written IN SHARE MODE")

    def close_the_circle() -> None:
        other.cursor().execute("UPDATE unified_customers SET name = 'theirs'; ROLLBACK")

    def strike() -> None:
        circle.start()
        while base.server.ask("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s", pid) == [(0,)]:
            time.sleep(0.02)
        base.server.ask(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = %s",
            struck.database,
        )

    circle = Thread(target=close_the_circle)
    at = "AFTER UPDATE OF name ON unified_customers FOR EACH STATEMENT"
    with inject_fault(base.server, struck.database, at, strike, on_cancel="NULL") as hit:
        failed = struck.run(THEN)
    assert hit.is_set()
    circle.join()
    other.close()
    assert why(failed.result).startswith(
        "PostgreSQL ended a deadlock with another program that holds customer_last_written"
    )
    assert struck.kept(*WRITTEN) == before
    struck.sync(THEN)
    assert struck.kept() == base.clean
