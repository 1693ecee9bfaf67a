"""Merge histories: the ids in them, whatever else stands there."""

from typing import Any

import pytest

from intercom_sync.domain.contacts import merged_ids, parse_contact
from intercom_sync.domain.rules import Rules


def _merge(source: Any) -> dict[str, Any]:
    return {"type": "merge_history", "source_contact_id": source, "source_contact_role": "lead", "merged_at": None}


def test_each_contact_merged_into_one_is_named_once() -> None:
    assert merged_ids([_merge("b"), _merge("a"), _merge("b")]) == ("b", "a")


@pytest.mark.parametrize(
    "history", [None, {}, "b", [], [None], ["b"], [_merge(None)], [_merge(" ")], [_merge([])], [{}]]
)
def test_what_is_no_merge_names_nobody(history: Any) -> None:
    assert merged_ids(history) == ()


def test_a_contact_brings_its_merges_and_a_broken_history_does_not_refuse_it() -> None:
    contact = {"id": "c", "created_at": 1, "updated_at": 2}
    assert parse_contact(contact, Rules()).merged_ids == ()
    assert parse_contact(contact | {"merge_history": [_merge("a")]}, Rules()).merged_ids == ("a",)
    assert parse_contact(contact | {"merge_history": {"a": 1}}, Rules()).merged_ids == ()
