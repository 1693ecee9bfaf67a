import pytest

from intercom_sync.domain.conversations import Message, parse_messages, parts_missing
from intercom_sync.domain.parsing import InvalidRecordError
from intercom_sync_tests.domain.samples import DAY, NOW, conversation, part, said


def detail(*parts, **fields):
    listed = {"type": "conversation_part.list", "conversation_parts": list(parts), "total_count": len(parts)}
    return conversation(conversation_parts=listed, **fields)


def texts(*parts, **fields):
    return [message.text for message in parse_messages(detail(*parts, source=None, **fields))]


def test_the_opening_and_the_parts_by_contacts_are_read_as_visible_text():
    assert parse_messages(detail(part(1, "<p>I&#39;m leaving</p>"))) == (
        Message(conversation_id="v1", message_id="source", author_id="c1", created_at=NOW - 10 * DAY, text="Hello"),
        Message(conversation_id="v1", message_id="p1", author_id="c1", created_at=NOW - DAY + 1, text="I'm leaving"),
    )


@pytest.mark.parametrize("kind", ["user", "lead", "contact"])
def test_users_leads_and_contacts_are_contacts(kind):
    assert texts(part(1, "cancel", kind=kind)) == ["cancel"]


@pytest.mark.parametrize("kind", ["admin", "bot", "team", "workflow", None, 5, [], "User"])
def test_nobody_elses_words_count(kind):
    assert texts(part(1, "cancel", kind=kind)) == []


@pytest.mark.parametrize("part_type", ["note", "note_and_reopen"])
def test_internal_notes_never_count(part_type):
    assert texts(part(1, "cancel", part_type=part_type)) == []


@pytest.mark.parametrize("part_type", ["comment", "quick_reply", "assignment", "open", "close", None, 5, "invented"])
def test_a_body_may_ride_on_any_other_part(part_type):
    assert texts(part(1, "cancel", part_type=part_type)) == ["cancel"]


@pytest.mark.parametrize("body", [None, "", "<p> </p>", "<blockquote>cancel</blockquote>", 5, [], {}])
def test_parts_without_text_give_nothing(body):
    assert texts(part(1, body)) == []


def test_redacted_parts_give_nothing():
    assert texts(part(1, "cancel", redacted=True), part(2, "kept", redacted=False)) == ["kept"]
    assert parse_messages(detail(source=said("cancel", redacted=True))) == ()


@pytest.mark.parametrize(
    "broken",
    [None, 5, "x", [], {}, {"id": None}, {"created_at": "x"}, {"created_at": -1}, {"author": []}, {"author": None}],
)
def test_a_broken_part_takes_no_other_with_it(broken):
    first = part(1, "cancel") | broken if isinstance(broken, dict) and broken else broken
    assert texts(first, part(2, "kept")) == ["kept"]


def test_in_a_group_a_message_is_its_authors():
    group = {"contacts": {"contacts": [{"id": "c1"}, {"id": "c2"}]}}
    read = parse_messages(
        detail(part(1, "a", author="c2"), part(2, "b", author="c9"), part(3, "c", author=None), **group)
    )
    assert [message.author_id for message in read] == ["c1", "c2", "c9", None]


@pytest.mark.parametrize("author", ["lead-id", None, "", 5])
def test_a_stranger_in_a_conversation_of_one_contact_is_that_contact(author):
    assert [m.author_id for m in parse_messages(detail(part(1, "a", author=author), source=None))] == ["c1"]


def test_each_message_id_comes_once():
    assert texts(part(1, "first"), part(1, "edited")) == ["edited"]


@pytest.mark.parametrize("bad", [None, [], "x", {}])
def test_what_is_no_conversation_is_rejected(bad):
    with pytest.raises(InvalidRecordError):
        parse_messages(bad)


@pytest.mark.parametrize("bad", ["x", 5, {"conversation_parts": {}}, {"conversation_parts": "x"}])
def test_parts_of_the_wrong_shape_are_rejected(bad):
    with pytest.raises(InvalidRecordError, match="parts of the wrong shape"):
        parse_messages(conversation(conversation_parts=bad))


@pytest.mark.parametrize("none", [None, {}, {"conversation_parts": None}, []])
def test_a_conversation_without_parts_has_its_opening(none):
    assert [m.text for m in parse_messages(conversation(conversation_parts=none))] == ["Hello"]


def counted(received, total, statistics=None):
    parts = {"conversation_parts": [part(n, "x") for n in range(received)], "total_count": total}
    return conversation(conversation_parts=parts, statistics={"count_conversation_parts": statistics})


@pytest.mark.parametrize(
    ("received", "total", "statistics", "missing"),
    [
        (3, 3, 4, 0),
        (500, 700, 701, 200),  # 700 − 500
        (500, 500, 701, 200),  # 701 − 1 opening − 500: the total was capped
        (500, None, 501, 0),
        (3, None, 90, 0),  # all that fitted came, so the statistics are off
        (3, 5, None, 2),
        (3, 2, None, 0),
        (500, "x", True, 0),
    ],
)
def test_missing_parts_are_reckoned_from_totals_and_statistics(received, total, statistics, missing):
    record = counted(received, total, statistics)
    assert parts_missing(record) == missing


def test_nothing_is_missing_from_what_is_no_conversation():
    assert parts_missing(None) == 0
