"""Records land in any order and leave the same tables: the newest version wins, and a bad one takes no good one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from intercom_sync.domain.contacts import parse_contact
from intercom_sync.domain.conversations import parse_conversation
from intercom_sync.domain.parse_records import parse_records
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.window import Window
from intercom_sync.pipeline.compute import compute_revenue
from intercom_sync.pipeline.conversation_parts import land_with_pending_parts
from intercom_sync.sandbox.builders import author, contact, conversation, message, subscription
from intercom_sync.warehouse.landing.land_contacts import LandingContext, land_contacts
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state.runs import SyncRun

_RULES = Rules()
_BASE = 1_780_000_000
_STAMP = LandingContext("run", datetime.fromtimestamp(_BASE + 100, UTC), _RULES)
_numbers = count(1)
_any_order = settings(max_examples=25)

# Versions of one record, each good or bad, in the order of their times; and the pages they come in, in any order.
_versions = st.lists(st.booleans(), min_size=1, max_size=5)


@st.composite
def _arrivals(draw: st.DrawFn) -> tuple[list[bool], list[list[int]]]:
    good = draw(_versions)
    order = draw(st.permutations(range(len(good))))
    again = draw(st.lists(st.sampled_from(range(len(good))), max_size=2))
    pages: list[list[int]] = [[]]
    for at in [*order, *again]:
        pages[-1].append(at)
        if draw(st.booleans()):
            pages.append([])
    return good, pages


def _expected(good: list[bool]) -> tuple[int | None, int | None]:
    """The version that is in play and the one among the refused, by number."""
    newest_good = max((at for at, is_good in enumerate(good) if is_good), default=None)
    newest = len(good) - 1
    return newest_good, None if good[newest] else newest


def _stands(session: Session, kind: str, id: str) -> tuple[int | None, int | None]:
    with session.transaction():
        landed = session.value(f"SELECT extract(epoch FROM updated_at)::bigint FROM intercom_{kind}s WHERE id = $1", id)
        refused = session.value(
            "SELECT extract(epoch FROM updated_at)::bigint FROM rejected_records WHERE kind = $1 AND id = $2", kind, id
        )
    return tuple(None if one is None else one - _BASE for one in (landed, refused))


@_any_order
@given(arrivals=_arrivals())
def test_versions_of_a_contact_leave_the_same_in_any_order(
    connect: Callable[[], Session], arrivals: tuple[list[bool], list[list[int]]]
) -> None:
    good, pages = arrivals
    id = f"c{next(_numbers)}"

    def version(at: int) -> Any:
        broken = {} if good[at] else {"last_seen_at": "never"}
        return contact(id=id, name=f"Version {at}", created_at=_BASE - 9, updated_at=_BASE + at, **broken)

    with connect() as session:
        for page in pages:
            with session.transaction():
                sifted = parse_records(map(version, page), partial(parse_contact, rules=_RULES))
                land_contacts(session, sifted, _STAMP)
        assert _stands(session, "contact", id) == _expected(good)
        in_play = _expected(good)[0]
        name = session.value("SELECT name FROM intercom_contacts WHERE id = $1", id)
        assert name == (None if in_play is None else f"Version {in_play}")


@_any_order
@given(arrivals=_arrivals())
def test_versions_of_a_conversation_leave_the_same_in_any_order_its_words_included(
    connect: Callable[[], Session], arrivals: tuple[list[bool], list[list[int]]]
) -> None:
    good, pages = arrivals
    id = f"t{next(_numbers)}"

    def version(at: int) -> Any:
        source = message(author=author(id="c1"), body=f"<p>Version {at}</p>")
        made = conversation(id=id, source=source, created_at=_BASE - 9, updated_at=_BASE + at)
        return made if good[at] else made | {"contacts": "nobody"}

    with connect() as session:
        for page in pages:
            with session.transaction():
                land_with_pending_parts(session, parse_records(map(version, page), parse_conversation), _STAMP)
        assert _stands(session, "conversation", id) == _expected(good)
        in_play = _expected(good)[0]
        said = session.value("SELECT text FROM intercom_messages WHERE conversation_id = $1", id)
        assert said == (None if in_play is None else f"Version {in_play}")


def test_at_the_same_version_the_later_fetch_wins_and_the_same_again_is_no_change(
    connect: Callable[[], Session],
) -> None:
    seen = []
    with connect() as session:
        for name in ("First", "Second", "Second"):
            one = contact(id="c1", external_id="u-1", email="a@b", name=name, updated_at=_BASE, created_at=_BASE)
            with session.transaction():
                land_contacts(session, parse_records([one], partial(parse_contact, rules=_RULES)), _STAMP)
            seen.append(session.frame("SELECT name, revision, landed_at FROM intercom_contacts").row(0))
    assert [row[0] for row in seen] == ["First", "Second", "Second"]
    assert seen[0][1] < seen[1][1]
    assert seen[1] == seen[2]


def test_a_contact_lands_with_its_revenue_and_is_not_parsed_again(connect: Callable[[], Session]) -> None:
    now = _STAMP.as_of
    run = SyncRun("run", now, Window(now - timedelta(hours=6), now), full=True, started_at=now)
    query = (
        "SELECT r.mrr::int AS mrr, r.revision = c.revision AS current, r.rules_hash FROM revenue_metrics r "
        "JOIN intercom_contacts c ON c.id = r.contact_id"
    )

    def land(session: Session, dollars: int, version: int) -> None:
        stripe = {"Stripe Subscriptions": [subscription(amount=100 * dollars, interval="month")]}
        one = contact(id="c1", updated_at=_BASE + version, created_at=_BASE, custom_attributes=stripe)
        with session.transaction():
            land_contacts(session, parse_records([one], partial(parse_contact, rules=_RULES)), _STAMP)

    with connect() as session:
        for dollars, version, kept in ((20, 1, 20), (30, 2, 30), (30, 2, 30), (10, 1, 30)):
            land(session, dollars, version)
            assert session.frame(query).rows() == [(kept, True, _RULES.contact_rules_hash())]
        assert compute_revenue(session, run, _RULES) == 0
        assert compute_revenue(session, run, Rules(statuses=("active",))) == 1
        with session.transaction():
            session.execute("DELETE FROM intercom_contacts")
        assert compute_revenue(session, run, _RULES) == 0
        assert session.value("SELECT count(*) FROM revenue_metrics") == 0
