"""Syncs at once, each in a process of its own: the tables of the same syncs in some order, and no alert sent twice."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from intercom_sync.warehouse.embedded.postgres_server import embedded_url
from intercom_sync_tests.homes import passing
from intercom_sync_tests.survival.killed_process import KilledSync, command, steps
from intercom_sync_tests.survival.reference_run import SchemaPair, schema_pair
from intercom_sync_tests.survival.serial_orders import sync_serially
from intercom_sync_tests.survival.state import BOOKS, differences, opened
from intercom_sync_tests.survival.steps import Order

_ASKED = os.environ.get("INTERCOM_SYNC_KILLS")
ROUNDS = int(_ASKED or 3)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(0 if _ASKED else 900)]


@pytest.fixture
def both(database_url: str) -> Iterator[SchemaPair]:
    with schema_pair(database_url, 23, 150, latency=0.005) as made:
        yield made


def _orders(both: SchemaPair, number: int) -> list[Order]:
    """What is done at once in a round: twice the same, a full one and a window, or all of these."""
    now = both.random_edits.world.now
    window = {"start": now - 30 * 3600, "end": now}
    ways: list[list[dict[str, object]]] = [
        [{"full": True}, window],
        [{}, {}],
        [{"full": True}, {"full": True}, {}, window],
        [window, {}],
    ]
    slack = both.slack.url
    return [
        both.order(f"{number}-{at}", slack=slack, per_page=5, **how) for at, how in enumerate(ways[number % len(ways)])
    ]


def _ends_well(syncs: list[KilledSync], log: Path) -> None:
    assert [killed_sync.wait() for killed_sync in syncs] == [0] * len(syncs), log.read_text()[-3000:]


def _alerts_told(both: SchemaPair) -> int:
    """How many alerts Slack was told of, those in digests counted by its own words."""
    told = 0
    for text, times in both.told().items():
        many = re.match(r"([\d,]+) alerts:", text)
        told += times * (int(many[1].replace(",", "")) if many else 1)
    return told


def test_syncs_at_once_leave_the_tables_of_one_and_tell_everything_once(both: SchemaPair, tmp_path: Path) -> None:
    log = tmp_path / "log"
    told = 0
    for number in range(ROUNDS):
        both.random_edits.edit_randomly(60)
        orders = _orders(both, number)
        syncs = []
        for order in orders:
            syncs.append(steps(order, log))
            time.sleep(both.random_edits.chance.uniform(0, 0.5))
        _ends_well(syncs, log)
        assert sync_serially(both, orders) == {}, orders
        both.deliver(orders[0])
        told += _alerts_told(both)
        assert both.disturbed.query("SELECT DISTINCT attempts, delivered_at IS NULL FROM customer_alerts") == [
            (1, False)
        ]
        assert told == both.disturbed.value("SELECT count(*) FROM customer_alerts")
        assert both.disturbed.books() == dict.fromkeys(BOOKS, 0)


def test_two_commands_at_once_on_a_home_where_nothing_is_yet(both: SchemaPair, tmp_path: Path) -> None:
    """The embedded server, its tables and Dagster's are made by whoever comes first."""
    log = tmp_path / "log"
    order = replace(both.order("both", full=True), schema="public")
    with passing(tmp_path / "home") as home:
        _ends_well([command(order, home, log, database=False) for _ in range(2)], log)
        both.sync_clean(order)
        with opened(embedded_url(home), "public") as state:
            assert differences(state.tables(), both.clean.tables()) == {}
            assert state.query("SELECT status, count(*) FROM sync_runs GROUP BY 1") == [("succeeded", 2)]
