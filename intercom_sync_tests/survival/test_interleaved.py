"""A full sync's deletions and another sync's publishing, interleaved step by step: the tables of some serial order."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg2
import pytest

from intercom_sync_tests.survival.reference_run import SchemaPair, schema_pair
from intercom_sync_tests.survival.serial_orders import sync_serially
from intercom_sync_tests.survival.steps import Order, sync

_TIMEOUT_SECONDS = 60
_ROW = (
    "SELECT intercom_convos_total, mentioned_cancel, intercom_deleted_at IS NOT NULL FROM unified_customers "
    "WHERE email = 'leaver@example.com'"
)
_IS_DELETING = (
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
    "AND query LIKE '%DELETE FROM intercom_contacts%')"
)
_CONVERSATIONS_LEFT = (
    "SELECT count(*) FROM intercom_conversations v JOIN intercom_contacts c ON c.id = ANY (v.contact_ids) "
    "WHERE c.email_key = 'leaver@example.com'"
)


@pytest.fixture
def both(database_url: str) -> Iterator[SchemaPair]:
    """A workspace whose first full sync both schemas have had, with a customer who then writes and is deleted."""
    with schema_pair(database_url, 7, 20) as made:
        world = made.random_edits.world
        world.add_contact({"email": "leaver@example.com"})
        leaver = max(world.people)
        world.add_talk([leaver], "user", "<p>Good morning</p>", age=0, counted=True)
        world.now += 60
        first = made.order("first", full=True)
        sync(first)
        made.sync_clean(first)
        world.now += 3_600
        world.add_talk([leaver], "user", "<p>We want to cancel</p>", age=0, counted=True)
        world.add_talk([leaver], "user", "<p>Where is my invoice?</p>", age=0, counted=True)
        world.delete_talk(_first_of(made, leaver))
        world.archive(leaver)
        world.now += 60
        yield made


def _first_of(both: SchemaPair, contact: str) -> str:
    return min(
        (name for name, talk in both.random_edits.world.talks.items() if contact in str(talk["contacts"])), key=int
    )


def _until(seen: Callable[[], bool]) -> None:
    end = time.monotonic() + _TIMEOUT_SECONDS
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.01)


def _orders(both: SchemaPair) -> tuple[Order, Order]:
    now = both.random_edits.world.now
    return both.order("full", full=True), both.order("window", start=now - 7_200, end=now)


def test_a_window_that_commits_before_the_deletion_is_another_serial_order(both: SchemaPair) -> None:
    """The deleted customer keeps what the window wrote, as if the window had run before the full sync."""
    full, window = _orders(both)
    sync(full, lambda step: sync(window) and None if step == "extract" else None)
    assert both.disturbed.query(_ROW) == [(3, True, True)]
    assert sync_serially(both, [full, window]) == {}


def test_a_window_that_commits_after_the_deletion_is_another_serial_order(both: SchemaPair) -> None:
    full, window = _orders(both)
    sync(full, lambda step: sync(window) and None if step == "revenue" else None)
    assert both.disturbed.query(_ROW) == [(1, False, True)]
    assert sync_serially(both, [full, window]) == {}


def test_a_window_that_publishes_what_a_full_sync_has_landed_so_far_costs_nobody_else(both: SchemaPair) -> None:
    """No order of the two syncs leaves what the deleted customer keeps; only that customer shows it.

    A second connection holds the leaving contact's row: its conversation is deleted, then the window publishes, then
    the contact is deleted.
    """
    full, window = _orders(both)
    ((contact,),) = both.disturbed.query("SELECT id FROM intercom_contacts WHERE email_key = 'leaver@example.com'")
    deleting = threading.Thread(target=sync, args=(full,))
    with closing(psycopg2.connect(both.url, options=f"-c search_path={both.schemas[0]}")) as holder:

        def start_deleting(step: str) -> None:
            if step == "customers":
                with holder.cursor() as cursor:
                    cursor.execute("SELECT FROM intercom_contacts WHERE id = %s FOR UPDATE", (contact,))
                deleting.start()
                _until(lambda: both.disturbed.value(_IS_DELETING) and both.disturbed.value(_CONVERSATIONS_LEFT) == 2)

        sync(window, start_deleting)
    deleting.join(_TIMEOUT_SECONDS)
    assert both.disturbed.query(_ROW) == [(2, True, True)]
    assert sync_serially(both, [full, window]) == {}


@pytest.mark.parametrize("wrong", ["intercom_convos_total = 9", "mrr = 9"])
def test_a_difference_that_no_sync_has_published_is_found(both: SchemaPair, wrong: str) -> None:
    """The comparison itself: a deleted customer may keep nothing but what some sync has published."""
    full, window = _orders(both)
    sync(full)
    sync(window)
    both.disturbed.query(f"UPDATE unified_customers SET {wrong} WHERE email = 'leaver@example.com'")
    assert set(sync_serially(both, [full, window])) == {"unified_customers"}
