"""The plan without threads or calls: seams, meeting walks and marks, against a list of times."""

import random
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from intercom_sync.intercom.errors import PaginationLoopError, UnexpectedOrderError
from intercom_sync.intercom.scan.cursor import ShardCursor
from intercom_sync.intercom.scan.planner import ScanPlanner
from intercom_sync.intercom.scan.shards import ScanScope
from intercom_sync.intercom.search_pages import SearchPage, parse_page, timestamp_of
from intercom_sync.intercom.streams import CONTACTS, CONVERSATIONS
from intercom_sync_tests.intercom.http.pacing import Records

NOW = 1_770_000_000
DAY = 86_400


def carry_out(
    plan: ScanPlanner, answer: Callable[[ShardCursor], SearchPage], *, seed: int, most: int = 10_000
) -> tuple[list[str], list]:
    """Let up to eight calls be under way and answer them in random order."""
    chance, under_way, found, marks = random.Random(seed), [], [], []
    while not plan.is_over and most > 0:
        while len(under_way) < 8 and (walk := plan.next_task()) is not None:
            under_way.append(walk)
        walk = under_way.pop(chance.randrange(len(under_way)))
        kept = plan.accept(walk, answer(walk))
        if kept is not None:
            found += [record["id"] for record in kept]
            marks.append(walk.checkpoint())
        plan.finish(walk)
        most -= 1
    return found, marks


def moments_of(number: int, seed: int, lumps: list[tuple[int, int]]) -> list[int]:
    """Times drawn around some days of the last month, each lump so many seconds wide."""
    chance = random.Random(seed)
    picked = [chance.choice(lumps) for _ in range(number)]
    return [NOW - days * DAY - chance.randrange(width) for days, width in picked]


widths = st.sampled_from([1, 3, 600, DAY, 20 * DAY])
lumps = st.lists(st.tuples(st.integers(0, 30), widths), min_size=1, max_size=4)
moments = st.builds(moments_of, st.integers(0, 4000), st.integers(0, 999), lumps)


@settings(max_examples=60)
@given(times=moments, by_day=st.booleans(), seed=st.integers(0, 999), impatient=st.booleans())
def test_every_record_is_delivered_exactly_once_in_whatever_order_answers_come(
    times: list[int], by_day: bool, seed: int, impatient: bool
) -> None:
    plan = ScanPlanner(ScanScope(CONTACTS, "created_at", now=NOW, exact=not by_day))
    plan.first_page_slow = impatient
    found, _ = carry_out(plan, Records(times, 0 if by_day else None).answer, seed=seed)
    assert sorted(found, key=int) == [str(number) for number in range(len(times))]


@settings(max_examples=60)
@given(times=moments, by_day=st.booleans(), seed=st.integers(0, 999), killed=st.integers(0, 15))
def test_marks_are_enough_to_lose_nothing_after_a_kill(times: list[int], by_day: bool, seed: int, killed: int) -> None:
    scope = ScanScope(CONTACTS, "created_at", now=NOW, exact=not by_day)
    records = Records(times, 0 if by_day else None)
    before, marks = carry_out(ScanPlanner(scope), records.answer, seed=seed, most=killed)
    after, _ = carry_out(ScanPlanner(scope, marks), records.answer, seed=seed + 1)
    assert {*before, *after} == {str(number) for number in range(len(times))}


ages = st.lists(st.tuples(st.integers(0, 1200), widths), min_size=1, max_size=5)
olden = st.builds(moments_of, st.integers(0, 5000), st.integers(0, 999), ages)
zones = st.sampled_from([None, -12, -7, 0, 5.5, 10, 12, 14])


@settings(max_examples=60)
@example(
    times=[1754447999], zone=None, seed=138, exact=False, killed=3, quantiles=None
)  # a walk that had ended was read again
@given(
    times=olden,
    zone=zones,
    seed=st.integers(0, 999),
    exact=st.booleans(),
    killed=st.integers(0, 60),
    quantiles=st.none() | st.lists(st.integers(NOW - 1200 * DAY, NOW + 9 * DAY), max_size=9),
)
def test_walks_from_both_sides_of_a_guess_lose_nothing_in_any_zone_nor_after_a_kill(
    times: list[int], zone: float | None, seed: int, exact: bool, killed: int, quantiles: list[int] | None
) -> None:
    records = Records(times, None if zone is None else int(zone * 3600))
    scope = ScanScope(CONTACTS, "created_at", now=NOW, exact=exact)
    plan = ScanPlanner(scope, quantiles=quantiles)
    plan.first_page_slow = True
    before, marks = carry_out(plan, records.answer, seed=seed, most=killed)
    assert len(before) == len(set(before)) == plan.seen
    after, _ = carry_out(ScanPlanner(scope, marks), records.answer, seed=seed + 1)
    assert {*before, *after} == {str(number) for number in range(len(times))}
    whole = ScanPlanner(scope, quantiles=quantiles)
    whole.first_page_slow = True
    found, _ = carry_out(whole, records.answer, seed=seed)
    assert sorted(found, key=int) == [str(number) for number in range(len(times))]


