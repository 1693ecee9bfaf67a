"""Extractions in progress: that of a dead run is taken over, that of a living run never."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.window import Window
from intercom_sync.warehouse.landing import delete_unseen
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import extractions
from intercom_sync.warehouse.state.extractions import ExtractionLease
from intercom_sync.warehouse.state.runs import SyncRun

_NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
Connect = Callable[[], Session]


def _run(name: str, full: bool = True, hours: int = 6) -> SyncRun:
    return SyncRun(name, _NOW, Window(_NOW - timedelta(hours=hours), _NOW), full=full, started_at=_NOW)


Lease = Callable[[str], ExtractionLease]


@pytest.fixture
def lease(connect: Connect) -> Iterator[Lease]:
    """Return the lease of each run by its name."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(ExtractionLease(connect)))


def test_a_living_runs_reading_is_left_alone(connect: Connect, lease: Lease) -> None:
    assert lease("one").acquire(_run("one")) == "one"
    assert lease("two").acquire(_run("two")) == "two"


def test_a_dead_runs_reading_is_taken_over_with_its_ids_and_marks(connect: Connect, lease: Lease) -> None:
    lease("one").acquire(_run("one"))
    with connect() as session, session.transaction():
        extractions.record_seen_ids(session, "one", RecordKind.CONTACT, ["c1", "c2", "c1"])
        extractions.record_checkpoint(session, "one", RecordKind.CONTACT, {"walk": "0", "position": 7})
    lease("one").release()
    assert lease("two").acquire(_run("two")) == "one"
    with connect() as session:
        assert extractions.extraction_of_run(session, "two") == "one"
        assert extractions.extraction_of_run(session, "one") == "one"
        assert extractions.checkpoints(session, "one", RecordKind.CONTACT) == [{"walk": "0", "position": 7}]
        assert session.value("SELECT count(*) FROM sync_seen_ids") == 2


def test_the_same_run_takes_its_own_reading_again(connect: Connect, lease: Lease) -> None:
    """A step that Dagster tries again, in the same process."""
    assert lease("one").acquire(_run("one")) == "one"
    assert lease("one").acquire(_run("one")) == "one"


@pytest.mark.parametrize("other", [_run("two", full=False), _run("two", full=False, hours=12)])
def test_another_scope_is_another_reading(connect: Connect, lease: Lease, other: SyncRun) -> None:
    first = _run("one", full=not other.full or other.window.end - other.window.start > timedelta(hours=6))
    lease("one").acquire(first)
    lease("one").release()
    assert lease("two").acquire(other) == "two"


def test_a_dead_reading_of_long_ago_is_dropped_and_a_living_one_is_not(connect: Connect, lease: Lease) -> None:
    lease("one").acquire(_run("one"))
    lease("two").acquire(_run("two", full=False))
    with connect() as session, session.transaction():
        session.execute("UPDATE sync_extractions SET started_at = started_at - interval '2 days'")
        extractions.record_seen_ids(session, "one", RecordKind.CONTACT, ["c1"])
        extractions.record_seen_ids(session, "two", RecordKind.CONTACT, ["c1"])
    lease("two").release()
    assert lease("three").acquire(_run("three", full=False)) == "three"
    with connect() as session:
        kept = session.frame("SELECT extraction_id FROM sync_extractions ORDER BY extraction_id")[
            "extraction_id"
        ].to_list()
        met = session.frame("SELECT extraction_id FROM sync_seen_ids")["extraction_id"].to_list()
    assert (kept, met) == (["one", "three"], ["one"])


def test_an_error_releases_the_lease(connect: Connect, lease: Lease) -> None:
    lease("one").acquire(_run("one"))
    with pytest.raises(KeyError), lease("one").release_on_error():
        raise KeyError
    assert lease("two").acquire(_run("two")) == "one"


def test_only_what_landed_before_a_full_reading_began_and_was_not_met_is_gone(connect: Connect, lease: Lease) -> None:
    land = "INSERT INTO intercom_contacts (id, created_at, updated_at, payload) VALUES ($1, now(), now(), '{}'::json)"
    with connect() as session:
        with session.transaction():
            for id in ("gone", "met"):
                session.execute(land, id)
        lease("one").acquire(_run("one"))
        with session.transaction():
            session.execute(land, "landed since")
            extractions.record_seen_ids(session, "one", RecordKind.CONTACT, ["met"])
            assert delete_unseen.delete_unseen(session, "one", RecordKind.CONTACT) == 1
        left = session.frame("SELECT id FROM intercom_contacts ORDER BY id")["id"].to_list()
    assert left == ["landed since", "met"]


def test_what_another_run_refused_since_a_full_reading_began_stays_refused(connect: Connect, lease: Lease) -> None:
    """The full one may have gone past it before it was there."""
    refuse = (
        "INSERT INTO rejected_records (kind, id, reason, field, run, time, rules_hash) "
        "VALUES ('contact', $1, 'broken', 'email', 'window', now(), 'rules')"
    )
    with connect() as session:
        with session.transaction():
            session.execute(refuse, "gone")
        lease("one").acquire(_run("one"))
        with session.transaction():
            session.execute(refuse, "refused since")
            delete_unseen.delete_unseen(session, "one", RecordKind.CONTACT)
        assert session.frame("SELECT id FROM rejected_records")["id"].to_list() == ["refused since"]


def test_a_run_whose_reading_another_took_over_begins_one_of_its_own(connect: Connect, lease: Lease) -> None:
    """A step that is tried again after a minute, in which another run of the same scope came by."""
    lease("one").acquire(_run("one"))
    lease("one").release()
    assert lease("two").acquire(_run("two")) == "one"
    again = lease("one").acquire(_run("one"))
    assert again != "one"
    assert extractions.started_by(again) == "one"
    with connect() as session:
        assert extractions.extraction_of_run(session, "one") == again
        assert extractions.extraction_of_run(session, "two") == "one"


def test_a_run_does_not_end_a_reading_that_another_took_over(connect: Connect, lease: Lease) -> None:
    lease("one").acquire(_run("one"))
    lease("one").release()
    assert lease("two").acquire(_run("two")) == "one"
    with connect() as session:
        with session.transaction():
            extractions.record_seen_ids(session, "one", RecordKind.CONTACT, ["c1"])
            extractions.finish(session, extractions.extraction_of_run(session, "one"), "one")
        assert session.value("SELECT count(*) FROM sync_seen_ids") == 1
        with session.transaction():
            extractions.finish(session, "one", "two")
        assert session.value("SELECT count(*) FROM sync_seen_ids") == 0


def test_a_reading_that_ended_between_look_and_lock_is_not_taken_over(connect: Connect) -> None:
    """Ten runs of one scope, each ending its reading at once: every one has a reading that is there."""

    def begin_and_end(name: str) -> None:
        for _ in range(20):
            with ExtractionLease(connect) as lease, connect() as session, session.transaction():
                reading = lease.acquire(_run(name))
                assert session.value("SELECT run_id FROM sync_extractions WHERE extraction_id = $1", reading) == name
                extractions.finish(session, reading, name)

    with ThreadPoolExecutor(6) as threads:
        for done in [threads.submit(begin_and_end, f"run-{number}") for number in range(6)]:
            done.result()
