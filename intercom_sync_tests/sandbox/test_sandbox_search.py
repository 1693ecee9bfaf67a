"""What the two searches find and refuse."""

import pytest

from intercom_sync.sandbox.builders import contact, conversation, rating

NOON = 1_750_075_200  # 16 June 2025, 12:00 UTC
HOUR = 3600
EVERYTHING = {"field": "created_at", "operator": ">", "value": 1}
OLDEST_FIRST = {"field": "created_at", "order": "ascending"}
REFUSED = {
    "no query": {},
    "an empty query": {"query": {}},
    "a query that is a list": {"query": [EVERYTHING]},
    "no value": {"query": {"field": "created_at", "operator": ">"}},
    "no operator": {"query": {"field": "created_at", "value": 1}},
    "an unknown field": {"query": {"field": "shoe_size", "operator": "=", "value": "1"}},
    "an unknown custom attribute": {"query": {"field": "custom_attributes.nope", "operator": "=", "value": "1"}},
    ">= on a date": {"query": {"field": "updated_at", "operator": ">=", "value": 1}},
    "!= on a date": {"query": {"field": "updated_at", "operator": "!=", "value": 1}},
    "> on a string": {"query": {"field": "email", "operator": ">", "value": "a"}},
    "~ on a boolean": {"query": {"field": "has_hard_bounced", "operator": "~", "value": True}},
    "IN on a tag": {"query": {"field": "tag_id", "operator": "IN", "value": ["1"]}},
    "IN without a list": {"query": {"field": "role", "operator": "IN", "value": "user"}},
    "a word as a date": {"query": {"field": "created_at", "operator": ">", "value": "yesterday"}},
    "a truth as a date": {"query": {"field": "created_at", "operator": ">", "value": True}},
    "a date no calendar has": {"query": {"field": "created_at", "operator": ">", "value": 10**18}},
    "a number as a string": {"query": {"field": "email", "operator": "=", "value": 5}},
    "a word as a boolean": {"query": {"field": "has_hard_bounced", "operator": "=", "value": "true"}},
    "an operator that is a list": {"query": {"field": "email", "operator": [], "value": "a"}},
    "a group with a strange operator": {"query": {"operator": "XOR", "value": [EVERYTHING]}},
    "an empty group": {"query": {"operator": "AND", "value": []}},
    "sixteen filters": {"query": {"operator": "AND", "value": [EVERYTHING] * 16}},
    "three levels": {
        "query": {
            "operator": "AND",
            "value": [{"operator": "OR", "value": [{"operator": "AND", "value": [EVERYTHING]}]}],
        }
    },
    "no records a page": {"query": EVERYTHING, "pagination": {"per_page": 0}},
    "151 records a page": {"query": EVERYTHING, "pagination": {"per_page": 151}},
    "a pagination that is a list": {"query": EVERYTHING, "pagination": []},
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_a_search_that_breaks_a_rule_is_refused_as_an_invalid_parameter(ask, body):
    answer = ask("POST", "/contacts/search", json=body)
    assert answer.status_code == 400
    assert answer.json()["type"] == "error.list"
    assert answer.json()["errors"][0]["code"] == "parameter_invalid"


def test_fifteen_filters_and_two_levels_are_allowed(ask):
    query = {"operator": "AND", "value": [{"operator": "OR", "value": [EVERYTHING] * 15}] * 15}
    assert ask("POST", "/contacts/search", json={"query": query}).json()["total_count"] == 7


@pytest.mark.parametrize(
    "sort",
    [{"field": "created_at", "order": "asc"}, {"field": "shoe_size"}, {"field": 5}, "created_at"],
)
def test_a_sort_by_an_unknown_field_or_direction_is_refused(search, sort):
    answer = search("created_at", ">", 1, sort=sort)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "invalid_sort_order")


def test_malformed_json_is_refused(ask):
    answer = ask("POST", "/contacts/search", data=b'{"query":', headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "bad_request")


def test_later_than_a_moment_means_from_the_next_day_on_in_2_16(found):
    # c0 to c6 were created at 12:00, 13:00, ... 18:00 of one day.
    assert found("created_at", ">", NOON - 24 * HOUR, sort=OLDEST_FIRST) == [f"c{n}" for n in range(7)]
    assert found("created_at", ">", NOON) == []
    assert found("created_at", "<", NOON + 5 * HOUR) == []
    assert sorted(found("created_at", "=", NOON + 11 * HOUR)) == [f"c{n}" for n in range(7)]
    assert found("created_at", ">", str(NOON - 24 * HOUR), sort=OLDEST_FIRST)[0] == "c0"


def test_days_begin_at_midnight_of_the_workspace(company, found):
    company.timezone = "Pacific/Auckland"  # there, 16 June ends at 12:00 UTC
    assert found("created_at", ">", NOON - HOUR, sort=OLDEST_FIRST) == [f"c{n}" for n in range(7)]
    company.timezone = "Asia/Tokyo"  # there, 16 June ends at 15:00 UTC, when c3 was created
    assert found("created_at", "=", NOON) != []
    assert found("created_at", ">", NOON, sort=OLDEST_FIRST) == ["c3", "c4", "c5", "c6"]


