"""Which conversations' parts are fetched, and that the stored messages are those that Intercom has."""

from typing import Any

import pytest

from intercom_sync.sandbox.builders import author, conversation, message, part, part_list
from intercom_sync.sandbox.faults import edited
from intercom_sync_tests.end_to_end.scenario import DAY, HOUR, NOW, Scenario, at, person, talk

_EMAIL = "ada@example.com"
_STATISTICS = ("first_contact_reply_at", "last_contact_reply_at", "first_admin_reply_at", "last_admin_reply_at")
_NOTHING = dict.fromkeys(_STATISTICS)
_BY_US = message(body="<p>Hi</p>", author=author("admin", "7"))


def _said(text: str, created: Any, id: str = "p1", by: str = "c1", **fields: Any) -> dict[str, Any]:
    return part(id=id, body=f"<p>{text}</p>", author=author("user", by), created_at=at(created), **fields)


def _with_parts(made: dict[str, Any], *parts: dict[str, Any], updated: Any = NOW - HOUR, **fields: Any) -> Any:
    return made | {"conversation_parts": part_list(list(parts)), "updated_at": at(updated)} | fields


def _one(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    usual = {"id": "500", "created_at": at(NOW - 3 * DAY), "updated_at": at(NOW - HOUR)}
    return conversation(contact_ids=["c1"], parts=list(parts), **(usual | fields))


_CANCELS = _said("please cancel my plan", NOW - 2 * DAY)
_MISSED = {
    "nothing is known": _one(_CANCELS, source=None, statistics=_NOTHING | {"count_conversation_parts": 2}),
    "nothing is known, count 1": _one(_CANCELS, source=None, statistics=_NOTHING | {"count_conversation_parts": 1}),
    "no statistics": _one(_CANCELS, statistics=None),
    "empty statistics": _one(_CANCELS, statistics={}, source=_BY_US),
    "all null, by a teammate": _one(_CANCELS, source=_BY_US, statistics=_NOTHING | {"count_conversation_parts": 3}),
    "count 1": _one(
        _CANCELS,
        source=_BY_US,
        statistics={"last_contact_reply_at": at(NOW - 2 * DAY), "count_conversation_parts": 1},
    ),
    "a reply before the opening": _one(
        _CANCELS, statistics={"last_contact_reply_at": at(NOW - 60 * DAY), "count_conversation_parts": 1}
    ),
    "the opening's own second": _one(_said("please cancel my plan", NOW - 3 * DAY)),
    "another author id": _one(_said("please cancel my plan", NOW - 2 * DAY, by="a lead that is gone")),
}


@pytest.mark.parametrize("made", _MISSED.values(), ids=_MISSED)
def test_parts_are_fetched_unless_there_is_evidence_that_no_contact_wrote_them(
    scenario: Scenario, made: dict[str, Any]
) -> None:
    scenario.put(person("c1", _EMAIL))
    scenario.talks(made)
    scenario.sync(full=True)
    assert scenario.customer(_EMAIL)["mentioned_cancel"] is True
    scenario.sandbox.requests.clear()
    scenario.sync(NOW + HOUR, full=True)
    assert scenario.parts_fetched() == []
    assert scenario.alerts() == [("cancel_mention", _EMAIL)]


def test_openings_and_campaigns_that_nobody_followed_are_not_fetched(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    answer = part(author=author("admin", "7"), created_at=at(NOW - 2 * DAY))
    scenario.talks(
        _one(id="501"),
        _one(id="502", source=_BY_US),
        _one(answer, id="503"),
        _one(answer, id="504", source=_BY_US),
    )
    scenario.sync(full=True)
    assert scenario.parts_fetched() == []


def test_a_redacted_part_vanishes_with_its_mention(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    made = talk("500", "c1", "Hello", "cancel, my card is 4242", created=NOW - 2 * DAY)
    scenario.talks(made)
    scenario.sync(full=True)
    assert scenario.customer(_EMAIL)["mentioned_cancel"] is True
    redacted = made["conversation_parts"]["conversation_parts"][0] | {"body": None, "redacted": True}
    scenario.talks(_with_parts(made, redacted, updated=NOW + HOUR))
    scenario.sync(NOW + 2 * HOUR)
    assert scenario.values("SELECT text FROM intercom_messages") == ["Hello"]
    assert scenario.customer(_EMAIL)["mentioned_cancel"] is False


def test_an_older_message_that_appears_later_is_found(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL), person("c2", "bob@example.com"))
    first = talk("500", "c1", "Hello", "Thanks", created=NOW - 2 * DAY)
    alone = talk("501", "c2", "Hello", created=NOW - 2 * DAY)
    scenario.talks(first, alone)
    scenario.sync(full=True)
    scenario.talks(
        _with_parts(
            first,
            _said("please cancel", NOW - 9 * DAY, "m1"),
            *first["conversation_parts"]["conversation_parts"],
            updated=NOW + HOUR,
        ),
        _with_parts(
            alone,
            _said("please cancel", NOW - 9 * DAY, "m2", "c2"),
            updated=NOW + HOUR,
            statistics=alone["statistics"] | {"count_conversation_parts": 2},
        ),
    )
    scenario.sync(NOW + 2 * HOUR)
    assert [row["mentioned_cancel"] for row in scenario.rows("SELECT * FROM unified_customers")] == [True, True]


def test_an_opening_stays_where_a_newer_version_does_not_say_who_wrote_it(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    made = talk("500", "c1", "please cancel")
    scenario.talks(made)
    scenario.sync(full=True)
    scenario.talks(made | {"source": None})
    scenario.sync(NOW + HOUR, full=True)
    scenario.sync(NOW + HOUR, full=True)
    assert scenario.customer(_EMAIL)["mentioned_cancel"] is True
    scenario.talks(made | {"updated_at": at(NOW + HOUR), "source": made["source"] | {"body": None, "redacted": True}})
    scenario.sync(NOW + 2 * HOUR)
    assert scenario.customer(_EMAIL)["mentioned_cancel"] is False


def test_messages_older_than_the_newest_500_parts_stay_stored(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    start = NOW - 20 * DAY
    parts = [_said(f"word {number}", start + number * HOUR / 2, f"p{number}") for number in range(600)]
    parts[3]["body"] = "please cancel"
    made = _one(*parts[:400], created_at=at(start), updated_at=parts[399]["created_at"])
    scenario.talks(made)
    scenario.sync(NOW - DAY, full=True)
    assert scenario.customer(_EMAIL)["mentioned_cancel"] is True
    scenario.talks(_with_parts(made, *parts, updated=NOW))
    scenario.sync(NOW + HOUR)
    assert scenario.customer(_EMAIL)["mentioned_cancel"] is True
    assert scenario.one("SELECT parts_missing FROM intercom_conversations") == {"parts_missing": 100}
    assert scenario.values("SELECT count(*) FROM intercom_messages") == [601]


@pytest.mark.parametrize("version", [None, "soon", 5.5])
def test_parts_without_a_usable_version_of_their_own_are_fetched_once(scenario: Scenario, version: Any) -> None:
    scenario.put(person("c1", _EMAIL))
    scenario.talks(talk("500", "c1", "Hello", "please cancel"))
    scenario.sandbox.faults.add(
        edited(lambda found: found | {"updated_at": version}), match=lambda asked: asked.path == "/conversations/500"
    )
    scenario.sync(full=True)
    assert scenario.parts_fetched() == ["500"]
    scenario.sync(NOW + HOUR, full=True)
    assert scenario.parts_fetched() == ["500"]


def test_a_version_that_goes_backwards_changes_nothing(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL))
    made = talk("500", "c1", "Hello", "please cancel")
    scenario.talks(made)
    scenario.sync(full=True)
    scenario.sandbox.requests.clear()
    scenario.talks(_with_parts(made, updated=NOW - 2 * DAY))
    scenario.sync(NOW + HOUR, full=True)
    assert scenario.parts_fetched() == []
    assert scenario.customer(_EMAIL)["mentioned_cancel"] is True
