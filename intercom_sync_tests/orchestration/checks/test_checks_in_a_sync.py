"""The checks as part of a sync: what keeps a batch from being written, what only warns, and what is remembered."""

from collections.abc import Callable
from datetime import timedelta

import dagster as dg

from intercom_sync.definitions import build_definitions
from intercom_sync.orchestration.partitions import partition_key, window_containing
from intercom_sync.settings import Settings
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.orchestration.checks.conftest import NOW, QUIET, Syncs, verdicts


def living(connect: Callable[[], Session]) -> int:
    with connect() as session, session.transaction():
        return int(session.value("SELECT count(*) FROM unified_customers WHERE intercom_deleted_at IS NULL"))


def test_a_sync_runs_every_check_and_each_result_belongs_to_its_window(syncs: Syncs) -> None:
    syncs.put(0, 3)
    result = syncs.run(full=True)
    assert result.success
    found = result.get_asset_check_evaluations()
    assert len(found) == len(build_definitions(Settings.load()).resolve_asset_graph().asset_check_keys)
    assert {one.partition for one in found} == {partition_key(window_containing(NOW))}
    assert all(one.passed for one in found)


def test_a_refused_record_warns_and_the_others_are_written(syncs: Syncs, connect: Callable[[], Session]) -> None:
    syncs.put(0, 3)
    syncs.put(3, 4, email="not an address")
    result = syncs.run(full=True)
    assert result.success
    assert not verdicts(result)["raw_contacts.emails_valid"]
    assert living(connect) == 3


def test_a_full_read_that_finds_most_contacts_gone_writes_nothing_until_a_second_one_agrees(
    syncs: Syncs, connect: Callable[[], Session]
) -> None:
    syncs.put(0, 120)
    assert syncs.run(full=True).success
    for number in range(100):
        syncs.company.archive_contact(f"{number:024x}")
    collapsed = syncs.run(full=True)
    assert not collapsed.success
    assert not verdicts(collapsed)["raw_contacts.no_volume_drop"]
    assert verdicts(collapsed)["raw_contacts.record_count_reconciled"]
    assert living(connect) == 120
    window = syncs.run()
    assert not window.success
    assert living(connect) == 120
    agreed = syncs.run(full=True)
    assert agreed.success
    assert living(connect) == 20


def test_a_batch_of_which_nothing_can_be_used_is_not_written(syncs: Syncs, connect: Callable[[], Session]) -> None:
    syncs.put(0, 100, updated_at="yesterday")
    result = syncs.run(full=True)
    assert not result.success
    assert not verdicts(result)["raw_contacts.not_all_rejected"]
    assert "unified_customers.is_fresh" not in verdicts(result)


def test_what_a_window_should_have_brought_is_told_by_the_full_sync_after_it(syncs: Syncs) -> None:
    syncs.put(0, 3)
    assert syncs.run(full=True).success
    # A day-old change that no window ever saw: the index showed it too late.
    syncs.put(3, 4)
    late = syncs.run(full=True)
    assert late.success
    evaluation = next(
        one
        for one in late.get_asset_check_evaluations()
        if one.check_name == "no_late_arrivals" and one.asset_key == dg.AssetKey("raw_contacts")
    )
    assert not verdicts(late)["raw_contacts.no_late_arrivals"]
    assert evaluation.metadata["examples"].value == f"{3:024x}"
    assert verdicts(syncs.run(full=True))["raw_contacts.no_late_arrivals"]


def test_a_change_after_the_last_sync_is_no_reproach_to_a_window(syncs: Syncs) -> None:
    syncs.put(0, 3)
    assert syncs.run(full=True).success
    syncs.put(0, 1, updated_at=int((NOW + timedelta(hours=1)).timestamp()))
    assert verdicts(syncs.run(full=True))["raw_contacts.no_late_arrivals"]


def test_a_window_that_knows_fewer_than_intercom_counts_is_told(syncs: Syncs, connect: Callable[[], Session]) -> None:
    syncs.put(0, 3, updated_at=int((NOW - timedelta(minutes=30)).timestamp()))
    assert syncs.run(full=True).success
    assert verdicts(syncs.run())["raw_contacts.record_count_reconciled"]
    # A record inside the counted days, before the window, that was never landed.
    syncs.put(3, 4, updated_at=int((NOW - timedelta(hours=8)).timestamp()))
    assert not verdicts(syncs.run())["raw_contacts.record_count_reconciled"]


def test_a_customer_that_another_program_removed_is_told(syncs: Syncs, connect: Callable[[], Session]) -> None:
    syncs.put(0, 3)
    assert syncs.run(full=True).success
    with connect() as session, session.transaction():
        session.execute("DELETE FROM unified_customers WHERE email = 'n1@example.com'")
    result = syncs.run(full=True)
    assert result.success
    assert not verdicts(result)["unified_customers.no_customer_lost"]
    assert living(connect) == 3


def test_the_checks_of_one_asset_can_be_run_alone_on_a_window(syncs: Syncs) -> None:
    syncs.put(0, 3)
    assert syncs.run(full=True).success
    selection = dg.AssetSelection.checks_for_assets("raw_contacts")
    job = dg.define_asset_job("alone", selection)
    definitions = dg.Definitions.merge(build_definitions(Settings.load()), dg.Definitions(jobs=[job]))
    result = definitions.resolve_job_def("alone").execute_in_process(
        instance=syncs.instance, run_config=QUIET, tags={"dagster/partition": partition_key(window_containing(NOW))}
    )
    assert verdicts(result)["raw_contacts.record_count_reconciled"]
    assert {name.partition(".")[0] for name in verdicts(result)} == {"raw_contacts"}


def test_a_run_over_several_windows_is_checked_too(syncs: Syncs) -> None:
    syncs.put(0, 3)
    first, last = partition_key(window_containing(NOW - timedelta(hours=12))), partition_key(window_containing(NOW))
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    job = build_definitions(Settings.load()).resolve_job_def("sync")
    result = job.execute_in_process(instance=syncs.instance, run_config=QUIET, tags=tags, raise_on_error=False)
    assert result.success
    assert all(verdicts(result).values())
