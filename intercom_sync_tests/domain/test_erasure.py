"""People are taken out of conversations whole, and the others' conversations stay what they were."""

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercom_sync.domain.conversations import parse_conversation, parse_messages, parts_missing
from intercom_sync.domain.erasure import ERASED_CONTACT_ID, claimed_email, participant_ids, redact_contacts
from intercom_sync.sandbox.builders import author, conversation, message, part, rating

_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "contacts", "source", "author", "conversation_parts", "conversation_rating", "contact"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


def _shared(**fields: Any) -> Any:
    said = partial(part, created_at=1_780_000_000)
    return conversation(
        id="7",
        contact_ids=["ann", "zed"],
        source=message(body="from zed", author=author("user", "zed")),
        parts=[
            said(id="1", body="from ann", author=author("user", "ann")),
            said(id="2", body="more from zed", author=author("lead", "zed")),
            said(id="3", body="from a lead nobody knows", author=author("lead", "old")),
        ],
        **fields,
    )


def test_everybody_that_a_conversation_names_is_found() -> None:
    assert participant_ids(_shared(conversation_rating=rating(2, by="rob", at=1))) == {"ann", "zed", "old", "rob"}


def test_a_shared_conversation_keeps_its_size_and_the_others_words() -> None:
    left = redact_contacts(_shared(conversation_rating=rating(2, by="zed", at=1)), {"zed"})
    assert left is not None
    read = parse_conversation(left)
    assert read.contact_ids == ("ann", ERASED_CONTACT_ID)
    assert (read.rating, read.rating_contact_id) == (2, ERASED_CONTACT_ID)
    assert {one.text for one in parse_messages(left)} == {"from ann", "from a lead nobody knows"}
    assert parts_missing(left) == 0
    assert participant_ids(left) == {"ann", "old", ERASED_CONTACT_ID}


def test_a_conversation_whose_people_are_all_forgotten_is_none() -> None:
    assert redact_contacts(_shared(), {"zed", "ann", "old"}) is None
    assert redact_contacts(_shared(), {"zed", "old"}) is not None


def test_words_of_somebody_who_left_are_not_taken_for_those_of_the_one_who_stayed() -> None:
    alone = _shared() | {"contacts": {"type": "contact.list", "contacts": [{"type": "contact", "id": "ann"}]}}
    assert {one.author_id for one in parse_messages(alone)} == {"ann"}
    left = redact_contacts(alone, {"zed"})
    assert {one.text for one in parse_messages(left)} == {"from ann", "from a lead nobody knows"}


@given(_ANY)
def test_nobody_is_left_in_a_record_of_any_shape(record: Any) -> None:
    named = participant_ids(record)
    if named:
        assert participant_ids(redact_contacts(record, named)) <= {ERASED_CONTACT_ID}


@pytest.mark.parametrize(
    ("given_email", "claimed"),
    [
        (" a@b\u00a0", "a@b"),
        ("\ufeff a@b\u200b", "a@b"),
        ("not one", "not one"),
        ("a\x00@b", "a@b"),
        ("", None),
        (" ", None),
        (7, None),
        (["a@b"], None),
    ],
)
def test_a_contact_claims_its_email_valid_or_not(given_email: Any, claimed: str | None) -> None:
    assert claimed_email({"email": given_email}) == claimed
    assert claimed_email([given_email]) is None
