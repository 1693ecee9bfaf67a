"""Contacts that are merged: their words and ratings in group conversations are the target's customer's."""

import json
from typing import Any

from intercom_sync.cli import main
from intercom_sync.sandbox.builders import author, part, rating
from intercom_sync.sandbox.faults import cursor_refused
from intercom_sync_tests.end_to_end.scenario import DAY, HOUR, NOW, Scenario, at, person, talk

_ADA, _BEN = "ada@example.com", "ben@example.com"


def _company(scenario: Scenario, **group: Any) -> None:
    """Ada is a user; Ben and a lead without an email talk in a group, where the lead speaks of leaving."""
    scenario.put(person("ada", _ADA), person("ben", _BEN), person("l1", None, role="lead"))
    words = [
        part(id="p1", body="<p>I will cancel soon</p>", author=author("lead", "l1"), created_at=at(NOW - 3 * HOUR))
    ]
    scenario.talks(talk("500", "ben", contacts=["l1", "ben"]) | _said(words) | group)


def _said(parts: list[Any]) -> dict[str, Any]:
    counts = {"last_contact_reply_at": parts[-1]["created_at"], "count_conversation_parts": len(parts) + 1}
    listed = {"type": "conversation_part.list", "conversation_parts": parts, "total_count": len(parts)}
    return {"statistics": counts, "conversation_parts": listed, "updated_at": parts[-1]["created_at"]}


def _support(scenario: Scenario, email: str) -> tuple[Any, ...]:
    row = scenario.customer(email)
    return row["intercom_convos_total"], row["mentioned_cancel"], row["csat_score"]


def _merges(scenario: Scenario) -> list[tuple[str, str]]:
    found = scenario.rows("SELECT source_id, contact_id FROM contact_merges ORDER BY source_id")
    return [(row["source_id"], row["contact_id"]) for row in found]


def test_what_a_lead_wrote_in_a_group_is_the_users_after_the_full_sync_that_finds_the_merge(scenario: Scenario) -> None:
    _company(scenario, conversation_rating=rating(2, by="l1", at=at(NOW - HOUR)))
    scenario.sync(full=True)
    assert _support(scenario, _ADA) == (0, False, None)
    assert _support(scenario, _BEN) == (1, False, None)
    scenario.company.merge_contact("l1", "ada")
    scenario.sandbox.requests.clear()
    scenario.sync(NOW + DAY, full=True)
    assert scenario.parts_fetched() == []
    assert _merges(scenario) == [("l1", "ada")]
    assert _support(scenario, _ADA) == (1, True, 2)
    assert _support(scenario, _BEN) == (1, False, None)
    assert scenario.alerts() == [("cancel_mention", _ADA)]
    details = scenario.values("SELECT details FROM customer_alerts")[0]
    assert "cancel soon" in details["excerpt"]


def test_a_window_notes_a_merge_and_takes_nobody_away(scenario: Scenario) -> None:
    _company(scenario)
    scenario.sync(full=True)
    scenario.company.merge_contact("ben", "ada")
    scenario.put(person("ada", _ADA, updated=NOW))
    scenario.sync(NOW + HOUR)
    assert _merges(scenario) == [("ben", "ada")]
    assert scenario.emails() == [_ADA, _BEN]
    assert _support(scenario, _BEN) == (1, False, None)
    scenario.sync(NOW + DAY, full=True)
    assert scenario.emails() == [_ADA]


