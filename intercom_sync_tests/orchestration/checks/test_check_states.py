"""The verdicts over what readings brought, each passing and failing."""

from dataclasses import replace

import pytest

from intercom_sync.domain.reconciliation import (
    StreamStats,
    no_late_arrivals,
    no_volume_drop,
    not_all_rejected,
    reconciled,
)
from intercom_sync.domain.record_kinds import RecordKind

ONE = StreamStats("r1", RecordKind.CONTACT, "r1", records_seen=1000, total=1000, matched=1000, rows_after=1000)


def test_a_full_read_that_lacks_one_record_does_not_reconcile() -> None:
    assert reconciled(ONE, full=True).passed
    verdict = reconciled(replace(ONE, matched=999), full=True)
    assert not verdict.passed
    assert verdict.metrics["missing"] == 1


def test_a_full_read_that_leaves_out_what_is_there_does_not_reconcile_though_the_counts_do() -> None:
    verdict = reconciled(replace(ONE, scan_misses=2, scan_miss_ids=["a", "b"]), full=True)
    assert not verdict.passed
    assert (verdict.metrics, verdict.examples) == ({"scan_misses": 2}, ("a", "b"))


def test_of_a_window_a_hundredth_may_be_missing_and_no_more() -> None:
    assert reconciled(replace(ONE, matched=990), full=False).passed
    assert not reconciled(replace(ONE, matched=989), full=False).passed


def test_a_small_window_may_lack_nothing() -> None:
    assert not reconciled(replace(ONE, total=99, matched=98), full=False).passed


def test_more_than_intercom_counts_is_no_failure() -> None:
    assert reconciled(replace(ONE, matched=1005), full=True).passed


@pytest.mark.parametrize("unknown", [{"total": None}, {"matched": None}])
def test_what_cannot_be_compared_does_not_fail(unknown: dict[str, None]) -> None:
    assert reconciled(replace(ONE, **unknown), full=False).passed


def test_a_reading_of_which_nothing_can_be_used_fails_and_one_good_record_passes() -> None:
    assert not not_all_rejected(replace(ONE, rejected=1000)).passed
    assert not_all_rejected(replace(ONE, rejected=999)).passed


def test_a_handful_of_bad_records_stops_nothing() -> None:
    assert not_all_rejected(replace(ONE, records_seen=99, rejected=99)).passed


def test_records_that_windows_should_have_brought_fail_with_their_ids() -> None:
    verdict = no_late_arrivals(replace(ONE, late_arrivals=2, late_arrival_ids=["a", "b"]))
    assert not verdict.passed
    assert verdict.examples == ("a", "b")
    assert no_late_arrivals(ONE).passed


def test_a_full_read_that_loses_more_than_half_is_not_believed() -> None:
    assert not no_volume_drop([replace(ONE, rows_after=499, deleted=501)], 1000, full=True).passed
    assert no_volume_drop([replace(ONE, rows_after=500, deleted=500)], 1000, full=True).passed


def test_nor_is_a_window_after_it() -> None:
    collapsed = replace(ONE, rows_after=10, deleted=990)
    assert not no_volume_drop([collapsed, replace(ONE, rows_after=12, deleted=0)], 1000, full=False).passed


def test_a_second_full_read_that_agrees_is_believed() -> None:
    collapsed = replace(ONE, rows_after=10, deleted=990, total=10, matched=10)
    assert no_volume_drop([collapsed, replace(collapsed, deleted=0)], 1000, full=True).passed


def test_a_second_full_read_that_loses_most_again_is_not() -> None:
    first = replace(ONE, rows_after=400, deleted=600, total=400, matched=400)
    assert not no_volume_drop(
        [first, replace(first, rows_after=10, deleted=390, total=10, matched=10)], 1000, full=True
    ).passed


def test_a_small_workspace_may_lose_most_of_its_records() -> None:
    assert no_volume_drop([replace(ONE, rows_after=1, deleted=98, total=1, matched=1)], 99, full=True).passed


def test_a_full_read_of_less_than_half_of_what_intercom_counts_is_not_written() -> None:
    assert not no_volume_drop([replace(ONE, matched=499, rows_after=499)], None, full=True).passed
    assert no_volume_drop([replace(ONE, matched=500, rows_after=500)], None, full=True).passed
