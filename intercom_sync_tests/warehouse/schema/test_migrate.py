"""Bringing a database up to the catalogue: what is missing is made, what others made is kept."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest

from intercom_sync.domain.schema import tables
from intercom_sync.warehouse.errors import DatabaseRefusedError
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.postgres.urls import plain_url
from intercom_sync.warehouse.schema.ddl import EMAIL_INDEX
from intercom_sync.warehouse.schema.migrate import create_schema, prepare

_COLUMNS = (
    "SELECT table_name::text AS t, column_name::text AS c, data_type::text AS type, is_nullable::text AS nullable "
    "FROM information_schema.columns WHERE table_schema = $1"
)


@contextmanager
def _direct(url: str, schema: str) -> Iterator[psycopg2.extensions.cursor]:
    connection = psycopg2.connect(plain_url(url), options=f"-c search_path={schema}")
    connection.autocommit = True
    with connection.cursor() as cursor:
        yield cursor
    connection.close()


def _columns(url: str, schema: str) -> dict[tuple[str, str], tuple[str, str]]:
    with Session(url, schema) as session:
        found = session.frame(_COLUMNS, schema).rows(named=True)
    return {(row["t"], row["c"]): (row["type"], row["nullable"]) for row in found}


def test_an_empty_schema_gets_every_table_and_column(database_url: str, schema: str) -> None:
    prepare(database_url, schema)
    made = _columns(database_url, schema)
    for table in tables.TABLES:
        assert {(table.name, name) for name in table.names} <= set(made)
    assert made["unified_customers", "mrr"] == ("numeric", "YES")
    assert made["unified_customers", "email"] == ("text", "NO")
    assert made["unified_customers", "signup_date"] == ("timestamp with time zone", "YES")


def test_the_schema_itself_is_made_where_it_is_missing(database_url: str, schema: str) -> None:
    prepare(database_url, f"{schema}_new")
    assert _columns(database_url, f"{schema}_new")
    with _direct(database_url, schema) as cursor:
        cursor.execute(f"DROP SCHEMA {schema}_new CASCADE")


def test_a_second_start_changes_nothing(database_url: str, schema: str) -> None:
    catalogue = "SELECT oid::text, xmin::text FROM pg_class WHERE relnamespace = $1::regnamespace ORDER BY oid"
    prepare(database_url, schema)
    with Session(database_url, schema) as session:
        before = session.frame(catalogue, schema).rows()
        session.transaction()
    prepare(database_url, schema)
    with Session(database_url, schema) as session:
        assert session.frame(catalogue, schema).rows() == before


def test_a_table_of_another_system_gets_our_columns_and_keeps_its_own(database_url: str, schema: str) -> None:
    with _direct(database_url, schema) as cursor:
        cursor.execute("CREATE TABLE unified_customers (email varchar(99), mrr real, owner text NOT NULL)")
        cursor.execute("INSERT INTO unified_customers VALUES ('Ada@example.com', 1.5, 'Eve'), (NULL, NULL, 'Bob')")
    prepare(database_url, schema)
    made = _columns(database_url, schema)
    assert made["unified_customers", "mrr"] == ("real", "YES")
    assert made["unified_customers", "email"] == ("character varying", "YES")
    assert made["unified_customers", "owner"] == ("text", "NO")
    assert {("unified_customers", name) for name in tables.UNIFIED_CUSTOMERS.names} <= set(made)
    with _direct(database_url, schema) as cursor:
        cursor.execute("SELECT email, mrr, owner, plan_name FROM unified_customers ORDER BY owner")
        assert cursor.fetchall() == [(None, None, "Bob", None), ("Ada@example.com", 1.5, "Eve", None)]
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.execute("INSERT INTO unified_customers (email, owner) VALUES ('ADA@example.com', 'x')")


@pytest.mark.parametrize(
    "lost",
    [
        "DROP TABLE sync_runs CASCADE",
        "DROP TABLE mrr_movements CASCADE",
        "DROP TABLE unified_customers CASCADE",
        f"DROP INDEX {EMAIL_INDEX}",
        "ALTER TABLE customer_alerts DROP attempts",
    ],
)
def test_what_somebody_dropped_comes_back(database_url: str, schema: str, lost: str) -> None:
    prepare(database_url, schema)
    before = _columns(database_url, schema)
    with _direct(database_url, schema) as cursor:
        cursor.execute(lost)
    prepare(database_url, schema)
    assert _columns(database_url, schema) == before
    with Session(database_url, schema) as session:
        assert session.value("SELECT to_regclass($1)::text", f"{schema}.{EMAIL_INDEX}") is not None


def test_emails_that_differ_only_in_case_are_a_sentence_and_nothing_is_half_done(
    database_url: str, schema: str
) -> None:
    with _direct(database_url, schema) as cursor:
        cursor.execute("CREATE TABLE unified_customers (email text)")
        cursor.execute("INSERT INTO unified_customers VALUES ('ada@example.com'), ('ADA@example.com')")
    with pytest.raises(DatabaseRefusedError, match="differ only in case: merge them") as refused:
        prepare(database_url, schema)
    assert "ada@" not in str(refused.value).lower()
    assert set(_columns(database_url, schema)) == {("unified_customers", "email")}


def test_a_role_without_the_right_to_make_tables_is_told_which_right(database_url: str, schema: str) -> None:
    role = f"{schema}_role"
    with _direct(database_url, schema) as cursor:
        cursor.execute(f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA {schema} TO {role}")
        try:
            asked = f"{plain_url(database_url)}{'&' if '?' in database_url else '?'}options=-crole%3D{role}"
            with pytest.raises(DatabaseRefusedError, match="grant it CREATE"):
                prepare(asked, schema)
        finally:
            cursor.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_schema_that_is_there_needs_no_right_to_make_one(database_url: str, schema: str) -> None:
    create_schema(database_url, schema)


def test_several_processes_may_start_at_once(database_url: str, schema: str) -> None:
    code = "import sys; from intercom_sync.warehouse.schema.migrate import prepare; prepare(*sys.argv[1:])"
    started = [
        subprocess.Popen([sys.executable, "-c", code, database_url, schema], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    told = [one.communicate(timeout=60)[1] for one in started]
    assert [(one.returncode, text) for one, text in zip(started, told, strict=True)] == [(0, "")] * 3
    assert {name for name, _ in _columns(database_url, schema)} >= {table.name for table in tables.TABLES}
