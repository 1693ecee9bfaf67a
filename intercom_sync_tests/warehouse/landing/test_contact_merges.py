"""Whom an id stands for: itself while it is landed, else the contact that took it in, over at most three merges."""

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

import pytest

from intercom_sync.warehouse.landing import contact_merges
from intercom_sync.warehouse.postgres.session import Session

Connect = Callable[[], Session]
_LAND = (
    "INSERT INTO intercom_contacts (id, email, created_at, updated_at, payload) "
    "VALUES ($1, $2, now(), now(), '{}'::json)"
)


def _stands_for(connect: Connect, landed: Iterable[str], *noted: Mapping[str, str]) -> dict[str, str]:
    """The ids that stand for another contact, with that one."""
    with connect() as session, session.transaction():
        for name in landed:
            session.execute(_LAND, name, f"{name}@Example.com")
        for one in noted:
            contact_merges.record(session, one)
        contact_merges.create_merge_map(session)
        found = session.frame("SELECT id, contact_id FROM merged_away").rows()
    assert len(found) == len({name for name, _ in found})
    return dict(found)


def test_an_id_that_is_gone_stands_for_the_contact_that_took_it_in(connect: Connect) -> None:
    assert _stands_for(connect, "bc", {"a": "b"}) == {"a": "b"}


@pytest.mark.parametrize(("chain", "stands_for"), [("ab", "b"), ("abc", "c"), ("abcd", "d"), ("abcde", None)])
def test_three_merges_are_followed_and_no_more(connect: Connect, chain: str, stands_for: str | None) -> None:
    last = chain[-1]
    noted = dict(pairwise(chain))
    assert _stands_for(connect, last, noted).get("a") == stands_for


def test_a_landed_contact_stands_for_itself_whatever_a_merge_says(connect: Connect) -> None:
    assert _stands_for(connect, "ab", {"a": "b"}) == {}
    assert _stands_for(connect, "", {"c": "a"}) == {"c": "a"}


def test_one_that_was_merged_into_nobody_known_stands_for_nobody(connect: Connect) -> None:
    assert _stands_for(connect, "b", {"a": "x", "y": "a"}) == {}


def test_merges_in_a_circle_or_into_itself_end(connect: Connect) -> None:
    assert _stands_for(connect, "d", {"a": "b", "b": "a", "c": "c"}) == {}


def test_the_merge_noted_last_counts(connect: Connect) -> None:
    assert _stands_for(connect, "bc", {"a": "b"}, {}, {"a": "c"}) == {"a": "c"}
