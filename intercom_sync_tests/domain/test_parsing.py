import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercom_sync.domain.contacts import clean_record, clean_text, record_id, record_updated_at


def test_nul_and_lone_surrogates_go_and_nothing_else():
    assert clean_text("a\x00b\ud800c\udfff é😀\n") == "abc é😀\n"


@given(st.text())
def test_cleaned_text_can_be_stored(text):
    assert "\x00" not in clean_text(text)
    clean_text(text).encode()


def test_a_record_is_cleaned_through_keys_lists_and_objects_and_the_given_one_kept():
    given_record = {"na\x00me": "A\x00nn", "tags": ["x\ud800", {"y": "\x00"}], "n": 1, "none": None}
    assert clean_record(given_record) == {"name": "Ann", "tags": ["x", {"y": ""}], "n": 1, "none": None}
    assert given_record["tags"][0] == "x\ud800"


def test_a_record_100_000_levels_deep_is_cleaned():
    deep = "a\x00"
    for _ in range(50_000):
        deep = {"a": [deep]}
    cleaned = clean_record(deep)
    for _ in range(50_000):
        cleaned = cleaned["a"][0]
    assert cleaned == "a"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5f2", "5f2"),
        (7, "7"),
        ("", None),
        ("  ", None),
        ("\x00", None),
        (None, None),
        (True, None),
        (1.0, None),
        ([], None),
        ({}, None),
        pytest.param(10**5000, None, id="huge"),
    ],
)
def test_an_id_is_a_text_or_an_integer(value, expected):
    assert record_id({"id": value}) == expected


@pytest.mark.parametrize("record", [None, [], "x", 1, {}])
def test_what_is_no_record_has_no_id_and_no_version(record):
    assert record_id(record) is None
    assert record_updated_at(record) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1),
        (253402300799, 253402300799),
        (253402300800, None),
        (0, None),
        (-5, None),
        (True, None),
        (1.0, None),
        ("1700000000", None),
        (None, None),
    ],
)
def test_a_version_is_a_positive_integer_before_the_year_10000(value, expected):
    assert record_updated_at({"updated_at": value}) == expected