@pytest.mark.parametrize("impatient", [False, True])
@pytest.mark.parametrize("number", [0, 1, 150, 700, 3000])
def test_the_marks_of_a_finished_read_leave_nothing_to_do(number: int, impatient: bool) -> None:
    for seed in range(25):
        times = random.Random(seed).sample(range(NOW - 1000 * DAY, NOW), number)
        scope = ScanScope(CONTACTS, "created_at", now=NOW, exact=False)
        plan = ScanPlanner(scope)
        plan.first_page_slow = impatient
        _, marks = carry_out(plan, Records(times, 0).answer, seed=seed)
        assert ScanPlanner(scope, marks).is_over, seed


@pytest.mark.parametrize(("number", "asked"), [(440, False), (449, True), (450, True)])
def test_walks_that_may_meet_without_seeing_it_do_not_wait_for_each_other(number: int, asked: bool) -> None:
    """The last page is on its way; whether one more is needed is only known then, or by asking for it now."""
    records = Records([NOW - 300 * DAY + 3600 * each for each in range(number)])
    plan = ScanPlanner(ScanScope(CONTACTS, "created_at", now=NOW, exact=True))
    first = plan.next_task()
    plan.accept(first, records.answer(first))
    plan.finish(first)
    up, down = sorted([plan.next_task(), plan.next_task()], key=lambda walk: not walk.ascending)
    assert (up.ascending, down.ascending) == (True, False)
    plan.accept(up, records.answer(up))
    plan.finish(up)
    assert plan.can_take() is asked


def test_a_plan_made_for_exact_dates_loses_nothing_when_they_turn_out_to_be_by_day() -> None:
    times = [NOW - 30 * DAY + 700 * each for each in range(3600)]
    plan = ScanPlanner(ScanScope(CONTACTS, "created_at", now=NOW, exact=True))
    found, _ = carry_out(plan, Records(times, 0).answer, seed=1)
    assert len(set(found)) == len(times)


@pytest.mark.parametrize("pages", [{}, {"pages": None}, {"pages": {}}, {"pages": {"next": None}}])
def test_absent_and_null_all_mean_the_last_page(pages: dict[str, object]) -> None:
    assert parse_page(CONTACTS, {"data": [], **pages}).cursor is None


def test_conversations_come_under_their_own_key() -> None:
    found = parse_page(
        CONVERSATIONS, {"conversations": [{"id": "1"}], "total_count": 7, "pages": {"next": {"starting_after": "x"}}}
    )
    assert (found.records, found.cursor, found.total) == ([{"id": "1"}], "x", 7)


@pytest.mark.parametrize("time", [None, "1736497012", -5, 0, True, 1.5, [], {}])
def test_what_is_no_positive_whole_number_is_no_time(time: object) -> None:
    assert timestamp_of({"created_at": time}, "created_at") is None
    assert timestamp_of(time, "created_at") is None


def walk() -> ShardCursor:
    return ShardCursor("0", CONTACTS, "created_at", ascending=True, after=1)


def test_a_cursor_seen_before_ends_the_walk_with_an_error() -> None:
    walking = walk()
    walking.advance(SearchPage([{"id": "a", "created_at": 5}], "x", 9))
    with pytest.raises(PaginationLoopError, match="cursor"):
        walking.advance(SearchPage([{"id": "b", "created_at": 6}], "x", 9))


def test_a_page_seen_before_ends_the_walk_with_an_error() -> None:
    walking = walk()
    walking.advance(SearchPage([{"id": "a", "created_at": 5}], "x", 9))
    with pytest.raises(PaginationLoopError, match="page"):
        walking.advance(SearchPage([{"id": "a", "created_at": 5}], "y", 9))


def test_pages_of_records_without_an_id_are_not_taken_for_one_page_repeated() -> None:
    walking = walk()
    walking.advance(SearchPage([{"created_at": 5}, {}], "x", 9))
    walking.advance(SearchPage([{"created_at": 6}, {}], "y", 9))
    assert walking.position == 6


def test_a_page_that_is_not_sorted_as_asked_is_not_built_upon() -> None:
    shuffled = [{"id": str(each), "created_at": each * 7919 % 1000 + 1} for each in range(150)]
    with pytest.raises(UnexpectedOrderError):
        walk().advance(SearchPage(shuffled, None, 150))


def test_a_first_page_that_is_refused_has_nowhere_to_go_on_from() -> None:
    assert not walk().restart_after_rejection()
