"""When syncs run by themselves, and what each asks for."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from intercom_sync.definitions import build_definitions
from intercom_sync.orchestration.partitions import (
    partition_key,
    six_hour_windows,
    window_containing,
)
from intercom_sync.settings import Settings

_DEFS = build_definitions(Settings.load({}))
_SCHEDULES = {one.name: one for one in _DEFS.schedules or () if isinstance(one, dg.ScheduleDefinition)}


def _asked(schedule: dg.ScheduleDefinition, moment: datetime) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_schedule_context(scheduled_execution_time=moment, repository_def=_DEFS.get_repository_def())
    ticked = schedule.evaluate_tick(context)
    return ticked.run_requests[0] if ticked.run_requests else dg.SkipReason(ticked.skip_message)


def _config(request: dg.RunRequest | dg.SkipReason) -> object:
    assert isinstance(request, dg.RunRequest)
    return request.run_config["ops"]["raw"]["config"]


@pytest.mark.parametrize(
    ("tick", "key"), [("2026-06-15T12:07", "2026-06-15T06"), ("2026-06-15T00:07", "2026-06-14T18")]
)
def test_every_six_hours_takes_the_window_just_closed_without_a_gap(tick: str, key: str) -> None:
    request = _asked(_SCHEDULES["every_six_hours"], datetime.fromisoformat(tick).replace(tzinfo=UTC))
    assert (request.partition_key, _config(request)) == (key, {"catch_up": True})


def test_sundays_at_two_everything_is_read() -> None:
    request = _asked(_SCHEDULES["weekly_full"], datetime(2026, 6, 14, 2, tzinfo=UTC))
    assert (request.partition_key, _config(request)) == ("2026-06-13T18", {"full": True})


def test_both_are_on_from_the_start_in_utc_and_at_the_required_hours() -> None:
    assert {name: one.cron_schedule for name, one in _SCHEDULES.items()} == {
        "every_six_hours": "7 */6 * * *",
        "weekly_full": "0 2 * * 0",
    }
    for one in _SCHEDULES.values():
        assert (one.execution_timezone, one.default_status) == ("UTC", dg.DefaultScheduleStatus.RUNNING)


def test_one_tick_asks_once_however_often_it_is_evaluated() -> None:
    moment = datetime(2026, 6, 14, 2, tzinfo=UTC)
    keys = {_asked(one, moment).run_key for one in [*_SCHEDULES.values()] * 2}
    assert len(keys) == 2


def test_a_window_before_the_first_one_is_skipped_with_a_reason() -> None:
    skipped = _asked(_SCHEDULES["every_six_hours"], datetime(2026, 1, 1, 0, 7, tzinfo=UTC))
    assert isinstance(skipped, dg.SkipReason)
    assert "INTERCOM_SYNC_PARTITIONS_START" in skipped.skip_message


def test_all_assets_share_the_six_hour_windows_and_a_range_of_them_is_one_run() -> None:
    graph = _DEFS.resolve_asset_graph()
    names = {
        "raw_contacts", "raw_conversations", "revenue_metrics", "support_metrics", "unified_customers", "mrr_movements",
    }  # fmt: skip
    assert {key.to_user_string() for key in graph.materializable_asset_keys} == names
    for key in graph.materializable_asset_keys:
        assert graph.get(key).partitions_def == six_hour_windows(Settings.load({}).partitions_start)
        assert graph.get(key).backfill_policy == dg.BackfillPolicy.single_run()


def test_the_open_window_is_the_last_and_a_key_is_its_start() -> None:
    made = six_hour_windows(datetime(2026, 1, 1, tzinfo=UTC))
    before = partition_key(window_containing(datetime.now(UTC)))
    last = made.get_last_partition_key()
    assert last in {before, partition_key(window_containing(datetime.now(UTC)))}
    assert made.get_first_partition_key() == "2026-01-01T00"
    window, ours = (
        made.time_window_for_partition_key("2026-06-15T12"),
        window_containing(datetime(2026, 6, 15, 13, 30, tzinfo=UTC)),
    )
    assert (window.start, window.end) == (ours.start, ours.end)
    assert partition_key(ours) == "2026-06-15T12"
