"""The generated company and the builders of single records."""

import json
from collections import Counter

import pytest

from intercom_sync.sandbox import conversations_generator, invalid_records, stripe_amounts
from intercom_sync.sandbox.builders import author, contact, conversation, message, part, payment, subscription
from intercom_sync.sandbox.generate import generate
from intercom_sync.sandbox.stripe_objects import WRAPPINGS

NOW = 1_750_075_200
DAY = 86_400


@pytest.fixture(scope="module")
def company():
    return generate(contacts=600, conversations=500, now=NOW)


@pytest.fixture(scope="module")
def contacts(company):
    return company.contacts()


@pytest.fixture(scope="module")
def conversations(company):
    """The sound ones."""
    return [
        each
        for each in company.conversations()
        if isinstance(each["source"], dict) and isinstance(each["contacts"], dict)
    ]


def parts_of(conversation):
    return conversation["conversation_parts"]["conversation_parts"]


def test_equal_arguments_make_equal_companies_and_another_seed_another():
    first, second = (generate(contacts=250, conversations=220, now=NOW) for _ in range(2))
    other = generate(contacts=250, conversations=220, now=NOW, seed=8)
    assert first.contacts() == second.contacts()
    assert first.conversations() == second.conversations()
    assert {each["id"] for each in first.contacts()}.isdisjoint(each["id"] for each in other.contacts())


@pytest.mark.parametrize("size", [0, 1, 2, 60, 199, 200, 777])
def test_a_company_has_as_many_records_as_asked_for(size):
    made = generate(contacts=size, conversations=size, now=NOW)
    assert len(made.contacts()) == len(made.conversations()) == size


def test_ids_are_as_intercoms_are(contacts, conversations):
    assert all(len(each["id"]) == 24 and int(each["id"], 16) for each in contacts)
    assert all(each["id"].isdigit() for each in conversations)
    assert len({each["id"] for each in contacts}) == 600


def test_emails_are_missing_empty_shared_and_spelt_in_many_ways(contacts):
    emails = [each["email"] for each in contacts]
    assert None in emails
    assert "" in emails
    assert any(email and email != email.strip() for email in emails)
    assert any(email and email != email.lower() for email in emails)
    by_address = Counter(email.strip().lower() for email in emails if email)
    shared = {address for address, times in by_address.items() if times > 1}
    roles = {}
    for each in contacts:
        if each["email"] and each["email"].strip().lower() in shared:
            roles.setdefault(each["email"].strip().lower(), []).append(each["role"])
    assert any(set(found) == {"user", "lead"} for found in roles.values())
    assert any(found.count("user") > 1 for found in roles.values())


def test_addresses_lie_in_domains_nobody_owns(contacts):
    domains = {each["email"].strip().lower().rpartition(".")[2] for each in contacts if "@" in (each["email"] or "")}
    assert domains <= {"com", "org", "net", "example"}
    assert all(".example" in each["email"].lower() for each in contacts if "account" in (each["email"] or ""))


def test_people_are_unseen_nameless_placeless_and_from_the_future(contacts):
    assert any(each["last_seen_at"] is None for each in contacts)
    assert any(each["location"] is None for each in contacts)
    assert any(isinstance(each["location"], dict) and each["location"]["country"] is None for each in contacts)
    assert any(each["name"] is None for each in contacts)
    assert any((each["signed_up_at"] or 0) > NOW + 365 * DAY for each in contacts)
    assert any(each["custom_attributes"] == {} and each["role"] == "user" for each in contacts)


def test_sixty_contacts_have_every_case_of_money():
    users = [each for each in generate(contacts=60, conversations=0, now=NOW).contacts() if each["role"] == "user"]
    attributes = [each["custom_attributes"] for each in users]
    text = json.dumps(attributes)
    assert len(users) > len(stripe_amounts.CASES)
    pricings = ("transform_usage", "metered", "tiered", "external_id", "jpy")
    for word in (*stripe_amounts._STATUSES, *pricings, "refunded", "stripe_subscriptions", "week", "day", "year"):
        assert f'"{word}"' in text or f'\\"{word}\\"' in text, word
    assert any("stripe_id" in each and "Stripe Subscriptions" not in each for each in attributes)
    assert any(each.get("Stripe Subscriptions") == [] for each in attributes)
    assert any(each.get("stripe_delinquent") in (True, "true", 1) for each in attributes)


def test_the_stripe_arrays_come_in_every_form(contacts):
    found = [
        each["custom_attributes"].get("Stripe Subscriptions")
        for each in contacts
        if each["role"] == "user" and isinstance(each["custom_attributes"], dict)
    ]
    assert any(isinstance(each, str) and each.startswith("[") for each in found)
    assert any(isinstance(each, str) and each.startswith("{") for each in found)
    for key in ("instances", "data", "items"):
        assert any(isinstance(each, dict) and key in each for each in found), key
    plain = [item for each in found if isinstance(each, list) for item in each]
    assert {"plan" in item for item in plain} == {True, False}
    assert set(WRAPPINGS) >= {"list", "flat", "instances", "data", "text"}


