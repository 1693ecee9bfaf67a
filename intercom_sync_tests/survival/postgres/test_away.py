"""The server is gone, not up yet, or goes away while the command or a scheduled run is at it."""

from threading import Thread

import pytest

from intercom_sync.warehouse.errors import DatabaseUnreachableError
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.survival.postgres import command
from intercom_sync_tests.survival.postgres.conftest import Base
from intercom_sync_tests.survival.postgres.fault_injection import inject_fault
from intercom_sync_tests.survival.postgres.fixtures import THEN, WRITTEN, FaultyScenario

_WRITING = "AFTER UPDATE ON unified_customers FOR EACH STATEMENT"


def test_a_server_that_is_gone_at_the_start_is_one_sentence(base: Base, struck: FaultyScenario) -> None:
    before = struck.kept()
    base.server.stop()
    ended = command.sync()
    base.server.start()
    assert (ended.code, ended.printed, len(ended.told)) == (1, "", 1), ended.told
    assert ended.told[0].startswith("PostgreSQL cannot be reached: ")
    assert ended.told[0].endswith("Check INTERCOM_SYNC_DATABASE_URL.")
    assert struck.kept() == before


def test_the_command_ends_with_one_sentence_when_the_server_restarts_under_it(
    base: Base, struck: FaultyScenario
) -> None:
    before = struck.kept(*WRITTEN)
    with inject_fault(base.server, struck.database, _WRITING, base.server.restart) as hit:
        ended = command.sync()
    assert hit.is_set()
    assert (ended.code, ended.printed, len(ended.told)) == (1, "", 1), ended.told
    assert ended.told[0].startswith("PostgreSQL went away: ")
    assert struck.kept(*WRITTEN) == before
    struck.sync(THEN)
    assert struck.kept() == base.clean


@pytest.mark.slow
def test_the_command_ends_with_a_sentence_also_when_the_server_goes_for_good(
    base: Base, struck: FaultyScenario
) -> None:
    """Dagster's own storage is in the same database: it tries for some seconds to write down that the run failed."""
    with inject_fault(base.server, struck.database, _WRITING, base.server.stop) as hit:
        ended = command.sync()
    base.server.start()
    assert hit.is_set()
    assert (ended.code, ended.printed) == (1, "")
    assert ended.told[-1].startswith(("PostgreSQL cannot be reached: ", "PostgreSQL went away: "))
    assert "Traceback" not in " ".join(ended.told)


@pytest.mark.slow
def test_a_scheduled_run_tries_again_a_minute_later_and_succeeds(base: Base, struck: FaultyScenario) -> None:
    with inject_fault(base.server, struck.database, _WRITING, base.server.restart) as hit:
        synced = struck.run(THEN, foreground=False)
    assert hit.is_set()
    assert synced.result.success
    asked = [event.step_retry_data for event in synced.result.all_events if event.is_step_up_for_retry]
    assert [one.seconds_to_wait for one in asked] == [60]
    logged = [entry.user_message for entry in struck.instance.all_logs(synced.result.run_id)]
    assert [message for message in logged if message.startswith("PostgreSQL went away")]
    assert struck.kept() == base.clean


def test_a_server_that_is_starting_up_or_not_there_yet_is_away_and_nothing_worse(
    base: Base, struck: FaultyScenario
) -> None:
    base.server.stop("immediate")
    starting, said = Thread(target=base.server.start), set()
    while True:
        try:
            Session(base.server.url_of(struck.database), "public").close()
        except DatabaseUnreachableError as away:
            if not said:
                starting.start()
            said.add(str(away))
        else:
            break
    starting.join()
    assert said
    assert all(
        one.startswith(("PostgreSQL cannot be reached", "PostgreSQL does not accept connections yet")) for one in said
    )
