"""Values of other systems that we cannot represent, and columns of other types: they disturb nothing and stay right."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from intercom_sync_tests.warehouse.shared_table import NOW, SharedTable, person

_TIMES = ("signup_date", "last_payment_date", "last_seen_at")
_NUMBERS = ("mrr", "arr", "ltv", "plan_price", "last_payment_amount", "csat_score")
_STRANGE_TIMES = ("infinity", "-infinity", "4000-01-01 BC", "123456-01-01", "9999-12-31 12:00")
_STRANGE_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e40", "-1e33", "99999999999999999999999999999999.9999999")
_STRANGE = [*itertools.product(_TIMES, _STRANGE_TIMES), *itertools.product(_NUMBERS, _STRANGE_NUMBERS)]


@pytest.fixture
def table(database_url: str, schema: str) -> Iterator[SharedTable]:
    made = SharedTable(database_url, schema)
    yield made
    made.close()


def test_values_that_we_cannot_represent_stay_and_disturb_nothing(table: SharedTable) -> None:
    """Each in a row of its own: of a customer that only they know, and of one whose contact has none for the column."""
    table.sync(day=0)
    for number, (column, value) in enumerate(_STRANGE):
        for email in (f"crm{number}@x.com", f"both{number}@x.com"):
            table.rows(f"INSERT INTO unified_customers (email, name, {column}) VALUES (%s, 'n', %s)", email, value)
    before = table.written(*_TIMES, *_NUMBERS)
    people = [person(f"c{n}", f"both{n}@x.com", created_at=1_700_000_000) for n in range(len(_STRANGE))]
    done = table.sync(*people, person("new", "new@x.com", mrr=10))
    assert (done.stats.new_contacts, done.stats.updated_contacts) == (1, len(_STRANGE))
    assert done.result.mrr == 10
    after = table.written(*_TIMES, *_NUMBERS)
    for number, (column, _) in enumerate(_STRANGE):
        crm, both = f"crm{number}@x.com", f"both{number}@x.com"
        assert after[crm] == before[crm]
        if column != "signup_date":  # which every contact has
            place = (*_TIMES, *_NUMBERS).index(column)
            assert after[both][place] == before[both][place]
    assert table.rejects() == {}
    assert table.alerts() == []
    places = table.places()
    assert table.sync(day=1).stats.new_contacts == 0
    assert table.places() == places


def test_intercoms_value_replaces_what_we_cannot_represent(table: SharedTable) -> None:
    table.sync(day=0)
    table.rows("INSERT INTO unified_customers (email, mrr, last_seen_at) VALUES ('ada@x.com', 'NaN', 'infinity')")
    seen = int(NOW.timestamp())
    table.sync(person("c1", "ada@x.com", mrr=600, last_seen_at=seen))
    ada = table.customer("ada@x.com")
    assert (ada["mrr"], ada["last_seen_at"], ada["days_since_seen"]) == (600, NOW, 1)
    assert table.alerts() == [("new_high_value", "ada@x.com")]
    table.rows("UPDATE unified_customers SET mrr = 'Infinity', last_seen_at = '-infinity'")
    table.sync(day=2)
    assert table.written("mrr", "days_since_seen") == {"ada@x.com": ("600", "2")}


@pytest.mark.parametrize("mark", ["infinity", "-infinity", "100000-01-01"])
def test_a_mark_of_deletion_that_is_no_time_goes_with_the_contact(table: SharedTable, mark: str) -> None:
    table.sync(person("c1", "ada@x.com"), day=0)
    table.rows("INSERT INTO unified_customers (email) VALUES ('crm@x.com')")
    table.rows("UPDATE unified_customers SET intercom_deleted_at = %s", mark)
    table.sync()
    found = table.written("intercom_deleted_at")
    assert found["ada@x.com"] is None
    assert found["crm@x.com"] is not None


_STRIPE = {
    "stripe_id": "42", "stripe_plan": "Professional", "stripe_plan_price": 299, "stripe_delinquent": True,
    "stripe_subscription_status": "active", "stripe_last_charge_amount": 29900,
    "stripe_last_charge_at": int(NOW.timestamp()),
}  # fmt: skip
_WHO = "5ba682d2-3d7c-f92b-ef87-bfd412345678"
_KEPT = [
    ("intercom_contact_id", "uuid", _WHO),
    ("intercom_contact_id", "char(40)", _WHO),
    ("external_id", "bigint", "7"),
    ("external_id", "smallint", "7"),
    ("external_id", "numeric(9)", "7"),
    ("external_id", "varchar(1)", "7"),
    ("stripe_customer_id", "integer", "42"),
    ("subscription_status", "enumerated", "active"),
    ("plan_name", "char(15)", "Professional"),
    ("plan_name", "varchar(3)", "Pro"),
    ("plan_name", "short", "Prof"),
    ("name", "citext", "Ada Field"),
    ("mrr", "numeric(5,1)", "100.0"),
    ("mrr", "real", "100"),
    ("mrr", "double precision", "100"),
    ("mrr", "smallint", "100"),
    ("mrr", "money", "$100.00"),
    ("mrr", "positive", "100"),
    ("mrr", "text", "100"),
    ("arr", "varchar(20)", "1200"),
    ("subscription_count", "smallint", "1"),
    ("subscription_count", "bigint", "1"),
    ("subscription_count", "numeric(3,1)", "1.0"),
    ("subscription_count", "text", "1"),
    ("is_delinquent", "smallint", "1"),
    ("is_delinquent", "integer", "1"),
    ("is_delinquent", "numeric(1)", "1"),
    ("is_delinquent", "text", "true"),
    ("is_delinquent", "char(1)", "t"),
    ("signup_date", "date", "2026-03-07"),
    ("signup_date", "timestamp", "2026-03-07 12:00:00"),
    ("signup_date", "timestamptz(0)", "2026-03-07 12:00:00+00"),
    ("signup_date", "text", "2026-03-07 12:00:00+00"),
    ("last_payment_date", "varchar(30)", "2026-06-15 12:00:00+00"),
    ("days_since_seen", "smallint", "1"),
    ("open_tickets", "real", "0"),
    ("mentioned_cancel", "integer", "0"),
    ("quality_score", "double precision", "55"),
    ("last_intercom_sync", "date", "2026-06-16"),
    ("last_intercom_sync", "text", "2026-06-16 12:00:00+00"),
    ("email", "varchar(40)", "ada@x.com"),
    ("email", "char(12)", "ada@x.com"),
    ("email", "citext", "ada@x.com"),
]


@pytest.mark.parametrize(("column", "kind", "kept"), _KEPT)
def test_a_column_of_another_type_is_written_by_a_cast_once(
    table: SharedTable, column: str, kind: str, kept: str
) -> None:
    table.rows(
        "CREATE TYPE enumerated AS ENUM ('active', 'canceled'); CREATE DOMAIN short AS varchar(4); "
        "CREATE DOMAIN positive AS numeric CHECK (value >= 0)"
    )
    if kind == "citext":
        if not table.rows("SELECT FROM pg_available_extensions WHERE name = 'citext'"):
            pytest.skip("this server does not bring citext")
        table.rows("CREATE EXTENSION IF NOT EXISTS citext")
    emails = "" if column == "email" else "email text, "
    table.rows(f"CREATE TABLE unified_customers ({emails}{column} {kind})")
    fields: dict[str, Any] = {"name": "Ada Field", "external_id": "7", "last_seen_at": int(NOW.timestamp())}
    table.sync(person(_WHO, "ada@x.com", mrr=100, stripe=_STRIPE, **fields))
    assert table.rejects() == {}
    assert list(table.rows(f"SELECT {column}::text AS kept FROM unified_customers")) == [{"kept": kept}]
    places = table.places()
    done = table.sync()
    assert (table.places(), done.stats.new_contacts, table.rejects()) == (places, 0, {})
    if column in {"plan_name", "external_id", "stripe_customer_id", "subscription_status", "last_payment_date"}:
        table.sync(person(_WHO, "ada@x.com", day=2, mrr=100, **(fields | {"external_id": None})), day=3)
        assert table.customer("ada@x.com")[column] is None


def test_texts_of_others_that_are_no_values_of_ours_stay(table: SharedTable) -> None:
    columns = {
        "mrr": "n/a", "subscription_count": "some", "is_delinquent": "perhaps", "last_seen_at": "last week",
        "ltv": "1e400", "last_payment_date": "2026-02-31", "days_since_seen": "99999999999", "csat_score": "",
    }  # fmt: skip
    table.rows(f"CREATE TABLE unified_customers (email text, {', '.join(f'{c} text' for c in columns)})")
    table.rows(
        f"INSERT INTO unified_customers VALUES ('ada@x.com'{', %s' * len(columns)})", *columns.values()
    )  # fmt: skip
    done = table.sync(person("c1", "ada@x.com"), person("c2", "bob@x.com", mrr=20))
    ada = table.customer("ada@x.com")
    assert {c: ada[c] for c in columns} == columns
    assert done.result.mrr == 20
    assert table.rejects() == {}


def test_a_required_column_of_ours_takes_its_default_where_intercom_has_no_value(table: SharedTable) -> None:
    table.rows(
        "CREATE TABLE unified_customers (email text, mrr numeric NOT NULL DEFAULT 0, plan_name varchar(9) NOT NULL "
        "DEFAULT 'free', is_delinquent integer NOT NULL DEFAULT 0, days_since_seen integer NOT NULL DEFAULT -1, "
        "last_payment_date timestamptz NOT NULL DEFAULT '2000-01-01')"
    )
    table.rows("INSERT INTO unified_customers (email, mrr) VALUES ('crm@x.com', 'NaN'), ('bob@x.com', 'NaN')")
    table.sync(person("c1", "ada@x.com"), person("c2", "bob@x.com"), person("c3", "cyd@x.com", mrr=5, stripe=_STRIPE))
    found = table.written("mrr", "plan_name", "is_delinquent", "days_since_seen")
    assert found == {
        "ada@x.com": ("0", "free", "0", "-1"),
        "bob@x.com": ("NaN", "free", "0", "-1"),
        "crm@x.com": ("NaN", "free", "0", "-1"),
        "cyd@x.com": ("5", "Professio", "1", "-1"),
    }
    places = table.places()
    table.sync(day=1)
    assert (table.places(), table.rejects()) == (places, {})
    table.sync(person("c3", "cyd@x.com", day=2), day=3)
    assert table.written("mrr", "plan_name")["cyd@x.com"] == ("0", "free")


def test_many_large_amounts_add_up_exactly(table: SharedTable) -> None:
    table.sync(day=0)
    table.rows(
        "INSERT INTO unified_customers (email, plan_name, mrr) "
        "SELECT 'crm' || n || '@x.com', 'Vast', 8e30 FROM generate_series(1, 14) n"
    )
    done = table.sync(person("c1", "ada@x.com", mrr=1))
    assert done.result.mrr == 14 * 8 * 10**30 + 1
    assert table.alerts() == []
