"""Tables of other programs under our names: never altered, and named in a sentence before anything is changed."""

from pathlib import Path

import pytest

from intercom_sync.domain.schema import tables
from intercom_sync.warehouse.errors import DatabaseRefusedError
from intercom_sync.warehouse.schema.ddl import EMAIL_INDEX, MARK
from intercom_sync.warehouse.schema.inspection import inspect
from intercom_sync.warehouse.schema.migrate import migrate, pending, prepare
from intercom_sync_tests.warehouse.plain_connection import definitions, direct

BEFORE_MARKS = (Path(__file__).with_name("before_marks.sql")).read_text()
_OTHERS = [table.name for table in tables.TABLES if table.name != "unified_customers"]


def _make(url: str, schema: str, statements: str) -> None:
    with direct(url, schema) as cursor:
        cursor.execute(statements)


def _is_refused(url: str, schema: str, name: str) -> None:
    """A sync, a migration and the doctor say the same sentence, and nothing is changed."""
    before = definitions(url, schema)
    for change in (prepare, migrate, pending):
        with pytest.raises(DatabaseRefusedError, match=f"{name}, which intercom_sync did not create") as refused:
            change(url, schema)
        assert "INTERCOM_SYNC_SCHEMA" in str(refused.value)
        assert "\n" not in str(refused.value)
    assert str(refused.value) in inspect(url, schema, with_dagster=True).problems
    assert definitions(url, schema) == before


@pytest.mark.parametrize("name", _OTHERS)
def test_a_table_of_another_program_is_refused_by_name(database_url: str, schema: str, name: str) -> None:
    _make(database_url, schema, f"CREATE TABLE {name} (id serial PRIMARY KEY, note text)")
    _is_refused(database_url, schema, f"the table {name}")


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        ("CREATE VIEW sync_runs AS SELECT 1 AS run_id", "the view sync_runs"),
        ("CREATE MATERIALIZED VIEW revenue_metrics AS SELECT 1 AS run_id", "the materialized view revenue_metrics"),
        ("CREATE TABLE sync_runs (run_id text) PARTITION BY HASH (run_id)", "the partitioned table sync_runs"),
        ("CREATE SEQUENCE customer_alerts", "the sequence customer_alerts"),
        ("CREATE TYPE sync_runs AS ENUM ('a')", "the type sync_runs"),
        ("CREATE DOMAIN suppression_list AS text", "the type suppression_list"),
        ("CREATE TYPE suppression_list AS (a text)", "the type suppression_list"),
        ("CREATE TABLE other (a text); CREATE INDEX sync_runs ON other (a)", "the index sync_runs"),
        (f"CREATE TABLE other (a text); CREATE INDEX {EMAIL_INDEX} ON other (a)", f"the index {EMAIL_INDEX}"),
        (f"CREATE TABLE {EMAIL_INDEX} (a text)", f"the table {EMAIL_INDEX}"),
        ("CREATE SEQUENCE intercom_revision", "the sequence intercom_revision"),
        ("CREATE TABLE intercom_revision (a text)", "the table intercom_revision"),
        ("CREATE TABLE intercom_sync_version (a text)", "the table intercom_sync_version"),
    ],
)
def test_whatever_has_one_of_our_names_is_refused(database_url: str, schema: str, statements: str, named: str) -> None:
    _make(database_url, schema, statements)
    _is_refused(database_url, schema, named)


def test_a_table_that_took_the_place_of_ours_is_refused(database_url: str, schema: str) -> None:
    prepare(database_url, schema)
    _make(
        database_url,
        schema,
        "DROP TABLE sync_runs CASCADE; CREATE TABLE sync_runs (run_id text PRIMARY KEY, mode text)",
    )
    _is_refused(database_url, schema, "the table sync_runs")


