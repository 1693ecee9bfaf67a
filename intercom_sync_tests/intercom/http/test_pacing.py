"""What a full read costs at ten calls a second, on a clock of its own: in requests over pages, and in seconds."""

import random
from collections.abc import Callable
from math import ceil, log

import pytest

from intercom_sync.intercom.scan.planner import ScanPlanner
from intercom_sync.intercom.scan.shards import ScanScope
from intercom_sync.intercom.streams import CONTACTS
from intercom_sync_tests.intercom.http.pacing import DAY, PAGE, Cost, Records, read_at

NOW = 1_770_000_000
CALIFORNIA = -7 * 3600
Shape = Callable[[random.Random], float]


def even(days: float) -> Shape:
    """As many new contacts every day."""
    return lambda chance: chance.uniform(0, days)


def growing(days: float, folds: float) -> Shape:
    """More every day, e to the power of `folds` times as many in the end."""
    return lambda chance: -days * log(1 - chance.random() * (1 - 2.718 ** (-folds))) / folds


def imported(days: float, share: float) -> Shape:
    """A share on the first day, within an hour, the rest evenly since."""
    return lambda chance: days + chance.random() / 24 if chance.random() < share else chance.uniform(0, days)


SHAPES = {
    "1000 days": even(1000),
    "10 years": even(3650),
    "one month": even(30),
    "growing for 3 years": growing(1095, 4),
    "growing for 8 years": growing(2920, 6),
    "a quarter imported": imported(800, 0.25),
}


def read(shape: Shape, number: int, latency: float, *, exact: bool) -> Cost:
    """What a full read costs, of contacts whose ages in days follow a shape."""
    chance = random.Random(5)
    times = [NOW - int(shape(chance) * DAY) for _ in range(number)]
    cost = read_at(
        ScanPlanner(ScanScope(CONTACTS, "created_at", now=NOW, exact=exact)),
        Records(times, None if exact else CALIFORNIA),
        latency=latency,
    )
    assert len(cost.delivered) == len(set(cost.delivered)) == number
    return cost


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(("latency", "requests", "seconds"), [(0.1, 1.02, 1.04), (0.5, 1.03, 1.07), (2.0, 1.05, 1.15)])
def test_a_read_at_any_latency_takes_little_more_than_its_pages(
    latency: float, requests: float, seconds: float, exact: bool
) -> None:
    cost = read(SHAPES["1000 days"], 30_000, latency, exact=exact)
    assert cost.requests <= 200 * requests
    assert cost.seconds <= 200 / 10 * seconds


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_however_the_contacts_came_a_read_at_half_a_second_keeps_close_to_its_floor(shape: str, exact: bool) -> None:
    cost = read(SHAPES[shape], 15_000, 0.5, exact=exact)
    slow = not exact and shape == "a quarter imported"  # a day cannot be cut: its 26 pages come two at a time
    assert cost.requests <= 100 * 1.15
    assert cost.seconds <= 100 / 10 * (1.4 if slow else 1.2)


@pytest.mark.parametrize("number", [0, 1, 150, 151, 1_000, 100_000])
def test_a_read_of_any_size_keeps_close_to_its_pages_when_answers_are_quick(number: int) -> None:
    pages = max(ceil(number / PAGE), 1)
    assert read(SHAPES["growing for 3 years"], number, 0.1, exact=False).requests <= pages * 1.02 + 1
