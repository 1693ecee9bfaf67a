"""The limiter on a clock moved by hand: never too fast, never beyond the window, never stuck."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercom_sync.intercom.errors import CancelledError
from intercom_sync.intercom.http.rate_limiter import MAX_WINDOW_SECONDS, RateBudget, RateLimiter, seconds_to_reset
from intercom_sync_tests.intercom.scenario import HandClock


def limiter_on(clock: HandClock, per_second: int | None = None) -> RateLimiter:
    budget = RateBudget(clock=clock, wall=clock)
    return RateLimiter(per_second, budget, clock=clock, sleep=clock.sleep)


def headers(limit: object, remaining: object, reset: object) -> dict[str, str]:
    return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(remaining), "X-RateLimit-Reset": str(reset)}


@given(per_second=st.integers(1, 12), gaps=st.lists(st.floats(0, 1.5), min_size=1, max_size=80))
def test_no_second_ever_holds_more_calls_than_the_cap(per_second: int, gaps: list[float]) -> None:
    clock = HandClock()
    limiter = limiter_on(clock, per_second)
    calls = []
    for gap in gaps:
        clock.now += gap
        turn = limiter.acquire()
        calls.append(clock.now)
        limiter.on_failure(turn)
    for first, later in zip(calls, calls[per_second:], strict=False):
        assert later - first >= 1


@given(
    limit=st.integers(1, 20),
    order=st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.floats(0, 3)), min_size=5, max_size=120),
)
def test_calls_under_way_never_overshoot_the_window_however_their_answers_overtake_each_other(
    limit: int, order: list[tuple[bool, int, float]]
) -> None:
    """The server counts a call when it is sent, and tells the window's rest when it answers."""
    clock = HandClock()
    limiter = limiter_on(clock)
    used: dict[int, int] = {}
    under_way = []
    limiter.on_response(limiter.acquire(), headers(limit, limit - 1, 1010))
    used[100] = 1
    for sends, which, gap in order:
        clock.now += gap
        if sends or not under_way:
            if len(under_way) > limit:
                continue
            turn = limiter.acquire()
            window = int(clock.now // 10)
            used[window] = used.get(window, 0) + 1
            assert used[window] <= limit
            under_way.append(turn)
        else:
            window = int(clock.now // 10)
            rest = max(limit - used.get(window, 0), 0)
            limiter.on_response(under_way.pop(which % len(under_way)), headers(limit, rest, (window + 1) * 10))


def test_an_exhausted_window_is_waited_out_before_the_429_comes() -> None:
    clock = HandClock()
    limiter = limiter_on(clock)
    limiter.on_response(limiter.acquire(), headers(83, 0, 1007))
    limiter.acquire()
    assert clock.now == pytest.approx(1007, abs=0.3)


@pytest.mark.parametrize("reset", [0, 17, 999, 9_999_999_999, 99_999_999_999_999, "soon", "", "-5", "1e9", "٣"])
@pytest.mark.parametrize("remaining", [0, 5, "many", "-1", ""])
def test_no_header_however_wrong_makes_a_call_wait_longer_than_a_window(reset: object, remaining: object) -> None:
    clock = HandClock()
    limiter = limiter_on(clock)
    for _ in range(20):
        before = clock.now
        limiter.on_response(limiter.acquire(), headers(83, remaining, reset))
        assert clock.now - before <= MAX_WINDOW_SECONDS + 0.3
    assert len(clock.slept) < 20 * 70


def test_missing_headers_set_no_limit() -> None:
    clock = HandClock()
    limiter = limiter_on(clock)
    for _ in range(500):
        limiter.on_response(limiter.acquire(), {})
    assert clock.slept == []


def test_the_reset_is_measured_from_the_answers_own_date_when_the_local_clock_is_wrong() -> None:
    stated = {"X-RateLimit-Reset": "1763596810", "Date": "Thu, 20 Nov 2025 00:00:04 GMT"}
    assert seconds_to_reset(stated, now=5.0) == 6.0
    assert seconds_to_reset({**stated, "Date": "yesterday"}, now=1763596805.0) == 5.0
    assert seconds_to_reset({}, now=5.0) is None


def test_a_pause_holds_every_caller_of_the_stream() -> None:
    clock = HandClock()
    limiter = limiter_on(clock, 10)
    limiter.pause(7)
    limiter.pause(2)
    limiter.acquire()
    assert clock.now == pytest.approx(1007, abs=0.3)


def test_as_many_calls_are_wanted_under_way_as_the_allowance_and_the_answers_time_call_for() -> None:
    clock = HandClock()
    limiter, capped = limiter_on(clock), limiter_on(clock, 10)
    assert limiter.target_concurrency() == 1
    for each in (limiter, capped):
        for _ in range(3):
            turn = each.acquire()
            clock.now += 2
            each.on_response(turn, headers(1667, 1000, int(clock.now) + 5))
    assert limiter.target_concurrency() == 334
    assert capped.target_concurrency() == 20


def test_a_second_begins_when_a_call_leaves_and_not_when_it_might_have() -> None:
    clock = HandClock()
    limiter = limiter_on(clock, 1)
    turn = limiter.acquire()
    clock.now += 5
    limiter.mark_sent(turn)
    limiter.acquire()
    assert clock.now >= 1000 + 5 + 1


def test_a_turn_not_used_can_be_had_by_another() -> None:
    clock = HandClock()
    limiter = limiter_on(clock, 1)
    limiter.release(limiter.acquire())
    limiter.acquire()
    assert clock.slept == []


def test_a_stopped_read_does_not_wait_for_its_turn() -> None:
    clock = HandClock()
    limiter = limiter_on(clock, 1)
    limiter.acquire()
    stop = threading.Event()
    stop.set()
    with pytest.raises(CancelledError):
        limiter.acquire(stop)


def test_threads_side_by_side_keep_the_cap_together() -> None:
    clock = HandClock()
    limiter = limiter_on(clock, 5)
    calls: list[float] = []

    def work() -> None:
        for _ in range(10):
            calls.append(limiter.acquire().at)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calls.sort()
    assert all(later - first >= 1 for first, later in zip(calls, calls[5:], strict=False))
    assert len(calls) == 80
