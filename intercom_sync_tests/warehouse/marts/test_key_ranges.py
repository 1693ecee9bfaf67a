"""Buckets: every customer lies in one of them, and what is read in their order lies in the same one."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from intercom_sync.warehouse.marts import key_ranges as module
from intercom_sync.warehouse.marts.key_ranges import Frames, KeyRanges, key_ranges
from intercom_sync.warehouse.postgres.session import Session

Connect = Callable[[], Session]
_KEYS = ["a@x.de", "a{b}@x.de", "it's@x.de", "m@x.de", "zoë@x.de", "ä@x.de"]
_CUT = KeyRanges(["a{b}@x.de", "it's@x.de", "n@x.de", "o@x.de"])


def _land(session: Session, keys: list[str]) -> None:
    session.stage("email_keys", pl.DataFrame({"email": keys}))
    session.execute(
        "INSERT INTO intercom_contacts (id, email, created_at, updated_at, payload) "
        "SELECT email, email, now(), now(), '{}'::json FROM email_keys"
    )


def _ranged(session: Session, cut: KeyRanges = _CUT) -> Iterator[Frames]:
    for bucket in cut:
        bucket.bind(session)
        yield (session.frame(f"SELECT email_key FROM intercom_contacts WHERE {bucket.condition('email_key')}"),)


def _sorted(session: Session, cut: KeyRanges = _CUT, part: str = "TRUE") -> Iterator[Frames]:
    return ((rows,) for rows in cut.rows(session, f"SELECT email_key FROM intercom_contacts WHERE {part}"))


@pytest.mark.parametrize("batch", [1, 2, 50_000])
@pytest.mark.parametrize("parallel", [True, False])
def test_what_is_read_in_one_pass_lies_in_the_bucket_whose_range_holds_its_key(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, batch: int, parallel: bool
) -> None:
    monkeypatch.setattr(module, "_BATCH_ROWS", batch)
    with connect() as session:
        with session.transaction():
            _land(session, _KEYS)
        with session.transaction(), _CUT.iter_prefetched(session, [_ranged, _sorted], parallel_reads=parallel) as found:
            pairs = [(sorted(ranged["email_key"]), sorted(one["email_key"])) for ranged, one in found]
    assert [one for _, one in pairs] == [ranged for ranged, _ in pairs]
    assert sorted(key for _, one in pairs for key in one) == _KEYS
    assert len(pairs) == 5


@pytest.mark.parametrize("parallel", [True, False])
def test_what_a_transaction_wrote_itself_is_only_read_by_its_own_session(connect: Connect, parallel: bool) -> None:
    with connect() as session, session.transaction():
        _land(session, _KEYS)
        with _CUT.iter_prefetched(session, [_sorted], parallel_reads=parallel) as found:
            assert sum(rows.height for (rows,) in found) == (0 if parallel else len(_KEYS))


def test_the_parts_of_a_table_hold_every_row_once_though_others_move_them_meanwhile(connect: Connect) -> None:
    with connect() as session, connect() as other:
        with other.transaction():
            _land(other, [f"user{number}@x.de" for number in range(900)])
        with session.transaction():
            first, second = _CUT.parts(session, "intercom_contacts")
            moment = session.export_snapshot()
            with session.open_at_snapshot(moment) as reader:
                keys = [key for (rows,) in _sorted(reader, part=second) for key in rows["email_key"]]
            with other.transaction():
                other.execute("UPDATE intercom_contacts SET name = 'moved'")
            with session.open_at_snapshot(moment) as reader:
                keys += [key for (rows,) in _sorted(reader, part=first) for key in rows["email_key"]]
    assert len(keys) == len(set(keys)) == 900


def test_an_error_while_a_bucket_is_read_ahead_reaches_whoever_works_on_them(connect: Connect) -> None:
    def broken(reader: Session) -> Iterator[Frames]:
        yield (reader.frame("SELECT 1 AS one"),)
        raise LookupError

    with (
        connect() as session,
        session.transaction(),
        _CUT.iter_prefetched(session, [broken], parallel_reads=True) as found,
    ):
        next(found)
        with pytest.raises(LookupError):
            next(found)


def _until(session: Session, found: str) -> None:
    there = False
    while not there:
        with session.transaction():  # one of its own each time: what it was first shown, a transaction is shown again
            there = session.value(f"SELECT count(*) > 0 FROM pg_stat_activity WHERE {found}")
        time.sleep(0.02)


def test_where_another_program_waits_for_a_table_the_transaction_reads_by_itself(connect: Connect) -> None:
    """Otherwise a parallel session would wait for that program, and the transaction for the parallel session."""
    alter = "ALTER TABLE intercom_contacts ADD COLUMN theirs text"
    with ThreadPoolExecutor(1) as threads, connect() as session, connect() as theirs, connect() as watcher:
        with session.transaction():
            _land(session, _KEYS)
        with session.transaction():
            backend = theirs.value("SELECT pg_backend_pid()")
            session.value("SELECT count(*) FROM intercom_contacts")
            waiting = threads.submit(theirs.execute, alter)
            _until(watcher, f"pid = {backend} AND wait_event_type = 'Lock'")
            with _CUT.iter_prefetched(session, [_ranged, _sorted], parallel_reads=True) as found:
                assert sum(rows.height for _, rows in found) == len(_KEYS)
        waiting.result(timeout=30)


def test_whoever_stops_early_does_not_wait_for_what_is_being_read_ahead(connect: Connect) -> None:
    def slow(reader: Session) -> Iterator[Frames]:
        yield (reader.frame("SELECT 1 AS one"),)
        yield (reader.frame("SELECT pg_sleep(3600)::text"),)

    def stop_early(session: Session, watcher: Session) -> None:
        with session.transaction(), _CUT.iter_prefetched(session, [slow], parallel_reads=True) as found:
            next(found)
            _until(watcher, "wait_event = 'PgSleep' AND query LIKE '%3600%'")
            raise KeyboardInterrupt

    with connect() as session, connect() as watcher:
        with pytest.raises(KeyboardInterrupt):
            stop_early(session, watcher)
        assert session.value("SELECT 1") == 1


def test_a_session_beside_that_dies_when_all_is_read_is_no_loss(connect: Connect) -> None:
    pids: list[int] = []

    def told(reader: Session) -> Iterator[Frames]:
        pids.append(reader.value("SELECT pg_backend_pid()"))
        yield (reader.frame("SELECT 1 AS one"),)

    with connect() as session, session.transaction():
        with _CUT.iter_prefetched(session, [told], parallel_reads=True) as found:
            assert len(list(found)) == 1
            assert session.value(f"SELECT pg_terminate_backend({pids[0]}, 10000)")
        _land(session, _KEYS)
        assert session.value("SELECT count(*) FROM intercom_contacts") == len(_KEYS)


def test_more_contacts_than_a_bucket_takes_are_cut_into_buckets_of_about_that(connect: Connect) -> None:
    with connect() as session, session.transaction():
        session.execute(
            "INSERT INTO intercom_contacts (id, email, created_at, updated_at, payload) "
            "SELECT 'c' || i, 'user' || i || '@example.com', now(), now(), '{}'::json FROM generate_series(1, 60000) i"
        )
        keys = "SELECT count(*) FROM intercom_contacts WHERE "
        held = []
        for bucket in key_ranges(session):
            bucket.bind(session)
            held.append(session.value(keys + bucket.condition("email_key")))
    assert sum(held) == 60_000
    assert max(held) < 30_000


def test_where_nobody_is_there_is_one_bucket_without_end(connect: Connect) -> None:
    with connect() as session, session.transaction():
        assert [bucket.condition("email_key") for bucket in key_ranges(session)] == ["TRUE"]
