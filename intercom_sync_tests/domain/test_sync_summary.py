from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from intercom_sync.domain.sync_summary import ContactCounts, SyncStats, mask_email

SAMPLE = SyncStats(1234, 56, 1178, 3, 0, 45.2, 78.5, 12)
COUNTS = ContactCounts(read=1_300, customers=1_230, same_email=30, without_email=20, rejected=9, erased=7, unwritten=4)


def test_the_success_metrics_are_the_required_ones():
    assert SAMPLE.as_json() == {
        "contacts_synced": 1234,
        "new_contacts": 56,
        "updated_contacts": 1178,
        "skipped_contacts": 3,
        "errors": 0,
        "sync_duration_seconds": 45.2,
        "avg_quality_score": 78.5,
    }


def test_the_log_entry_has_exactly_the_required_form():
    assert SAMPLE.log_entry(datetime(2024, 1, 15, 10, 30, 45, tzinfo=UTC)) == (
        "[2024-01-15 10:30:45] Intercom sync completed\n"
        "- Synced: 1234 contacts\n"
        "- New: 56, Updated: 1178, Skipped: 3\n"
        "- Duration: 45.2s\n"
        "- Quality: 78.5 avg\n"
        "- Alerts: 12 generated"
    )


def test_the_time_is_told_in_utc():
    moment = datetime(2024, 1, 15, 12, 30, 45, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert SAMPLE.log_entry(moment).startswith("[2024-01-15 10:30:45] ")


def test_numbers_have_one_decimal_rounded_half_up_and_no_separators():
    figures = SyncStats(1_234_567, 0, 1_234_567, 0, 0, 3600, 66.65, 0)
    entry = figures.log_entry(datetime(2024, 1, 15, tzinfo=UTC))
    assert "- Synced: 1234567 contacts\n" in entry
    assert "- Duration: 3600.0s\n- Quality: 66.7 avg\n" in entry
    assert figures.as_json()["avg_quality_score"] == 66.7


def test_without_customers_there_is_no_average():
    figures = SyncStats(0, 0, 0, 2, 0, 0.04, None, 0)
    assert figures.as_json()["avg_quality_score"] is None
    assert "- Duration: 0.0s\n- Quality: n/a avg\n" in figures.log_entry(datetime(2024, 1, 15, tzinfo=UTC))


def test_each_part_of_the_contacts_read_is_named_and_the_parts_add_up():
    assert COUNTS.summary(SAMPLE) == (
        "Contacts read: 1,300 = 1,230 customers + 30 merged by email + 20 without an email "
        "+ 9 rejected (rejected_records says why) + 7 erased (on the suppression list) "
        "+ 4 rejected by unified_customers (rejected_records says why)\n"
        "Customers of contacts that earlier runs read: 4"
    )


@pytest.mark.parametrize(("customers", "said"), [(0, False), (1, True), (9, True), (10, False)])
def test_an_average_over_fewer_than_ten_says_over_how_many(customers, said):
    counts = ContactCounts(customers, customers, 0, 0, 0, 0, 0)
    summary = counts.summary(replace(SAMPLE, contacts_synced=customers))
    assert (f"The average quality is over {customers} customers only." in summary) is said
    assert summary.startswith(f"Contacts read: {customers} = {customers} customers")


@pytest.mark.parametrize(
    ("email", "masked"),
    [
        ("ann@example.org", "a***@e***.org"),
        ("ann.lee@mail.example.co", "a***@m***.co"),
        ("ann@localhost", "a***@l***"),
        ('"a@b c"@example.org', "***@e***.org"),
        ("ann@[192.0.2.1]", "a***@***"),
        ("юлия@почта.рф", "ю***@п***.рф"),
        ("nobody", "n***"),
        ("", "***"),
    ],
)
def test_a_masked_email_shows_first_letters_and_top_level_domain(email, masked):
    assert mask_email(email) == masked
