"""A row that the table of another system refuses costs that row alone, until the table takes it."""

from collections.abc import Iterator
from typing import Any

import pytest

from intercom_sync.warehouse.errors import WarehouseError
from intercom_sync_tests.warehouse.shared_table import SharedTable, person

_ADA, _BOB, _CYD = "ada@x.com", "bob@x.com", "cyd@x.com"
_IDS = {"TYPE uuid": ("5ba682d2-3d7c-f92b-ef87-bfd412345678", None), "TYPE integer": ("1", "3")}
_LONG = "b" * 50 + "@example.com"


@pytest.fixture
def table(database_url: str, schema: str) -> Iterator[SharedTable]:
    made = SharedTable(database_url, schema)
    yield made
    made.close()


def _raising(when: str, does: str) -> str:
    return (
        "CREATE FUNCTION raising() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NEW.email LIKE 'bob%' THEN {does}; END IF; RETURN NEW; END $$; "
        f"CREATE TRIGGER theirs {when} ON unified_customers FOR EACH ROW EXECUTE FUNCTION raising()"
    )


# What another system made, the fields of Bob that it refuses, words of the reason, and the column.
_REFUSED: list[tuple[str, dict[str, Any], list[str], str]] = [
    ("CREATE UNIQUE INDEX by_name ON unified_customers (name)", {"name": "Ada"}, ["unique", "by_name"], "name"),
    (
        "CREATE UNIQUE INDEX by_lower ON unified_customers (lower(external_id)) WHERE external_id IS NOT NULL",
        {"external_id": "E-1"}, ["unique", "by_lower"], "external_id",
    ),
    (
        "ALTER TABLE unified_customers ADD CONSTRAINT later UNIQUE (name) DEFERRABLE INITIALLY DEFERRED",
        {"name": "Ada"}, ["unique", "later"], "name",
    ),
    (
        "ALTER TABLE unified_customers ADD CONSTRAINT nowhere CHECK (location_city <> 'Nowhere')",
        {"location": {"type": "location", "city": "Nowhere"}}, ["check", "nowhere"], "location_city",
    ),
    (
        "CREATE TABLE plans (name text PRIMARY KEY); INSERT INTO plans VALUES ('Basic'); ALTER TABLE unified_customers "
        "ADD CONSTRAINT of_plan FOREIGN KEY (plan_name) REFERENCES plans",
        {"stripe": {"stripe_plan": "Pro"}}, ["foreign key", "of_plan"], "plan_name",
    ),
    (
        "CREATE TABLE plans (name text PRIMARY KEY); ALTER TABLE unified_customers ADD CONSTRAINT of_plan FOREIGN KEY "
        "(plan_name) REFERENCES plans DEFERRABLE INITIALLY DEFERRED",
        {"stripe": {"stripe_plan": "Pro"}}, ["foreign key", "of_plan"], "plan_name",
    ),
    (
        "ALTER TABLE unified_customers ADD CONSTRAINT apart EXCLUDE USING btree (name WITH =)",
        {"name": "Ada"}, ["exclusion", "apart"], "name",
    ),
    (
        "ALTER TABLE unified_customers ALTER external_id SET NOT NULL",
        {"external_id": None}, ["required"], "external_id",
    ),
    ("ALTER TABLE unified_customers ALTER email TYPE varchar(60)", {"email": _LONG}, ["length", "(60)"], "email"),
    (
        "ALTER TABLE unified_customers ALTER external_id TYPE varchar(8)",
        {"external_id": "user-0001"}, ["length", "character varying(8)"], "external_id",
    ),
    (
        "ALTER TABLE unified_customers ALTER intercom_contact_id TYPE char(2)",
        {"id": "c2-long"}, ["length", "character(2)"], "intercom_contact_id",
    ),
    (
        "CREATE DOMAIN short AS varchar(4); ALTER TABLE unified_customers ALTER external_id TYPE short",
        {"external_id": "user-0001"}, ["length", "short"], "external_id",
    ),
    (
        "CREATE DOMAIN known AS text CONSTRAINT is_known CHECK (value IN ('ok')); "
        "ALTER TABLE unified_customers ALTER plan_name TYPE known",
        {"stripe": {"stripe_plan": "Pro"}}, ["check", "is_known"], "plan_name",
    ),
    (
        "CREATE DOMAIN given AS text NOT NULL DEFAULT ''; ALTER TABLE unified_customers ALTER external_id TYPE given",
        {"external_id": None}, ["required"], "external_id",
    ),
    (
        "CREATE TYPE status AS ENUM ('active'); ALTER TABLE unified_customers ALTER subscription_status TYPE status "
        "USING subscription_status::status",
        {"stripe": {"stripe_subscription_status": "paused"}}, ["type", "status"], "subscription_status",
    ),
    (
        "ALTER TABLE unified_customers ALTER subscription_status TYPE varchar(10)",
        {"stripe": {"stripe_subscription_status": "incomplete_expired"}}, ["length"], "subscription_status",
    ),
    (
        "ALTER TABLE unified_customers ALTER external_id TYPE uuid USING NULL",
        {"external_id": "user-1"}, ["type", "uuid"], "external_id",
    ),
    (
        "ALTER TABLE unified_customers ALTER external_id TYPE integer USING NULL",
        {"external_id": "3000000000"}, ["range", "integer"], "external_id",
    ),
    (
        "ALTER TABLE unified_customers ALTER mrr TYPE numeric(10,2)",
        {"mrr": 150_000_000}, ["range", "numeric(10,2)"], "mrr",
    ),
    ("ALTER TABLE unified_customers ALTER mrr TYPE smallint", {"mrr": 40_000}, ["range", "smallint"], "mrr"),
    ("ALTER TABLE unified_customers ALTER mrr TYPE integer", {"mrr": 3 * 10**9}, ["range", "integer"], "mrr"),
    (
        "CREATE INDEX by_size ON unified_customers (name)",
        {"name": "".join(chr(0x4E00 + n) for n in range(9000))}, ["size", "index"], "unified_customers",
    ),
    (_raising("BEFORE INSERT", "RAISE EXCEPTION 'not bob@x.com'"), {}, ["trigger", "P0001"], "unified_customers"),
    (_raising("AFTER INSERT", "RAISE USING ERRCODE = 'U0815'"), {}, ["trigger", "U0815"], "unified_customers"),
    (_raising("BEFORE INSERT", "PERFORM 1 / 0"), {}, ["trigger", "22012"], "unified_customers"),
    (_raising("BEFORE INSERT", "RETURN NULL"), {}, ["trigger", "without an error"], "unified_customers"),
    (
        "ALTER TABLE unified_customers ADD tier text CHECK (tier <> 'x') NOT NULL DEFAULT 'y'; "
        "CREATE FUNCTION tiers() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.email LIKE 'bob%' THEN "
        "NEW.tier = NULL; END IF; RETURN NEW; END $$; CREATE TRIGGER theirs BEFORE INSERT ON unified_customers "
        "FOR EACH ROW EXECUTE FUNCTION tiers()",
        {}, ["required", "tier"], "tier",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("made", "fields", "said", "field"), _REFUSED)
def test_a_refused_row_is_among_the_rejects_and_the_others_are_written(
    table: SharedTable, made: str, fields: dict[str, Any], said: list[str], field: str
) -> None:
    table.sync(day=0)
    table.rows(made)
    first, last = next((ids for kind, ids in _IDS.items() if kind in made), ("e-1", "e-3"))
    ada = person("c1", _ADA, external_id=first, name="Ada")
    bob = person(**({"id": "c2", "email": _BOB, "external_id": "e-2", "name": "Bob", "mrr": 600} | fields))
    cyd = person("c3", _CYD, external_id=last, name="Cyd")
    done = table.sync(ada, bob, cyd)
    assert sorted(table.written("name")) == [_ADA, _CYD]
    assert (done.stats.new_contacts, done.stats.skipped_contacts, done.stats.alerts_generated) == (2, 1, 0)
    (key,) = table.rejects()
    assert key == f"customer {bob['id']}"
    reason, column, value = table.rejects()[key]
    assert column == field
    assert all(word in reason for word in said), reason
    assert "@" not in reason
    assert value is None or not isinstance(value, dict)
    assert table.alerts() == []
    # The same again: still refused, nothing else is written again.
    places = table.places()
    assert table.sync().stats.new_contacts == 0
    assert (table.places(), list(table.rejects())) == (places, [key])
    # The contact is mended in Intercom, or the table by its owner.
    table.rows("DROP TRIGGER IF EXISTS theirs ON unified_customers")
    mended = person("c2", _BOB, day=2, name="B", external_id=None if "uuid" in made else "2", mrr=501)
    done = table.sync(mended, day=3, gone={bob["id"]} - {"c2"})
    assert done.stats.new_contacts == 1
    assert table.rejects() == {}
    assert table.alerts() == [("new_high_value", _BOB)]


def test_an_update_that_is_refused_leaves_the_row_as_it_was(table: SharedTable) -> None:
    table.sync(person("c1", _ADA, mrr=100), person("c2", _BOB, mrr=100), day=0)
    table.rows("ALTER TABLE unified_customers ADD CONSTRAINT cheap CHECK (mrr < 500 OR email LIKE 'a%')")
    done = table.sync(person("c1", _ADA, day=1, mrr=900), person("c2", _BOB, day=1, mrr=900, name="New"), day=2)
    assert (done.stats.updated_contacts, done.stats.skipped_contacts) == (1, 1)
    bob = table.customer(_BOB)
    assert (bob["mrr"], bob["name"] == "New") == (100, False)
    assert done.result.mrr == 1000
    assert table.alerts() == [("mrr_change", _ADA), ("new_high_value", _ADA)]
    assert table.rejects()["customer c2"][0].endswith("its check cheap")
    # Nothing is read again: the row is written as soon as the table takes it, with the alerts of that moment.
    table.rows("ALTER TABLE unified_customers DROP CONSTRAINT cheap")
    table.sync(day=3)
    assert table.customer(_BOB)["mrr"] == 900
    assert table.alerts()[2:] == [("mrr_change", _BOB), ("new_high_value", _BOB)]
    assert table.rejects() == {}


def test_a_required_column_of_theirs_without_a_default_refuses_new_rows_only(table: SharedTable) -> None:
    table.rows("CREATE TABLE unified_customers (email text, segment text NOT NULL)")
    table.rows("INSERT INTO unified_customers VALUES (%s, 'smb')", _ADA)
    table.sync(person("c1", _ADA), person("c2", _BOB))
    assert table.written("intercom_contact_id") == {_ADA: "c1"}
    ((reason, field, value),) = table.rejects().values()
    assert (field, value) == ("segment", None)
    assert "required column segment" in reason


def test_rows_that_a_policy_hides_or_forbids_cost_only_themselves(
    table: SharedTable, database_url: str, schema: str
) -> None:
    table.sync(person("c1", _ADA, name="A"), day=0)
    role = f"{schema}_role"
    table.rows(
        f"CREATE ROLE {role}; GRANT ALL ON SCHEMA {schema} TO {role}; "
        f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}; "
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {role}; "
        "ALTER TABLE unified_customers ENABLE ROW LEVEL SECURITY; "
        "INSERT INTO unified_customers (email) VALUES ('cyd@x.com');"
        "CREATE POLICY seen ON unified_customers FOR SELECT USING (email NOT LIKE 'cyd%');"
        "CREATE POLICY changed ON unified_customers FOR UPDATE USING (email NOT LIKE 'ada%');"
        "CREATE POLICY made ON unified_customers FOR INSERT WITH CHECK (email NOT LIKE 'bob%')"
    )
    restricted = SharedTable(f"{database_url}{'&' if '?' in database_url else '?'}options=-crole%3D{role}", schema)
    try:
        people = [
            person("c1", _ADA, day=1, name="B"),
            person("c2", _BOB),
            person("c3", _CYD),
            person("c4", "eve@x.com"),
        ]
        done = restricted.sync(*people, day=2)
    finally:
        restricted.close()
        table.rows(f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert done.stats.new_contacts == 1
    assert set(table.rejects()) == {"customer c1", "customer c2", "customer c3"}
    assert "policy" in table.rejects()["customer c2"][0]
    assert table.customer(_ADA)["name"] == "A"


def test_a_trigger_that_leaves_out_writes_without_news_is_no_refusal(table: SharedTable) -> None:
    table.rows("CREATE TABLE unified_customers (email text)")
    table.rows(
        "CREATE TRIGGER quiet BEFORE UPDATE ON unified_customers FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    )
    table.sync(person("c1", _ADA))
    assert table.sync(person("c1", _ADA)).stats.updated_contacts == 1
    assert table.rejects() == {}


def test_alerts_say_what_a_trigger_made_of_the_row(table: SharedTable) -> None:
    table.rows("CREATE TABLE unified_customers (email text, mrr numeric)")
    table.rows(
        "CREATE FUNCTION capped() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.mrr > 1000 THEN NEW.mrr = 0; "
        "END IF; RETURN NEW; END $$; CREATE TRIGGER theirs BEFORE INSERT OR UPDATE ON unified_customers "
        "FOR EACH ROW EXECUTE FUNCTION capped()"
    )
    for day in (1, 2):
        table.sync(person("c1", _ADA, mrr=9000), person("c2", _BOB, mrr=900), day=day)
    assert table.alerts() == [("new_high_value", _BOB)]
    assert table.written("mrr") == {_ADA: "0", _BOB: "900"}


def test_many_refused_rows_among_many_are_each_found(table: SharedTable) -> None:
    table.sync(day=0)
    table.rows("ALTER TABLE unified_customers ADD CONSTRAINT seventh CHECK (right(external_id, 1) <> '7')")
    people = [person(f"c{n}", f"p{n}@x.com", external_id=str(n)) for n in range(3000)]
    done = table.sync(*people)
    assert (done.stats.new_contacts, done.stats.skipped_contacts) == (2700, 300)
    assert len(table.rejects()) == 300
    again = table.sync(*people, day=2)
    assert (again.stats.new_contacts, again.stats.updated_contacts) == (0, 2700)


def test_what_is_no_rows_fault_still_fails_the_sync_by_a_sentence(table: SharedTable) -> None:
    table.sync(day=0)
    table.rows(_raising("BEFORE INSERT", "PERFORM no_such_function()").replace("bob%", "%"))
    with pytest.raises(WarehouseError, match="42883"):
        table.sync(person("c1", _ADA))
    assert table.rejects() == {}


def test_a_deleted_customer_that_returns_counts_as_new_for_alerts(table: SharedTable) -> None:
    table.sync(person("c1", _ADA, mrr=900, stripe={"stripe_delinquent": True}), day=0)
    table.sync(day=1, gone=["c1"])
    assert table.customer(_ADA)["intercom_deleted_at"] is not None
    table.rows("DELETE FROM customer_alerts")
    table.sync(person("c9", _ADA, mrr=100, stripe={"stripe_delinquent": True}), day=2)
    assert table.alerts() == [("payment_delinquent", _ADA)]
    table.sync(day=3, gone=["c9"])
    table.sync(person("c9", _ADA, day=4, mrr=900, stripe={"stripe_delinquent": True}), day=5)
    assert table.alerts()[1:] == [("new_high_value", _ADA), ("payment_delinquent", _ADA)]
    table.sync(person("c9", _ADA, day=4, mrr=900, stripe={"stripe_delinquent": True}), day=6)
    assert len(table.alerts()) == 3