def test_2_17_compares_exact_seconds(found, search):
    assert found("created_at", ">", NOON + HOUR, version="2.17", sort=OLDEST_FIRST) == ["c2", "c3", "c4", "c5", "c6"]
    assert found("created_at", ">=", NOON + HOUR, version="2.17", sort=OLDEST_FIRST)[0] == "c1"
    assert found("created_at", "<=", NOON, version="2.17") == ["c0"]
    assert found("created_at", "=", NOON + 1, version="2.17") == []
    unset_included = found("last_seen_at", "!=", NOON, version="2.17")
    assert "c6" in unset_included
    assert "c0" not in unset_included


def test_conversations_compare_exact_seconds_in_every_version(found):
    assert found("created_at", ">", NOON, what="conversations", sort=OLDEST_FIRST) == ["1", "2"]
    assert found("created_at", "<", NOON + HOUR, what="conversations") == ["0"]
    assert found("created_at", "IN", [NOON, NOON + 2 * HOUR], what="conversations", sort=OLDEST_FIRST) == ["0", "2"]


def test_without_a_sort_contacts_come_last_seen_first_and_the_never_seen_at_the_end(found):
    assert found("role", "=", "user") == ["c5", "c4", "c3", "c2", "c1", "c0", "c6"]


def test_strings_compare_in_the_ways_their_operators_say(company, found):
    company.put_contact(contact(id="odd", email="Odd@Example.org", name=None))
    assert found("email", "=", "odd@example.org") == ["odd"]
    assert found("email", "~", "DD@") == ["odd"]
    assert found("email", "^", "odd") == ["odd"]
    assert found("email", "$", ".org") == ["odd"]
    assert found("id", "IN", ["odd", "none"]) == ["odd"]
    assert found("name", "=", None) == ["odd"]
    assert "odd" not in found("email", "!=", "odd@example.org")
    assert "odd" not in found("email", "!~", "example.org")
    assert len(found("id", "NIN", ["odd"])) == 7


def test_custom_attributes_are_searched_by_their_own_type(company, found, search):
    company.put_contact(contact(id="payer", custom_attributes={"stripe_id": "cus_1", "stripe_plan_price": 99.5}))
    assert found("custom_attributes.stripe_id", "=", "cus_1") == ["payer"]
    assert found("custom_attributes.stripe_plan_price", ">", 99) == ["payer"]
    assert search("custom_attributes.stripe_id", ">", "cus_0").status_code == 400


def test_groups_combine_their_filters(ask):
    seen_or_first = {
        "operator": "OR",
        "value": [{"field": "id", "operator": "=", "value": "c6"}, {"field": "id", "operator": "=", "value": "c1"}],
    }
    query = {"operator": "AND", "value": [EVERYTHING, seen_or_first]}
    answer = ask("POST", "/contacts/search", json={"query": query, "sort": OLDEST_FIRST}).json()
    assert [item["id"] for item in answer["data"]] == ["c1", "c6"]


def test_conversations_are_found_by_names_that_differ_from_the_record(company, found):
    rated = conversation(id="9", contact_ids=["c0", "c5"], conversation_rating=rating(4, by="c5", at=NOON))
    company.put_conversation(rated)
    assert found("conversation_rating.score", "=", 4, what="conversations") == ["9"]
    assert found("contact_ids", "=", "c5", what="conversations") == ["9"]
    assert found("open", "=", True, what="conversations")


def test_search_results_of_conversations_come_without_their_parts(search):
    items = search("id", "=", "1", what="conversations").json()["conversations"]
    assert "conversation_parts" not in items[0]
    assert items[0]["statistics"]["count_conversation_parts"] == 2


BROKEN = [
    {"id": "ms", "created_at": NOON * 1000, "updated_at": NOON * 1000},
    {"id": "text", "created_at": "2025-06-16", "updated_at": "2025-06-16"},
    {"id": "truth", "created_at": True, "updated_at": False},
    {"id": "none"},
    {"id": 17, "email": 5, "location": [], "custom_attributes": 1},
    {"email": "nobody@example.com"},
    {},
    ["a", "list"],
    None,
    "a string",
    {"id": "halves", "name": "\ud83d", "created_at": 2**70},
]


@pytest.mark.parametrize("record", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_record_comes_back_from_every_window_as_it_was_put(company, search, record):
    company.put_contact(record)
    company.put_conversation(record)
    for what, key in (("contacts", "data"), ("conversations", "conversations")):
        for value in (1, NOON + 100 * 24 * HOUR):
            answer = search("updated_at", ">", value, what=what, sort={"field": "updated_at", "order": "ascending"})
            assert record in answer.json()[key]
        assert search("updated_at", "<", 5, what=what).json()[key] == [record]
    assert record in company.contacts()
    assert record in company.conversations()


@pytest.mark.parametrize("field", ["email", "name", "signed_up_at", "has_hard_bounced", "location.city", "tag_id"])
def test_searching_and_sorting_by_any_field_survives_broken_records(company, search, field):
    for record in BROKEN:
        company.put_contact(record)
    answer = search("created_at", ">", 1, sort={"field": field, "order": "ascending"})
    assert answer.status_code == 200
    assert answer.json()["total_count"] == 7 + len(BROKEN)
