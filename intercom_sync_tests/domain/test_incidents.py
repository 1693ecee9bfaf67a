from datetime import UTC, datetime, timedelta

import pytest

from intercom_sync.domain.incidents import failed_check, failed_run, missed_windows, partial_failure

NOW = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)


def test_a_run_and_its_retries_are_one_trouble():
    first = failed_run("a", "a", "sync", "no\n reason.", NOW, retried=True)
    second = failed_run("b", "a", "sync", "no reason.", NOW)
    assert first.key == second.key
    assert first.details["sentence"] == "The run of sync failed: no reason. Dagster retries it."
    assert second.details["sentence"] == "The run of sync failed: no reason."


def test_a_long_reason_is_cut():
    assert len(failed_run("a", "a", "sync", "x" * 9_999, NOW).details["sentence"]) < 600


def test_every_failed_evaluation_is_its_own():
    assert (
        failed_check("a/b", "WARN", "3 rows", "r", NOW).key
        != failed_check("a/b", "WARN", "3 rows", "r2", NOW.replace(hour=1)).key
    )
    assert failed_check("a/b", "WARN", "", "r", NOW).details["sentence"] == "The check a/b failed (WARN)."


@pytest.mark.parametrize(("errors", "words"), [(1, "1 API call failed"), (3, "3 API calls failed")])
def test_errors_survived_are_counted(errors, words):
    assert words in partial_failure("r", errors, NOW).details["sentence"]


@pytest.mark.parametrize(
    ("covered", "windows"),
    [
        (None, None),  # nothing has ever been read: a new deployment misses nothing
        (NOW, None),
        (datetime(2026, 3, 1, 12, 0, tzinfo=UTC), None),
        (datetime(2026, 3, 1, 11, 59, tzinfo=UTC), 1),
        (datetime(2026, 3, 1, 6, 0, tzinfo=UTC), 1),
        (datetime(2026, 3, 1, 5, 59, tzinfo=UTC), 2),
        (datetime(2026, 2, 28, 12, 0, tzinfo=UTC), 4),
    ],
)
def test_windows_are_missed_when_their_time_is_over(covered, windows):
    gap = missed_windows(covered, NOW)
    assert (gap and gap.details["windows"]) == windows


def test_a_window_has_two_hours_to_be_synced():
    covered = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
    assert missed_windows(covered, datetime(2026, 3, 1, 13, 59, tzinfo=UTC)) is None
    assert missed_windows(covered, datetime(2026, 3, 1, 14, 0, tzinfo=UTC)) is not None


def test_a_gap_that_grows_stays_the_same_gap():
    covered = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
    first, later = missed_windows(covered, NOW), missed_windows(covered, NOW + timedelta(days=3))
    assert first.key == later.key
