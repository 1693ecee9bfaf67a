import pytest

from intercom_sync.domain.conversations import Conversation, Message, needs_parts, parse_conversation
from intercom_sync.domain.parsing import InvalidRecordError
from intercom_sync_tests.domain.samples import DAY, NOW, conversation, said


def refusal(record):
    with pytest.raises(InvalidRecordError) as refused:
        parse_conversation(record)
    return refused.value.reason, refused.value.field


def test_every_field_of_a_conversation_is_read():
    rated = {"rating": 4, "contact": {"type": "contact", "id": "c1"}, "created_at": 5}
    assert parse_conversation(conversation(conversation_rating=rated)) == Conversation(
        id="v1",
        created_at=NOW - 10 * DAY,
        updated_at=NOW - DAY,
        open=True,
        contact_ids=("c1",),
        rating=4,
        rating_contact_id="c1",
        last_contact_reply_at=NOW - DAY,
        only_others_replied=False,
        source_known=True,
        messages=(
            Message(conversation_id="v1", message_id="source", author_id="c1", created_at=NOW - 10 * DAY, text="Hello"),
        ),
        ignored_rating=False,
    )


@pytest.mark.parametrize("record", [None, [], "x", 1])
def test_what_is_no_object_is_no_conversation(record):
    assert refusal(record) == ("record of the wrong shape", "conversation")


@pytest.mark.parametrize("bad", [None, "", True, [], 1.5])
def test_a_conversation_needs_an_id(bad):
    assert refusal(conversation(id=bad)) == ("record without a usable id", "id")


@pytest.mark.parametrize("field", ["created_at", "updated_at"])
@pytest.mark.parametrize("bad", [None, 0, -1, True, 1.0, "5", 1_700_000_000_000])
def test_a_conversation_needs_positive_integer_times(field, bad):
    assert refusal(conversation(**{field: bad})) == ("timestamp is not a positive integer", field)


@pytest.mark.parametrize("bad", ["x", 5, True, {"contacts": {}}, {"contacts": "x"}, {"contacts": [5]}, [{}], [None]])
def test_contacts_are_a_list_of_records_with_ids(bad):
    assert refusal(conversation(contacts=bad)) == ("contacts of the wrong shape", "contacts")


@pytest.mark.parametrize("none", [None, {}, {"contacts": None}, {"contacts": []}, []])
def test_a_conversation_without_contacts_is_fine(none):
    assert parse_conversation(conversation(contacts=none)).contact_ids == ()


def test_every_contact_takes_part_once_in_order():
    contacts = {"contacts": [{"id": "b"}, {"id": "a"}, {"id": "b"}, {"id": 7}]}
    assert parse_conversation(conversation(contacts=contacts)).contact_ids == ("b", "a", "7")


@pytest.mark.parametrize(
    ("given", "state", "expected"),
    [
        (True, "open", True),
        (False, "closed", False),
        (True, "snoozed", True),
        (False, "snoozed", True),
        (None, "open", True),
        (None, "closed", False),
        ("yes", "snoozed", True),
        (None, None, False),
    ],
)
def test_snoozed_is_open(given, state, expected):
    assert parse_conversation(conversation(open=given, state=state)).open is expected


@pytest.mark.parametrize("rating", [None, {}, {"rating": None}, [], "5"])
def test_unrated_is_none_and_nothing_is_ignored(rating):
    read = parse_conversation(conversation(conversation_rating=rating))
    assert (read.rating, read.ignored_rating) == (None, False)


@pytest.mark.parametrize("rating", [0, 6, -1, 4.5, True, "great", [], 10**400])
def test_a_rating_outside_1_to_5_is_ignored_and_said_so(rating):
    read = parse_conversation(conversation(conversation_rating={"rating": rating, "contact": {"id": "c1"}}))
    assert (read.rating, read.rating_contact_id, read.ignored_rating) == (None, None, True)


@pytest.mark.parametrize("contact", [None, [], {}, "c1", {"id": None}])
def test_a_rating_may_name_no_contact(contact):
    read = parse_conversation(conversation(conversation_rating={"rating": 5, "contact": contact}))
    assert (read.rating, read.rating_contact_id) == (5, None)


@pytest.mark.parametrize("kind", ["admin", "bot", "team", None, []])
def test_an_opening_by_anybody_else_is_no_message(kind):
    assert parse_conversation(conversation(source=said("cancel", kind=kind))).messages == ()


@pytest.mark.parametrize("source", [None, [], "x", {}, {"author": 5, "body": "x"}])
def test_a_broken_source_is_passed_over(source):
    assert parse_conversation(conversation(source=source)).messages == ()


SINCE = NOW - 30 * DAY
OPENED = NOW - 10 * DAY
BY_US = {"source": said("Hi", author="9", kind="admin"), "first_contact_reply": None}
NOTHING = dict.fromkeys(
    ("first_contact_reply_at", "last_contact_reply_at", "first_admin_reply_at", "last_admin_reply_at", "last_close_at")
)


def wants(fetched=None, statistics=None, count=4, *, stored=False, **fields):
    """Whether parts are wanted for a conversation whose contact wrote last at `statistics`."""
    if not isinstance(statistics, dict):
        statistics = {"last_contact_reply_at": statistics}
    record = conversation(**({"statistics": {"count_conversation_parts": count} | statistics} | fields))
    return needs_parts(parse_conversation(record), fetched, NOW, has_parts_stored=stored)


