"""Forgetting waits for whoever is at work, so that nobody brings back what it erased."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from intercom_sync.domain.contacts import parse_contact
from intercom_sync.domain.parse_records import parse_records
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.rules import Rules
from intercom_sync.pipeline.compute import revalidate_rejected
from intercom_sync.sandbox.builders import contact
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.landing.land_contacts import LandingContext, land_contacts
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.privacy.drop_suppressed import drop_suppressed
from intercom_sync.warehouse.privacy.erase_person import erase_person

_EMAIL = "zelda@example.org"
_RULES = Rules()
_STAMP = LandingContext("run", datetime(2026, 6, 1, tzinfo=UTC), _RULES)
_A_MOMENT = 0.5
Connect = Callable[[], Session]


def _take_in(session: Session, *records: Any) -> None:
    kept = drop_suppressed(session, RecordKind.CONTACT, list(records))
    land_contacts(session, parse_records(kept, partial(parse_contact, rules=_RULES)), _STAMP)


def _forget(connect: Connect) -> dict[str, int]:
    with connect() as session:
        return erase_person(session, _EMAIL)


def _must_wait(under_way: Future[dict[str, int]]) -> None:
    time.sleep(_A_MOMENT)
    assert not under_way.done()


def test_a_page_that_is_landing_lands_first_and_is_erased(connect: Connect) -> None:
    with ThreadPoolExecutor(1) as threads, connect() as session:
        with session.transaction():
            _take_in(session, contact(id="z1", email=_EMAIL))
            under_way = threads.submit(_forget, connect)
            _must_wait(under_way)
        assert under_way.result(timeout=30)["intercom_contacts"] == 1
        assert session.value("SELECT count(*) FROM intercom_contacts") == 0


def test_a_page_that_was_read_before_lands_afterwards_without_them(connect: Connect) -> None:
    page = [contact(id="z1", email=_EMAIL.upper()), contact(id="b1", email="bob@example.com"), None, 7]
    _forget(connect)
    with connect() as session:
        with session.transaction():
            _take_in(session, *page)
        assert list(session.frame("SELECT id FROM intercom_contacts")["id"]) == ["b1"]
        assert session.value("SELECT count(*) FROM rejected_records") == 2


@pytest.mark.parametrize("table", ["unified_customers", "revenue_metrics", "support_metrics"])
def test_a_table_that_is_being_written_is_waited_for(connect: Connect, table: str) -> None:
    with ThreadPoolExecutor(1) as threads, connect() as session:
        with session.transaction():
            session.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
            under_way = threads.submit(_forget, connect)
            _must_wait(under_way)
        assert under_way.result(timeout=30)


def test_alerts_on_their_way_to_slack_are_waited_for(connect: Connect) -> None:
    with ThreadPoolExecutor(1) as threads:
        with connect() as deliverer:
            assert outbox.try_lock(deliverer)
            under_way = threads.submit(_forget, connect)
            _must_wait(under_way)
        assert under_way.result(timeout=30)
    with connect() as next_one:
        assert outbox.try_lock(next_one)


def test_a_refused_contact_is_not_judged_good_again_once_forgotten(connect: Connect) -> None:
    bad = contact(id="z1", email=_EMAIL, custom_attributes={"stripe_subscription_status": "dormant"})
    with connect() as session:
        with session.transaction():
            _take_in(session, bad)
        assert session.value("SELECT count(*) FROM rejected_records") == 1
        assert _forget(connect)["rejected_records"] == 1
        revalidate_rejected(session, LandingContext("run", _STAMP.as_of, Rules(statuses=("dormant",))))
        assert session.value("SELECT count(*) FROM intercom_contacts") == 0


def test_when_it_fails_nothing_is_erased_and_nobody_is_on_the_list(connect: Connect) -> None:
    with connect() as session:
        with session.transaction():
            _take_in(session, contact(id="z1", email=_EMAIL))
            session.execute("ALTER TABLE revenue_metrics RENAME contact_id TO another")
        with pytest.raises(Exception, match="contact_id"):
            _forget(connect)
        assert session.value("SELECT count(*) FROM intercom_contacts") == 1
        assert session.value("SELECT count(*) FROM suppression_list") == 0
