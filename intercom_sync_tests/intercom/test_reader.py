"""Whole reads against the sandbox: everything, windows, resumption, trouble in the middle, early ends."""

import itertools
import threading
import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercom_sync.intercom.errors import (
    IntercomError,
    NotFoundError,
    PaginationLoopError,
    ServiceUnavailableError,
    UnauthorizedError,
)
from intercom_sync.intercom.reader import Reader
from intercom_sync.intercom.streams import CONTACTS, CONVERSATIONS
from intercom_sync.sandbox import faults
from intercom_sync.sandbox.builders import contact
from intercom_sync.sandbox.server import Sandbox
from intercom_sync_tests.intercom.scenario import (
    DAY,
    NOW,
    client_of,
    company_of,
    ids,
    reading,
    searches,
    talks_of,
    wait_until_quiet,
)

ZONES = ["America/Los_Angeles", "Asia/Kolkata", "Pacific/Kiritimati", "Etc/GMT+12"]
YEAR = 365 * DAY


def spread(number: int, over: int = 3 * YEAR) -> list[int]:
    return [NOW - over + over * each // number for each in range(number)]


def names(number: int) -> set[str]:
    return {f"{each:024x}" for each in range(number)}


SHAPES: dict[str, Callable[[int], list[int]]] = {
    "even": spread,
    "one second": lambda number: [NOW - 9 * DAY] * number,
    "one day": lambda number: spread(number, DAY),
    "two lumps": lambda number: [NOW - YEAR] * (number // 2) + [NOW - 9 * DAY] * (number - number // 2),
    "all at the end": lambda number: [NOW - YEAR, *spread(number - 1, 3 * DAY)],
    "all at the beginning": lambda number: [NOW - 2 * YEAR + 3 * each for each in range(number - 1)] + [NOW - 5],
    "by the thousand per second": lambda number: [NOW - 30 * DAY + each // 1000 for each in range(number)],
}


@pytest.mark.parametrize("version", ["2.16", "2.17"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_full_read_delivers_every_contact_once_however_they_lie_in_time(shape: str, version: str) -> None:
    with reading(company_of(SHAPES[shape](2000), timezone="America/Los_Angeles"), version=version) as (sandbox, reader):
        found = ids(reader.full_scan(CONTACTS))
        assert set(found) == names(2000)
        complete = reader.scan_counts(CONTACTS)
        assert (complete.seen, complete.total_at_start, complete.total_at_end) == (len(found), 2000, 2000)
        assert len(found) <= 2000 + 150
        assert len(sandbox.requests) <= 14 * 3


@settings(max_examples=25)
@given(
    created=st.lists(st.integers(NOW - 40 * DAY, NOW), min_size=0, max_size=900),
    zone=st.sampled_from(ZONES),
    version=st.sampled_from(["2.16", "2.17"]),
)
def test_no_contact_is_lost_in_any_zone_under_either_reading_of_dates(
    created: list[int], zone: str, version: str
) -> None:
    with reading(company_of(created, timezone=zone), version=version) as (_, reader):
        found = ids(reader.full_scan(CONTACTS))
        assert set(found) == names(len(created))


def test_a_large_read_costs_few_more_requests_than_its_pages() -> None:
    with reading(company_of(spread(15_000))) as (sandbox, reader):
        assert len(set(ids(reader.full_scan(CONTACTS)))) == 15_000
        assert len(sandbox.requests) <= 100 * 1.1


def test_a_small_workspace_costs_one_request() -> None:
    with reading(company_of(spread(150))) as (sandbox, reader):
        assert len(ids(reader.full_scan(CONTACTS))) == 150
        assert len(sandbox.requests) == 1


def test_an_empty_workspace_is_read_too() -> None:
    with reading(company_of([])) as (_, reader):
        assert ids(reader.full_scan(CONTACTS)) == []
        assert reader.scan_counts(CONTACTS).seen == 0


def test_conversations_are_read_whole_as_well() -> None:
    with reading(talks_of(spread(1000))) as (_, reader):
        assert len(set(ids(reader.full_scan(CONVERSATIONS)))) == 1000


def test_a_slow_first_answer_is_not_waited_for_and_nothing_is_lost_by_guessing() -> None:
    with Sandbox(company_of(spread(3000)), latency=0.4) as sandbox, client_of(sandbox.url) as client:
        reader = Reader(client, workers=20, clock=lambda: NOW)
        found = ids(reader.full_scan(CONTACTS))
    assert set(found) == names(3000)
    assert len(found) == 3000


def test_every_search_states_its_order_and_has_a_filter_and_no_cursor_in_the_url() -> None:
    with reading(company_of(spread(1000))) as (sandbox, reader):
        ids(reader.full_scan(CONTACTS))
        ids(reader.incremental_scan(CONTACTS, NOW - DAY, NOW))
        for request in sandbox.requests:
            assert request.query == {"include_merge_history": "true"}
            assert request.json["sort"]["field"] in ("created_at", "updated_at")
            assert request.json["query"]


@pytest.mark.parametrize("version", ["2.16", "2.17"])
@pytest.mark.parametrize("zone", ZONES)
def test_a_window_holds_exactly_its_changes_in_every_zone_and_through_clock_changes(zone: str, version: str) -> None:
    """The second Sunday of March 2025, when Los Angeles put its clocks forward."""
    at = 1_741_514_400
    assert ZoneInfo(zone)
    times = range(at - 4 * DAY, at + 4 * DAY, 1800)
    with reading(company_of(times, timezone=zone), version=version, now=lambda: at + 4 * DAY) as (_, reader):
        for start in range(at - 2 * DAY, at + 2 * DAY, 6 * 3600):
            found = ids(reader.incremental_scan(CONTACTS, start, start + 6 * 3600))
            assert found == [f"{each:024x}" for each, at in reversed(list(enumerate(times))) if 0 <= at - start < 21600]


def test_a_scheduled_window_costs_its_pages_and_at_most_two_requests_more() -> None:
    changed = [NOW - 21_600 + each * 20 for each in range(1000)]
    old = [NOW - 2 * DAY - each for each in range(3000)]
    with reading(company_of(old + changed)) as (sandbox, reader):
        assert len(ids(reader.incremental_scan(CONTACTS, NOW - 21_600, NOW))) == 1000
        assert len(sandbox.requests) <= 7 + 2


def test_a_window_without_changes_costs_one_request() -> None:
    with reading(company_of(spread(2000, 20 * DAY)[:-1800])) as (sandbox, reader):
        assert ids(reader.incremental_scan(CONTACTS, NOW - 21_600, NOW)) == []
        assert len(sandbox.requests) == 1


def test_a_conversation_window_is_exact_to_the_second_at_both_ends() -> None:
    with reading(talks_of([NOW - 101, NOW - 100, NOW - 51, NOW - 50, NOW])) as (_, reader):
        assert ids(reader.incremental_scan(CONVERSATIONS, NOW - 100, NOW - 50)) == ["1002", "1001"]


def test_a_window_of_months_is_read_side_by_side_and_whole() -> None:
    # Were answers there at once, one worker might have read it all before the next has begun.
    with reading(company_of(spread(6000, 200 * DAY)), latency=0.05) as (sandbox, reader):
        found = ids(reader.incremental_scan(CONTACTS, NOW - 100 * DAY, NOW))
        assert set(found) == {f"{each:024x}" for each in range(3000, 6000)}
        assert len({body["query"]["value"] for body in searches(sandbox) if "field" in body["query"]}) > 2


def test_records_without_a_usable_time_are_passed_on_for_someone_else_to_reject() -> None:
    company = company_of(spread(10))
    company.put_contact(contact(id="f" * 24, created_at=str(NOW - 5), updated_at=str(NOW - 5)))
    with reading(company) as (_, reader):
        assert "f" * 24 in ids(reader.full_scan(CONTACTS))


@pytest.mark.parametrize("landed", [1, 2, 5, 9, 13])
def test_a_killed_read_goes_on_without_reading_again_what_was_landed(landed: int) -> None:
    with reading(company_of(spread(3000))) as (sandbox, reader):
        pages = reader.full_scan(CONTACTS)
        before = list(itertools.islice(pages, landed))
        pages.close()
        wait_until_quiet()
        sandbox.requests.clear()
        after = ids(reader.full_scan(CONTACTS, [page.checkpoint for page in before]))
        assert set(ids(before)) | set(after) == names(3000)
        assert len(ids(before)) + len(after) <= 3000 + 150 * 3
        assert len(sandbox.requests) <= 20 - landed + 8


@settings(max_examples=15)
@given(
    created=st.lists(st.integers(NOW - 90 * DAY, NOW), min_size=200, max_size=1500),
    kills=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    whole=st.booleans(),
)
def test_a_read_killed_again_and_again_loses_nothing(created: list[int], kills: list[int], whole: bool) -> None:
    with reading(company_of(created, timezone="Asia/Kolkata")) as (_, reader):
        marks, found = [], set()
        for kill in [*kills, 10_000]:
            start = NOW - 80 * DAY
            pages = reader.full_scan(CONTACTS, marks) if whole else reader.incremental_scan(CONTACTS, start, NOW, marks)
            for page in itertools.islice(pages, kill):
                marks.append(page.checkpoint)
                found.update(ids([page]))
            pages.close()
        wanted = {f"{number:024x}" for number, at in enumerate(created) if whole or start <= at < NOW}
        assert found == wanted


def test_a_finished_read_has_nothing_left_to_do() -> None:
    with reading(company_of(spread(1000))) as (sandbox, reader):
        marks = [page.checkpoint for page in reader.full_scan(CONTACTS)]
        sandbox.requests.clear()
        assert ids(reader.full_scan(CONTACTS, marks)) == []
        assert sandbox.requests == []


def test_a_refused_cursor_is_gone_round_from_the_last_position() -> None:
    with reading(company_of(spread(3000))) as (sandbox, reader):
        sandbox.faults.add(
            faults.cursor_refused(), match=lambda each: "starting_after" in each.json["pagination"], after=4, times=2
        )
        assert set(ids(reader.full_scan(CONTACTS))) == names(3000)
        assert len(sandbox.requests) <= 20 + 2 + 10


def test_a_search_that_repeats_itself_is_stopped() -> None:
    page = b'{"data":[{"id":"a","created_at":5}],"total_count":9,"pages":{"next":{"starting_after":"x"}}}'
    with reading(company_of([1])) as (sandbox, reader):
        sandbox.faults.add(faults.status(200, page))
        with pytest.raises(PaginationLoopError):
            ids(reader.full_scan(CONTACTS))


def test_an_error_comes_after_the_pages_read_before_it_and_never_as_a_skipped_page() -> None:
    with reading(company_of(spread(3000)), workers=2) as (sandbox, reader):
        sandbox.faults.add(faults.server_error(), after=4)
        pages, found = reader.full_scan(CONTACTS), []
        with pytest.raises(ServiceUnavailableError):
            found.extend(iter(pages))
        assert len(found) == 4


def test_a_refused_token_stops_the_read() -> None:
    with reading(company_of(spread(10))) as (sandbox, reader):
        sandbox.faults.add(faults.error(401, "unauthorized", "Access Token Invalid"))
        with pytest.raises(UnauthorizedError):
            ids(reader.full_scan(CONTACTS))


def test_closing_early_stops_every_worker() -> None:
    with reading(company_of(spread(6000))) as (_, reader):
        pages = reader.full_scan(CONTACTS)
        next(pages)
        pages.close()
        wait_until_quiet()


def test_a_slow_consumer_keeps_only_a_few_pages_waiting() -> None:
    with reading(company_of(spread(15_000))) as (sandbox, reader):
        pages = reader.full_scan(CONTACTS)
        next(pages)
        time.sleep(1)
        assert len(sandbox.requests) <= 1 + 8 + 6 + 2
        pages.close()


def test_conversation_details_come_side_by_side_with_what_is_gone_and_what_failed() -> None:
    company = talks_of(spread(30))
    company.delete_conversation("1003")
    taken = []

    def listed() -> itertools.chain[str]:
        return itertools.chain.from_iterable([taken.append(n) or str(n)] for n in range(1000, 1030))

    with reading(company, workers=4) as (sandbox, reader):
        sandbox.faults.add(faults.error(422, "data_invalid", "no"), match="GET /conversations/1007")
        details = reader.conversation_details(listed())
        first = next(details)
        assert len(taken) <= 5
        found = {detail.id: detail.answer for detail in [first, *details]}
    assert set(found) == {str(number) for number in range(1000, 1030)}
    assert isinstance(found["1003"], NotFoundError)
    assert isinstance(found["1007"], IntercomError)
    assert found["1001"]["id"] == "1001"


def test_more_details_are_fetched_at_once_when_the_allowance_has_room_for_them() -> None:
    company = talks_of(spread(300))
    with Sandbox(company, latency=0.2) as sandbox, client_of(sandbox.url) as client:
        details = Reader(client, workers=2).conversation_details(str(number) for number in range(1000, 1300))
        found, workers = {}, 0
        for name, answer, _ in details:
            found[name] = answer
            workers = max(workers, sum(each.name.startswith("intercom-details") for each in threading.enumerate()))
    assert len(found) == 300
    assert workers > 10


def test_details_end_when_everything_fails() -> None:
    with reading(talks_of(spread(60)), workers=4) as (sandbox, reader):
        sandbox.faults.add(faults.server_error())
        with pytest.raises(ServiceUnavailableError):
            list(reader.conversation_details(str(number) for number in range(1000, 1060)))
        sandbox.faults.clear()
        sandbox.faults.add(faults.error(403, "forbidden", "no"))
        with pytest.raises(UnauthorizedError):
            list(reader.conversation_details(["1000"]))


def test_contacts_conversations_and_details_are_read_at_the_same_time() -> None:
    company = company_of(spread(2000))
    for each in talks_of(spread(1000)).conversations():
        company.put_conversation(each)
    results: dict[str, int] = {}
    with reading(company) as (_, reader):
        reads: dict[str, Callable[[], int]] = {
            "contacts": lambda: len(set(ids(reader.full_scan(CONTACTS)))),
            "conversations": lambda: len(set(ids(reader.full_scan(CONVERSATIONS)))),
            "details": lambda: len(list(reader.conversation_details(str(n) for n in range(1000, 1100)))),
        }
        threads = [threading.Thread(target=lambda k=k, r=r: results.update({k: r()})) for k, r in reads.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == {"contacts": 2000, "conversations": 1000, "details": 100}
