"""Bodies that both readings of a date accept, and answer with at least what was asked for."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercom_sync.intercom import streams
from intercom_sync.intercom.streams import CONTACTS, CONVERSATIONS, EPOCH_FLOOR, search

ZONES = ["America/Los_Angeles", "Asia/Kolkata", "Pacific/Kiritimati", "Etc/GMT+12", "Antarctica/Troll", "UTC"]


def midnight(second: int, zone: str, days: int) -> int:
    local = datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(zone))
    day = local.date() + timedelta(days=days)
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp())


@given(at=st.integers(1_300_000_000, 1_900_000_000), zone=st.sampled_from(ZONES))
def test_a_widened_bound_holds_the_second_in_every_zone_and_through_clock_changes(at: int, zone: str) -> None:
    below, above = streams.lower_bound(CONTACTS, at), streams.upper_bound(CONTACTS, at)
    assert midnight(below, zone, 1) <= at < midnight(above, zone, 0) + 1
    assert below < at < above


def test_exact_bounds_cover_the_doubt_about_the_equal_second() -> None:
    assert streams.lower_bound(CONVERSATIONS, 100) == 99
    assert streams.upper_bound(CONVERSATIONS, 100) == 101


@pytest.mark.parametrize("stream", [CONTACTS, CONVERSATIONS])
def test_no_bound_lies_before_the_first_second(stream: streams.Stream) -> None:
    assert streams.lower_bound(stream, 0) == EPOCH_FLOOR


def test_a_full_read_asks_for_everything_by_a_filter_that_always_holds() -> None:
    assert search("created_at", descending=False) == {
        "query": {"field": "created_at", "operator": ">", "value": 1},
        "sort": {"field": "created_at", "order": "ascending"},
        "pagination": {"per_page": 150},
    }


def test_two_bounds_make_a_group_and_the_cursor_goes_into_the_body() -> None:
    body = search("updated_at", descending=True, after=5, before=9, cursor="next", per_page=75)
    assert [(each["operator"], each["value"]) for each in body["query"]["value"]] == [(">", 5), ("<", 9)]
    assert body["query"]["operator"] == "AND"
    assert body["sort"] == {"field": "updated_at", "order": "descending"}
    assert body["pagination"] == {"per_page": 75, "starting_after": "next"}


VERSIONS = {"2.16": False, "2.17": True, "2.18": True, "3.0": True, "Preview": False, "2": False}


@pytest.mark.parametrize(("version", "exact"), VERSIONS.items())
def test_contact_dates_count_as_exact_only_from_the_version_that_says_so(version: str, exact: bool) -> None:
    assert CONTACTS.dates_are_exact(version) is exact
    assert CONVERSATIONS.dates_are_exact(version)


ASKED = {"2.15": "/contacts/search", "Preview": "/contacts/search"} | dict.fromkeys(
    ("2.16", "2.17", "3.0"), "/contacts/search?include_merge_history=true"
)


@pytest.mark.parametrize(("version", "path"), ASKED.items())
def test_who_was_merged_into_a_user_is_asked_for_where_the_version_tells_it(version: str, path: str) -> None:
    assert CONTACTS.search_path(version) == path
    assert CONVERSATIONS.search_path(version) == "/conversations/search"