@pytest.mark.parametrize(("replied_at", "expected"), [(NOW - DAY, True), (SINCE, True), (SINCE - 1, False)])
def test_a_reply_after_the_opening_within_30_days_is_wanted(replied_at, expected):
    created_at = OPENED if replied_at >= OPENED else NOW - 300 * DAY
    assert wants(statistics=replied_at, created_at=created_at) is expected


@pytest.mark.parametrize("count", [None, 0, 1, 2, 4, "2", True])
def test_a_reply_after_the_opening_is_wanted_whatever_the_count_says(count):
    assert wants(statistics=NOW - DAY, count=count)
    assert wants(statistics=NOW - DAY, count=count, **BY_US)
    assert wants(statistics=OPENED, count=count, **BY_US)


@pytest.mark.parametrize("count", [None, 0, 1, 2, 4])
@pytest.mark.parametrize("source", [None, [], {}, {"body": "Hello"}, {"author": None}, {"author": {"type": None}}])
def test_a_source_that_does_not_say_who_wrote_is_no_evidence(source, count):
    assert wants(statistics=NOTHING, count=count, source=source, first_contact_reply=None)
    assert wants(statistics=OPENED, count=count, source=source)
    assert wants(statistics=NOW - DAY, count=count, source=source)


def test_an_opening_that_nobody_followed_is_not_wanted():
    assert not wants(statistics=OPENED, count=1)
    assert not wants(statistics=NOTHING, count=1, **BY_US)


@pytest.mark.parametrize(
    ("others", "count", "expected"),
    [
        ({}, 2, True),
        ({"last_admin_reply_at": OPENED + 60}, 2, False),
        ({"first_admin_reply_at": OPENED + 60, "last_admin_reply_at": OPENED + 60}, 3, True),
        ({"first_admin_reply_at": OPENED + 60, "last_admin_reply_at": OPENED + 90}, 3, False),
        ({"last_admin_reply_at": OPENED + 60, "last_close_at": OPENED + 90}, 3, False),
        ({"last_admin_reply_at": OPENED}, 2, True),
        ({"last_admin_reply_at": "soon"}, 2, True),
        ({"last_admin_reply_at": OPENED + 60}, None, True),
    ],
)
def test_a_second_message_of_the_openings_own_second_is_wanted_where_there_may_be_one(others, count, expected):
    assert wants(statistics={"last_contact_reply_at": OPENED} | others, count=count) is expected


def test_a_reply_before_the_opening_is_no_evidence():
    assert wants(statistics=OPENED - 1, count=1)
    assert wants(statistics=SINCE - DAY, count=1)


def test_a_campaign_that_nobody_answered_is_not_wanted():
    assert not wants(statistics=NOTHING, count=1, **BY_US)
    assert not wants(statistics=NOTHING | {"last_admin_reply_at": OPENED + 60}, count=2, **BY_US)


@pytest.mark.parametrize(
    ("statistics", "count", "fields"),
    [
        (NOTHING, 2, BY_US),
        ({}, 1, BY_US),
        ({"last_contact_reply_at": None}, 1, BY_US),
        (NOTHING, None, BY_US),
        (NOTHING, 1, BY_US | {"first_contact_reply": {"created_at": 5}}),
        (NOTHING | {"first_contact_reply_at": OPENED}, 1, BY_US),
        (NOTHING, 1, {}),  # the contact opened it
        (NOTHING | {"last_admin_reply_at": OPENED + 60}, 2, {}),
    ],
)
def test_null_or_absent_statistics_are_no_evidence(statistics, count, fields):
    assert wants(statistics=statistics, count=count, **fields)


@pytest.mark.parametrize(
    "unknown", [None, [], "x", {}, {"last_contact_reply_at": None}, {"last_contact_reply_at": "x"}]
)
@pytest.mark.parametrize(("updated_at", "expected"), [(SINCE, True), (SINCE - 1, False)])
def test_where_the_statistics_say_nothing_what_changed_in_30_days_is_wanted(unknown, updated_at, expected):
    fields = {"statistics": unknown, "updated_at": updated_at, "created_at": SINCE - 5 * DAY}
    assert needs_parts(parse_conversation(conversation(**fields)), None, NOW) is expected


@pytest.mark.parametrize(
    "contradiction",
    [{}, {"first_contact_reply": {"created_at": 5}, "source": None}],
)
def test_a_null_reply_where_the_contact_did_write_is_not_believed(contradiction):
    assert wants(statistics=None, **contradiction)


@pytest.mark.parametrize("stored", [False, True])
def test_the_same_version_is_never_fetched_twice(stored):
    assert not wants(fetched=NOW - DAY, statistics=NOW - DAY, updated_at=NOW - DAY, stored=stored)
    assert not wants(fetched=NOW, statistics=NOW - DAY, updated_at=NOW - DAY, stored=stored)
    assert not wants(fetched=NOW, statistics=NOTHING, updated_at=NOW - DAY, stored=stored, source=None)


def test_a_newer_version_is_fetched_unless_no_contact_wrote_in_it():
    fetched = NOW - 2 * DAY
    assert wants(fetched=fetched, statistics=fetched + 1)
    assert wants(fetched=fetched, statistics=fetched)
    assert wants(fetched=fetched, statistics=fetched - 1)  # an older message may have appeared
    assert not wants(fetched=fetched, statistics=OPENED, count=1)
    assert not wants(fetched=fetched, statistics=NOTHING, count=1, **BY_US)


def test_stored_parts_are_fetched_with_every_newer_version_since_one_may_have_been_redacted():
    fetched = NOW - 2 * DAY
    assert wants(fetched=fetched, statistics=OPENED, count=1, stored=True)
    assert wants(fetched=fetched, statistics=SINCE - 1, created_at=SINCE - DAY, stored=True)
