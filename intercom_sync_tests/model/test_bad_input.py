"""Records of every wrong shape between good ones: refused with a reason or rightly ignored, and no good one is lost."""

import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from intercom_sync.pipeline.run_plan import RunRequest
from intercom_sync.sandbox import invalid_records
from intercom_sync.sandbox.builders import author, contact, conversation, message, part
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.schema.migrate import create_schema, prepare
from intercom_sync_tests.model.corruptions import CONTACT_CORRUPTIONS, CONVERSATION_CORRUPTIONS, JUNK
from intercom_sync_tests.model.fixtures import syncs, tables
from intercom_sync_tests.model.harness import instant
from intercom_sync_tests.model.pool import Pool
from intercom_sync_tests.model.shapes import CONTACT_WAYS, TALK_WAYS, Json, misshapen, replaced
from intercom_sync_tests.model.store import Store
from intercom_sync_tests.model.words import DAY
from intercom_sync_tests.model.world import START, World

_ASKED = os.environ.get("INTERCOM_SYNC_MODEL_EXAMPLES")
GOOD = 3
FULL, RECENT = RunRequest(full=True), RunRequest(start=instant(START - DAY), end=instant(START + DAY))


@pytest.fixture(scope="module")
def module_schema(database_url: str) -> Iterator[str]:
    name = f"m_{uuid4().hex[:12]}"
    create_schema(database_url, name)
    prepare(database_url, name)
    yield name
    with Session(database_url, name) as session, session.transaction():
        session.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture(scope="module")
def opened(database_url: str, module_schema: str) -> Iterator[tuple[Pool, Store]]:
    with tables(database_url, module_schema) as both:
        yield both


def person(name: str, **fields: Any) -> Json:
    return contact(id=name, email=f"{name}@example.com", created_at=START - DAY, updated_at=START - 60, **fields)


def talk(name: str, who: str) -> Json:
    wrote = author("user", who)
    said = part(id=f"p{name}", created_at=START - 60, author=wrote, body="<p>We are leaving</p>")
    return conversation(
        id=name,
        contact_ids=[who],
        created_at=START - 3600,
        source=message(author=wrote),
        parts=[said],
        updated_at=START - 60,
    )


def surrounded(bad_contacts: list[Any], bad_talks: list[Any]) -> World:
    """A workspace with the bad records between good ones, whose own time is the same as theirs."""
    world = World("Asia/Kolkata", 0)
    for number in range(GOOD):
        world.company.put_contact(person(f"good{number}"))
        world.company.put_conversation(talk(f"7{number}", f"good{number}"))
        for bad in bad_contacts[number::GOOD]:
            world.company.put_contact(bad)
        for bad in bad_talks[number::GOOD]:
            world.company.put_conversation(bad)
    return world


def test_each_broken_record_that_is_known_of_is_refused_with_a_reason(opened: tuple[Pool, Store]) -> None:
    spoilt = [
        _spoilt(person(f"c{n}"), corrupt) for n, corrupt in enumerate((*CONTACT_CORRUPTIONS, *invalid_records.CONTACTS))
    ]
    ignored = len(invalid_records.CONVERSATIONS) - 1  # a source of the wrong shape says nothing, and breaks nothing
    talks = [
        _spoilt(talk(f"8{n}", "good1"), corrupt)
        for n, corrupt in enumerate((*invalid_records.CONVERSATIONS[:ignored], *CONVERSATION_CORRUPTIONS))
    ]
    world = surrounded([*spoilt, *JUNK], talks)
    with syncs(world, *opened, per_page=7) as scene:
        attempt = scene.harness.attempt(FULL)
        assert attempt.finished
        refused = opened[1].query("SELECT kind, id, reason, field FROM rejected_records")
    assert {name for _, name, _, _ in refused if not name.startswith("sha256:")} == {
        bad["id"] for bad in (*spoilt, *talks)
    }
    assert attempt.finished.stats.skipped_contacts == len(spoilt) + len({repr(junk) for junk in JUNK})
    assert all(reason and field for _, _, reason, field in refused)
    _good_ones_stand(opened[1])


def _spoilt(record: Json, corrupt: Callable[[Json], object]) -> Json:
    corrupt(record)
    return record


_bad_contacts = st.lists(misshapen(CONTACT_WAYS), min_size=1, max_size=12)
_bad_talks = st.lists(misshapen(TALK_WAYS), min_size=1, max_size=12)


@pytest.mark.timeout(0 if _ASKED else 300)
@given(contacts=_bad_contacts, talks=_bad_talks, full=st.booleans(), per_page=st.sampled_from([3, 150]))
@example([], [lambda record: replaced(record, ("conversation_parts", "conversation_parts"), "none")], True, 3)
@example([lambda record: replaced(record, ("updated_at",), 4_000_000_000)] * 5, [], False, 3)
@settings(
    max_examples=int(_ASKED or 40),
    derandomize=not _ASKED,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_json_of_any_shape_stops_a_sync_or_takes_a_good_record_with_it(
    opened: tuple[Pool, Store],
    contacts: list[Callable[[Json], Any]],
    talks: list[Callable[[Json], Any]],
    full: bool,
    per_page: int,
) -> None:
    bad_contacts = [change(person(f"c{n}")) for n, change in enumerate(contacts)]
    bad_talks = [change(talk(f"8{n}", "good0")) for n, change in enumerate(talks)]
    world = surrounded(bad_contacts, bad_talks)
    store = opened[1]
    with syncs(world, *opened, per_page=per_page) as scene:
        for asked in (FULL if full else RECENT, FULL):
            assert scene.harness.attempt(asked).finished
            _good_ones_stand(store)
        known = {name for (name,) in store.query("SELECT id FROM rejected_records")}
        known |= {*store.landed(), *store.landed_talks()}
        assert all(reason for (reason,) in store.query("SELECT reason FROM rejected_records"))
    for bad in (*bad_contacts, *bad_talks):
        name = bad.get("id") if isinstance(bad, dict) else None
        clean = "".join(c for c in name if c != "\0" and not "\ud800" <= c <= "\udfff") if isinstance(name, str) else ""
        assert not clean.strip() or clean in known


def _good_ones_stand(store: Store) -> None:
    customers, talks = store.customers(), store.landed_talks()
    for number in range(GOOD):
        row = customers[f"good{number}@example.com"]
        assert row["intercom_contact_id"] == f"good{number}"
        assert row["intercom_deleted_at"] is None
        assert row["mentioned_cancel"]
        assert f"7{number}" in talks