def test_conversations_are_rated_unrated_and_without_statistics(conversations):
    ratings = [each["conversation_rating"] for each in conversations]
    assert None in ratings
    assert {each["rating"] for each in ratings if each} == {None, 1, 2, 3, 4, 5}
    assert any(each["statistics"] is None for each in conversations)
    assert {each["state"] for each in conversations} == {"open", "closed", "snoozed"}
    assert all(each["open"] is (each["state"] != "closed") for each in conversations)


def test_the_word_cancel_comes_from_everybody(conversations):
    said = {
        (each["author"]["type"], each["part_type"])
        for conversation in conversations
        for each in parts_of(conversation)
        if "cancel" in (each["body"] or "").lower()
    }
    assert {("user", "comment"), ("admin", "comment"), ("admin", "note"), ("bot", "comment")} <= said
    openings = [each for each in conversations if each["source"]["body"] in conversations_generator.vocabulary.CANCELS]
    assert any(each["created_at"] > NOW - 30 * DAY for each in openings)
    assert any(each["created_at"] < NOW - 30 * DAY for each in openings)


def test_conversations_have_long_ones_groups_campaigns_and_strange_authors(conversations):
    assert max(len(parts_of(each)) for each in conversations) > 500
    assert max(len(each["contacts"]["contacts"]) for each in conversations) > 1
    campaigns = [each for each in conversations if each["source"]["delivered_as"] == "campaigns_initiated"]
    assert campaigns
    assert all(each["first_contact_reply"] is None for each in campaigns)
    assert all(each["statistics"]["last_contact_reply_at"] is None for each in campaigns)
    assert any(each["redacted"] for conversation in conversations for each in parts_of(conversation))
    opened_as_lead = [each for each in conversations if each["source"]["author"]["type"] == "lead"]
    assert any(
        reply["author"]["id"] == each["source"]["author"]["id"] and reply["author"]["type"] == "user"
        for each in opened_as_lead
        for reply in parts_of(each)
    )


def test_about_a_third_of_the_conversations_are_recent(conversations):
    recent = [each for each in conversations if NOW - 30 * DAY < each["created_at"] <= NOW]
    assert 0.25 < len(recent) / len(conversations) < 0.45
    assert all(part["created_at"] <= NOW for each in conversations for part in parts_of(each))


def test_as_many_records_are_broken_in_a_large_company_as_in_a_small_one():
    def unsound(size):
        made = generate(contacts=size, conversations=size, now=NOW)
        shapes = [each for each in made.contacts() if not isinstance(each["custom_attributes"], dict)]
        times = [each for each in made.conversations() if not isinstance(each["updated_at"], int)]
        return len(shapes), len(times)

    assert unsound(199) == (0, 0)
    assert unsound(200) == unsound(1500) == (1, 1)
    assert (len(invalid_records.CONTACTS), len(invalid_records.CONVERSATIONS)) == (12, 4)


def test_statistics_follow_from_the_messages():
    admin = author("admin", "7", "T", "t@example.com")
    made = conversation(
        created_at=100,
        source=message(author=author("user", "u")),
        parts=[
            part(created_at=200, author=admin),
            part(created_at=300, author=author("user", "u")),
            part(created_at=400, part_type="note", author=admin),
            part(created_at=500, part_type="close", body=None, author=admin),
        ],
        state="closed",
    )
    assert (made["updated_at"], made["open"]) == (500, False)
    assert made["contacts"]["contacts"] == [{"type": "contact", "id": "u"}]
    numbers = made["statistics"]
    assert numbers["last_contact_reply_at"] == 300
    assert numbers["first_contact_reply_at"] == 100
    assert (numbers["last_admin_reply_at"], numbers["last_close_at"]) == (200, 500)
    assert numbers["count_conversation_parts"] == 5


def test_what_is_given_wins_over_what_is_worked_out():
    made = conversation(statistics=None, updated_at=7, contact_ids=["a", "b"])
    assert (made["statistics"], made["updated_at"]) == (None, 7)
    assert [each["id"] for each in made["contacts"]["contacts"]] == ["a", "b"]
    assert contact(email=None, custom_attributes=None)["custom_attributes"] is None
    assert subscription(amount=5, interval="year", status="paused")["plan"]["amount"] == 5
    assert payment(amount=5)["status"] == "succeeded"


def test_records_built_without_an_id_get_one_of_their_own():
    assert len({contact()["id"] for _ in range(50)} | {conversation()["id"] for _ in range(50)}) == 100