def test_other_names_of_others_do_not_matter(database_url: str, schema: str) -> None:
    _make(
        database_url,
        schema,
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY); "
        "INSERT INTO alembic_version VALUES ('0f3c'); CREATE TABLE customers (id int); "
        'CREATE TABLE "Sync_Runs" (id int); CREATE FUNCTION sync_runs() RETURNS int LANGUAGE sql AS $$SELECT 1$$',
    )
    prepare(database_url, schema)
    with direct(database_url, schema) as cursor:
        cursor.execute("SELECT version_num FROM alembic_version")
        assert cursor.fetchall() == [("0f3c",)]
        cursor.execute('SELECT count(*) FROM "Sync_Runs"')


def test_every_table_that_we_make_says_so(database_url: str, schema: str) -> None:
    prepare(database_url, schema)
    with direct(database_url, schema) as cursor:
        cursor.execute(
            "SELECT relname, obj_description(oid, 'pg_class') FROM pg_class "
            "WHERE relnamespace = %s::regnamespace AND relkind = 'r'",
            (schema,),
        )
        found = dict(cursor.fetchall())
    assert set(found) == {"intercom_sync_version", *(table.name for table in tables.TABLES)}
    assert all(comment.startswith(MARK) for comment in found.values())


def test_tables_from_before_the_marks_are_recognized_and_brought_up_to_date(database_url: str, schema: str) -> None:
    _make(database_url, schema, BEFORE_MARKS.format(schema=schema))
    _make(
        database_url,
        schema,
        "INSERT INTO unified_customers (email, mrr) VALUES ('ann@example.com', 3), ('bob@example.com', 4); "
        "INSERT INTO forgotten (kind, mark) VALUES ('salt', 'x')",
    )
    prepare(database_url, schema)
    with direct(database_url, schema) as cursor:
        cursor.execute("SELECT email, mrr, customer_id FROM unified_customers ORDER BY customer_id")
        assert [(email, int(mrr)) for email, mrr, _ in cursor.fetchall()] == [
            ("ann@example.com", 3),
            ("bob@example.com", 4),
        ]
        cursor.execute("INSERT INTO unified_customers (email) VALUES ('cy@example.com') RETURNING customer_id")
        assert cursor.fetchall() == [(3,)]
        cursor.execute("SELECT count(*) FROM suppression_list")
        assert cursor.fetchall() == [(1,)]
    assert pending(database_url, schema) == []


def test_what_an_older_doctor_made_of_another_programs_table_is_still_that_programs(
    database_url: str, schema: str
) -> None:
    """It added our columns to every table of our names, and noted its version."""
    _make(database_url, schema, BEFORE_MARKS.format(schema=schema))
    _make(
        database_url,
        schema,
        "DROP TABLE revenue_metrics; CREATE TABLE revenue_metrics (contact_id text PRIMARY KEY, amount numeric, "
        "stripe_customer_id text, mrr numeric, currencies text[], revision bigint, rules text)",
    )
    _is_refused(database_url, schema, "the table revenue_metrics")


def test_customers_of_others_are_not_marked_and_get_no_key_of_ours(database_url: str, schema: str) -> None:
    _make(database_url, schema, "CREATE TABLE unified_customers (email text, owner text)")
    prepare(database_url, schema)
    with direct(database_url, schema) as cursor:
        cursor.execute("SELECT obj_description('unified_customers'::regclass, 'pg_class')")
        assert cursor.fetchall() == [(None,)]
        cursor.execute("SELECT * FROM unified_customers LIMIT 0")
        assert "customer_id" not in {column.name for column in cursor.description or ()}
    assert pending(database_url, schema) == []


def test_an_index_of_others_that_makes_emails_unique_is_enough(database_url: str, schema: str) -> None:
    _make(
        database_url,
        schema,
        "CREATE TABLE unified_customers (email varchar(90)); CREATE UNIQUE INDEX theirs ON unified_customers "
        "(lower(email))",
    )
    prepare(database_url, schema)
    with direct(database_url, schema) as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE schemaname = %s AND tablename = 'unified_customers'",
                       (schema,))  # fmt: skip
        assert cursor.fetchall() == [("theirs",)]
