"""The same edits read by windows in any order, again, at once or as one envelope: the same tables in the end."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from intercom_sync.pipeline.run_plan import RunRequest
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.model.corruptions import CONTACT_CORRUPTIONS, CONVERSATION_CORRUPTIONS
from intercom_sync_tests.model.fixtures import syncs, tables
from intercom_sync_tests.model.harness import WINDOW, Harness, instant
from intercom_sync_tests.model.pool import Pool
from intercom_sync_tests.model.store import Store
from intercom_sync_tests.model.words import BODIES, EMAILS
from intercom_sync_tests.model.world import START, World

WINDOWS = 30
EVERY = range(WINDOWS)
HUNDRED = 100
_TABLES = ("intercom_contacts", "intercom_conversations", "intercom_messages", "revenue_metrics", "support_metrics")
_BY_RUN = ("landed_at", "revision", "run", "time")


def lived() -> World:
    """Thirty windows of life: everything that can be told apart by its version, some of it broken."""
    chance = random.Random(5)
    world = World("America/St_Johns", 0)
    for _ in range(150):
        world.now += chance.randrange(1, 18 * WINDOWS * WINDOW // 1_510)
        if len(world.people) < 12 or chance.random() < 0.1:
            world.add_contact({"email": chance.choice([*EMAILS, f"p{world.now}@example.com", None])})
        person = chance.choice(sorted(world.people))
        paid = [{"status": "active", "plan": {"amount": chance.randrange(90_000), "interval": "month"}}]
        fields = {
            "email": chance.choice([*EMAILS, f"p{person[-2:]}@example.com"]),
            "custom_attributes": {"Stripe Subscriptions": paid},
        }
        corrupt = chance.choice([chance.choice(CONTACT_CORRUPTIONS), *[None] * 5])
        world.change_contact(person, fields if chance.random() < 0.5 else {}, corrupt)
        if chance.random() < 0.3:
            world.add_talk([person], "user", chance.choice([*BODIES]), age=0, counted=chance.random() < 0.5)
        if world.talks and chance.random() < 0.6:
            talk = chance.choice(sorted(world.talks))
            world.reply(talk, chance.choice(["user", "admin"]), chance.choice([*BODIES]), "comment")
            world.rate(chance.choice(sorted(world.talks)), chance.randrange(1, 6), named=True)
            world.change_talk(
                chance.choice(sorted(world.talks)), {}, chance.choice([*CONVERSATION_CORRUPTIONS, None, None, None])
            )
    assert world.now < START + WINDOWS * WINDOW
    world.now = START + HUNDRED * WINDOW
    return world


def window(number: int, many: int = 1) -> RunRequest:
    return RunRequest(start=instant(START + number * WINDOW), end=instant(START + (number + many) * WINDOW))


def _have_synced_before(harness: Harness) -> None:
    """Note a full sync of the workspace when it was empty: the first sync would read everything."""
    with harness.connect() as session, session.transaction():
        session.execute(
            "INSERT INTO sync_runs (run_id, mode, status, as_of, window_start, window_end, started_at, finished_at) "
            "VALUES ('the first', 'full', 'succeeded', $1, 'epoch', $1, $1, $1)",
            instant(START),
        )


def _one_by_one(harness: Harness, order: list[int]) -> None:
    for number in order:
        harness.attempt(window(number))


def _skipping(harness: Harness) -> None:
    _one_by_one(harness, [*range(0, WINDOWS, 2), *range(1, WINDOWS, 2)])


def _again(harness: Harness) -> None:
    order = [*EVERY, *random.Random(1).choices(EVERY, k=10)]
    random.Random(2).shuffle(order)
    _one_by_one(harness, order)


def _at_once(harness: Harness) -> None:
    with ThreadPoolExecutor(6) as threads:
        runs = [threads.submit(harness.attempt, window(number), same=f"at-once-{number}") for number in EVERY]
    for run in runs:
        run.result()


def _ten_at_once(harness: Harness) -> None:
    with ThreadPoolExecutor(10) as threads:
        runs = [threads.submit(harness.attempt, window(n, 5), same=f"ten-{n}") for n in range(0, WINDOWS, 3)]
    for run in runs:
        run.result()


WAYS: dict[str, Callable[[Harness], object]] = {
    "one after another": lambda harness: _one_by_one(harness, [*EVERY]),
    "backwards": lambda harness: _one_by_one(harness, [*reversed(EVERY)]),
    "skipping and coming back": _skipping,
    "again and shuffled": _again,
    "at once": _at_once,
    "ten overlapping envelopes at once": _ten_at_once,
    "in full": lambda harness: harness.attempt(RunRequest(full=True)),
    "in full, and every window again": lambda harness: (harness.attempt(RunRequest(full=True)), _again(harness)),
}


@pytest.fixture(scope="module")
def world() -> World:
    return lived()


@pytest.fixture(scope="module")
def wanted() -> dict[str, Any]:
    """The tables of one envelope, once for all tests of this module."""
    return {}


@pytest.fixture
def opened(connect: Callable[[], Session], database_url: str, schema: str) -> Iterator[tuple[Pool, Store]]:
    with tables(database_url, schema) as both:
        yield both


def _state(store: Store) -> dict[str, Any]:
    """What stands in the tables, but for which run wrote it and when."""
    state: dict[str, Any] = {name: _rows(store, name) for name in _TABLES}
    state["customers"] = {key: row | {"last_intercom_sync": None} for key, row in store.customers().items()}
    timeless = "SELECT kind, id, reason, field FROM rejected_records WHERE updated_at IS NOT NULL ORDER BY kind, id"
    return state | {"rejected": store.query(timeless)}


def _rows(store: Store, name: str) -> list[Any]:
    return [row for (row,) in store.query(f"SELECT to_jsonb(t) - %s::text[] FROM {name} t ORDER BY 1", [*_BY_RUN])]


@pytest.mark.parametrize("way", WAYS)
def test_windows_in_any_order_end_in_the_tables_of_a_hundred_read_as_one(
    world: World, wanted: dict[str, Any], opened: tuple[Pool, Store], way: str
) -> None:
    pool, store = opened
    if not wanted:
        with syncs(world, pool, store) as scene:
            _have_synced_before(scene.harness)
            scene.harness.attempt(window(0, HUNDRED))
            wanted |= _state(store)
        assert len(wanted["customers"]) > 5
        assert len(wanted["rejected"]) > 3
    with syncs(world, pool, store) as scene:
        _have_synced_before(scene.harness)
        WAYS[way](scene.harness)
        assert _state(store) == wanted