def test_until_a_full_sync_misses_the_author_the_words_stay_theirs(scenario: Scenario) -> None:
    """Also where the conversation, which a window brought, already lists the target, and its parts cannot be had."""
    _company(scenario, updated_at=at(NOW - HOUR))
    scenario.put(person("l1", "lead@example.com", role="lead"))
    scenario.sync(full=True)
    scenario.company.merge_contact("l1", "ada")
    [group] = scenario.company.conversations()
    scenario.talks(group | {"updated_at": at(NOW)})
    scenario.sandbox.faults.add(cursor_refused(), match=lambda asked: asked.path == "/conversations/500")
    scenario.sync(NOW + HOUR)
    assert _support(scenario, "lead@example.com") == (0, True, None)
    assert _support(scenario, _ADA) == (1, False, None)
    scenario.sync(NOW + DAY, full=True)
    assert scenario.values("SELECT author_id FROM intercom_messages WHERE message_id = 'p1'") == ["l1"]
    assert _support(scenario, _ADA) == (1, True, None)


def test_words_that_are_fetched_after_a_merge_are_the_targets_at_once(scenario: Scenario) -> None:
    _company(scenario, updated_at=at(NOW - HOUR))
    scenario.sync(full=True)
    scenario.company.merge_contact("l1", "ada")
    [group] = scenario.company.conversations()
    scenario.talks(group | {"updated_at": at(NOW)})
    scenario.sync(NOW + HOUR)
    assert _support(scenario, _ADA) == (1, True, None)


def test_a_merge_that_only_the_merged_contact_tells_of_is_followed_too(scenario: Scenario) -> None:
    """A lead has no merge history; the lead merged into it answers 410 with where it went."""
    _company(scenario)
    scenario.put(person("other", "other@example.com", role="lead"))
    scenario.sync(full=True)
    scenario.company.merge_contact("l1", "other")
    scenario.sync(NOW + DAY, full=True)
    assert _merges(scenario) == [("l1", "other")]
    assert _support(scenario, "other@example.com") == (1, True, None)


def test_merges_one_after_another_are_followed_to_the_contact_that_is_left(scenario: Scenario) -> None:
    _company(scenario)
    scenario.put(person("second", None, role="lead"))
    scenario.sync(full=True)
    for source, target in (("l1", "second"), ("second", "ada")):
        scenario.company.merge_contact(source, target)
        scenario.sync(NOW + DAY, full=True)
    assert _merges(scenario) == [("l1", "second"), ("second", "ada")]
    assert _support(scenario, _ADA) == (1, True, None)


def test_one_that_comes_back_speaks_for_itself_again(scenario: Scenario) -> None:
    _company(scenario)
    scenario.sync(full=True)
    scenario.company.merge_contact("l1", "ada")
    scenario.sync(NOW + DAY, full=True)
    scenario.put(person("l1", "lead@example.com", role="lead", updated=NOW + DAY))
    scenario.sync(NOW + DAY + HOUR)
    assert _merges(scenario) == [("l1", "ada")]
    assert scenario.customer("lead@example.com")["mentioned_cancel"] is True
    assert _support(scenario, _ADA) == (1, False, None)


def test_a_merge_history_of_any_shape_does_no_harm(scenario: Scenario) -> None:
    odd = [{"source_contact_id": "ben"}, {"source_contact_id": None}, "l1", None]
    scenario.put(
        person("ada", _ADA, merge_history=odd, role="lead"),
        person("ben", _BEN, merge_history=json.dumps(odd), role="lead"),
    )
    scenario.sync(full=True)
    assert _merges(scenario) == [("ben", "ada")]
    assert scenario.emails() == [_ADA, _BEN]


def test_whoever_is_forgotten_takes_along_what_was_written_under_the_ids_merged_into_theirs(scenario: Scenario) -> None:
    _company(scenario)
    scenario.sync(full=True)
    scenario.company.merge_contact("l1", "ada")
    scenario.sync(NOW + DAY, full=True)
    assert scenario.values("SELECT author_id FROM intercom_messages ORDER BY author_id") == ["ben", "l1"]
    assert main(["forget", _ADA]) == 0
    assert scenario.values("SELECT author_id FROM intercom_messages") == ["ben"]
    assert _merges(scenario) == []
    scenario.sync(NOW + 2 * DAY, full=True)
    assert scenario.emails() == [_BEN]
    assert _support(scenario, _BEN) == (1, False, None)
