"""Ids that move between customers, where another system wants them unique."""

import itertools
from collections.abc import Iterator

import pytest

from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.privacy.erase_person import erase_person
from intercom_sync_tests.warehouse.shared_table import SharedTable, person

_ADA, _BOB, _CYD = "ada@x.com", "bob@x.com", "cyd@x.com"
_UNIQUE = (
    "intercom_contact_id text UNIQUE, stripe_customer_id varchar(20), external_id text, "
    "UNIQUE (stripe_customer_id), EXCLUDE USING btree (external_id WITH =)"
)


@pytest.fixture
def table(database_url: str, schema: str) -> Iterator[SharedTable]:
    made = SharedTable(database_url, schema)
    made.rows(f"CREATE TABLE unified_customers (email text NOT NULL, {_UNIQUE})")
    yield made
    made.close()


def _who(id: str, email: str | None, stripe: str, *, day: int = 0):
    return person(id, email, day=day, stripe={"stripe_id": stripe}, external_id=f"x-{stripe}")


def test_a_contact_takes_its_ids_to_its_new_email(table: SharedTable) -> None:
    table.sync(_who("c1", _ADA, "cus_1"), day=0)
    table.sync(_who("c1", _BOB, "cus_1", day=1), day=2)
    ids = ("intercom_contact_id", "stripe_customer_id", "external_id")
    assert table.written(*ids) == {_ADA: (None, None, None), _BOB: ("c1", "cus_1", "x-cus_1")}
    ada = table.customer(_ADA)
    assert ada["intercom_deleted_at"] is not None
    assert ada["name"] is not None
    assert table.rejects() == {}
    places = table.places()
    table.sync(day=2)
    assert table.places() == places


def test_ids_of_a_customer_deleted_long_ago_come_back_under_another_email(table: SharedTable) -> None:
    table.sync(_who("c1", _ADA, "cus_1"), day=0)
    table.sync(_who("c1", None, "cus_1", day=1), day=2)
    assert table.written("intercom_contact_id") == {_ADA: "c1"}
    table.sync(_who("c1", _BOB, "cus_1", day=3), day=4)
    assert table.written("intercom_contact_id", "stripe_customer_id") == {_ADA: (None, None), _BOB: ("c1", "cus_1")}


@pytest.mark.parametrize("way", list(itertools.permutations("abc")))
def test_customers_exchange_their_ids_in_any_way(table: SharedTable, way: tuple[str, ...]) -> None:
    emails = {"a": _ADA, "b": _BOB, "c": _CYD}
    table.sync(*(_who(f"c-{n}", emails[n], f"cus_{n}") for n in "abc"), day=0)
    table.sync(*(_who(f"c-{n}", emails[to], f"cus_{n}", day=1) for n, to in zip("abc", way, strict=True)), day=2)
    expected = {emails[to]: (f"c-{n}", f"cus_{n}", f"x-cus_{n}") for n, to in zip("abc", way, strict=True)}
    assert table.written("intercom_contact_id", "stripe_customer_id", "external_id") == expected
    assert table.rejects() == {}


def test_of_two_contacts_with_one_stripe_id_the_customer_that_has_it_keeps_it(table: SharedTable) -> None:
    table.sync(person("c2", _BOB, stripe={"stripe_id": "cus_1"}), day=0)
    done = table.sync(
        person("c1", _ADA, stripe={"stripe_id": "cus_1"}), person("c2", _BOB, stripe={"stripe_id": "cus_1"}), day=1
    )
    assert (done.stats.new_contacts, done.stats.updated_contacts, done.stats.skipped_contacts) == (0, 1, 1)
    assert table.written("stripe_customer_id") == {_BOB: "cus_1"}
    reason, field, value = table.rejects()["customer c1"]
    assert "unified_customers_stripe_customer_id_key" in reason
    assert (field, value) == ("stripe_customer_id", "cus_1")
    # Its own one day: it enters.
    table.sync(person("c1", _ADA, day=2, stripe={"stripe_id": "cus_2"}), day=3)
    assert table.written("stripe_customer_id") == {_ADA: "cus_2", _BOB: "cus_1"}
    assert table.rejects() == {}


def test_an_id_that_another_system_gave_to_a_customer_is_not_taken_from_it(table: SharedTable) -> None:
    table.rows("INSERT INTO unified_customers (email, stripe_customer_id) VALUES (%s, 'cus_1')", _CYD)
    table.sync(_who("c1", _ADA, "cus_1"), person("c2", _BOB))
    assert table.written("stripe_customer_id") == {_BOB: None, _CYD: "cus_1"}
    assert list(table.rejects()) == ["customer c1"]


def test_an_id_stays_where_the_row_that_was_to_take_it_is_refused(table: SharedTable) -> None:
    table.sync(_who("c1", _ADA, "cus_1"), _who("c2", _BOB, "cus_2"), day=0)
    table.rows("ALTER TABLE unified_customers ADD CHECK (email NOT LIKE 'cyd%')")
    table.sync(_who("c1", _CYD, "cus_1", day=1), day=2)
    assert table.written("intercom_contact_id", "stripe_customer_id") == {_ADA: ("c1", "cus_1"), _BOB: ("c2", "cus_2")}
    assert table.customer(_ADA)["intercom_deleted_at"] is not None


def test_forgetting_a_contact_finds_the_email_that_its_id_has_left(
    table: SharedTable, database_url: str, schema: str
) -> None:
    table.sync(_who("c1", _ADA, "cus_1"), _who("c2", _CYD, "cus_2"), day=0)
    table.sync(_who("c1", _BOB, "cus_1", day=1), day=2)
    with Session(database_url, schema) as session:
        erase_person(session, _BOB)
    assert set(table.written("name")) == {_CYD}


def test_forgetting_a_refused_customer_takes_it_from_the_rejects(
    table: SharedTable, database_url: str, schema: str
) -> None:
    table.sync(_who("c1", _ADA, "cus_1"), day=0)
    table.sync(_who("c2", _BOB, "cus_1"), day=1)
    assert list(table.rejects()) == ["customer c2"]
    with Session(database_url, schema) as session:
        assert erase_person(session, _BOB)["rejected_records"] == 1
    assert table.rejects() == {}
