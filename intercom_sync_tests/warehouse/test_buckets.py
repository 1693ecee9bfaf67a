"""Buckets: every customer lies in one of them, and what is staged in their order lies in the same one."""

from collections.abc import Callable

import polars as pl

from intercom_sync.warehouse.buckets import Buckets, buckets
from intercom_sync.warehouse.session import Session

Connect = Callable[[], Session]
_KEYS = ["a@x.de", "a{b}@x.de", "it's@x.de", "m@x.de", "zoë@x.de", "ä@x.de"]


def test_a_staged_row_is_found_in_the_bucket_whose_range_holds_its_key(connect: Connect) -> None:
    with connect() as session, session.transaction():
        session.stage("email_keys", pl.DataFrame({"email_key": _KEYS}))
        cut = Buckets(["a{b}@x.de", "it's@x.de", "n@x.de"])
        cut.stage(session, "staged_keys", "SELECT email_key FROM email_keys")
        ranged = [session.frame(f"SELECT email_key FROM email_keys WHERE {b.holds('email_key')}") for b in cut]
        staged = [session.frame(f"SELECT email_key FROM staged_keys WHERE {b.staged}") for b in cut]
    assert [set(one["email_key"]) for one in staged] == [set(one["email_key"]) for one in ranged]
    assert sorted(pl.concat(staged)["email_key"]) == _KEYS


def test_more_than_fifty_thousand_contacts_are_cut_into_buckets_of_about_that(connect: Connect) -> None:
    with connect() as session, session.transaction():
        session.execute(
            "INSERT INTO intercom_contacts (id, email, created_at, updated_at, payload) "
            "SELECT 'c' || i, 'user' || i || '@example.com', now(), now(), '{}'::json FROM generate_series(1, 120000) i"
        )
        keys = "SELECT count(*) FROM intercom_contacts WHERE "
        held = [session.value(keys + bucket.holds("email_key")) for bucket in buckets(session)]
    assert sum(held) == 120_000
    assert max(held) < 60_000


def test_where_nobody_is_there_is_one_bucket_without_end(connect: Connect) -> None:
    with connect() as session, session.transaction():
        assert [bucket.holds("email_key") for bucket in buckets(session)] == ["TRUE"]
