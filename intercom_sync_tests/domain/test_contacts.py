import pytest

from intercom_sync.domain.contacts import Contact, parse_contact
from intercom_sync.domain.parsing import InvalidRecordError
from intercom_sync.domain.revenue.contact_revenue import NO_REVENUE
from intercom_sync.domain.rules import Rules
from intercom_sync_tests.domain.samples import DAY, NOW, contact, subscription

RULES = Rules()


def refusal(record):
    with pytest.raises(InvalidRecordError) as refused:
        parse_contact(record, RULES)
    return refused.value.reason, refused.value.field


def test_every_field_of_a_contact_is_read():
    assert parse_contact(contact(), RULES) == Contact(
        id="c1",
        email="Ann.Lee@Example.com",
        external_id="u-1",
        role="user",
        name="Ann Lee",
        location_country="Ireland",
        location_city="Dublin",
        created_at=NOW - 400 * DAY,
        updated_at=NOW - DAY,
        last_seen_at=NOW - 2 * DAY,
        revenue=NO_REVENUE,
    )


def test_a_lead_may_have_nothing_but_an_id_and_times():
    read = parse_contact({"id": 9, "created_at": 1, "updated_at": 2}, RULES)
    assert read == Contact(
        id="9",
        email=None,
        external_id=None,
        role=None,
        name=None,
        location_country=None,
        location_city=None,
        created_at=1,
        updated_at=2,
        last_seen_at=None,
        revenue=NO_REVENUE,
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [("  Ann \n", "  Ann \n"), (" ", None), ("\t\u2003", None), (None, None), ("A\x00nn", "Ann"), ("\x00 ", None)],
)
def test_a_name_is_kept_as_it_came_and_a_blank_one_is_none(name, expected):
    assert parse_contact(contact(name=name), RULES).name == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("x ", "x "), (42, "42"), (42.0, "42"), (4.5, "4.5"), ("", None), ("\t", None)]
)
def test_texts_are_kept_as_spelled_numbers_become_text_and_blanks_none(value, expected):
    read = parse_contact(contact(external_id=value, location={"country": value, "city": value}), RULES)
    assert (read.external_id, read.location_country, read.location_city) == (expected, expected, expected)


@pytest.mark.parametrize("record", [None, [], "contact", 5, True])
def test_what_is_no_object_is_no_contact(record):
    assert refusal(record) == ("record of the wrong shape", "contact")


@pytest.mark.parametrize("bad", [None, "", " ", True, 1.5, [], {}, 2**64, "x" * 501])
def test_a_contact_needs_an_id(bad):
    assert refusal(contact(id=bad)) == ("record without a usable id", "id")


@pytest.mark.parametrize("field", ["created_at", "updated_at"])
@pytest.mark.parametrize("bad", [None, 0, -1, True, 1.0, "1700000000", 1_700_000_000_000, [], {}])
def test_a_contact_needs_times_that_are_positive_integers(field, bad):
    assert refusal(contact(**{field: bad})) == ("timestamp is not a positive integer", field)


@pytest.mark.parametrize("bad", [0, -1, True, False, 1.0, "1700000000", 253_402_300_800, []])
def test_last_seen_is_a_positive_integer_where_given(bad):
    assert refusal(contact(last_seen_at=bad)) == ("timestamp is not a positive integer", "last_seen_at")


def test_last_seen_may_be_null_or_in_the_future():
    assert parse_contact(contact(last_seen_at=None), RULES).last_seen_at is None
    assert parse_contact(contact(last_seen_at=NOW + DAY), RULES).last_seen_at == NOW + DAY


@pytest.mark.parametrize("bad", [[], "Dublin", 5, False, ""])
def test_a_location_is_an_object_or_null(bad):
    assert refusal(contact(location=bad)) == ("location of the wrong shape", "location")


@pytest.mark.parametrize("bad", [[], {}, True])
@pytest.mark.parametrize("field", ["country", "city"])
def test_a_country_or_city_is_a_text(field, bad):
    assert refusal(contact(location={field: bad})) == ("text of the wrong shape", f"location.{field}")


@pytest.mark.parametrize("bad", [[], ["x"], {}, False])
def test_a_name_or_external_id_is_a_text(bad):
    assert refusal(contact(name=bad)) == ("text of the wrong shape", "name")
    assert refusal(contact(external_id=bad)) == ("text of the wrong shape", "external_id")


@pytest.mark.parametrize("bad", [[], [1], "x", 5, True, False, 0, ""])
def test_custom_attributes_are_an_object_or_null(bad):
    assert refusal(contact(custom_attributes=bad)) == ("custom_attributes of the wrong shape", "custom_attributes")


def test_the_first_rule_broken_wins():
    broken = contact(
        id=None,
        email="nobody",
        created_at=0,
        name=[],
        location=[],
        custom_attributes={"Stripe Subscriptions": [subscription(amount="free")]},
    )
    order = []
    for repaired in ("id", "email", "created_at", "name", "location", "custom_attributes"):
        order.append(refusal(broken)[1])
        broken[repaired] = contact()[repaired]
    assert order == ["id", "email", "created_at", "name", "location", "custom_attributes.Stripe Subscriptions"]
    assert parse_contact(broken, RULES)
