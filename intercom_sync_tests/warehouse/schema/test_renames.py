"""Revision 0002: a database of release 0001 gets the present names and keeps every row."""

from collections.abc import Mapping

import pytest

from intercom_sync.domain.schema import tables
from intercom_sync.warehouse.errors import DatabaseRefusedError
from intercom_sync.warehouse.postgres.urls import plain_url
from intercom_sync.warehouse.schema.ddl import MARK
from intercom_sync.warehouse.schema.earlier_names import CHECKS, COLUMNS, INDEXES, TABLES
from intercom_sync.warehouse.schema.migrate import migrate, pending, prepare
from intercom_sync_tests.warehouse.plain_connection import definitions, direct
from intercom_sync_tests.warehouse.schema.release_0001 import restore

_ADDED = {"mrr_movements", "customer_history"}
"""Tables that release 0001 did not have."""


def _rows(url: str, schema: str, names: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
    """Return every row of some tables by the tables' present names, each as text by its columns' present names."""
    found = {}
    with direct(url, schema) as cursor:
        for old, new in names.items():
            cursor.execute(f"SELECT * FROM {old}")
            columns = [COLUMNS.get(new, {}).get(column.name, column.name) for column in cursor.description or ()]
            rows = [dict(zip(columns, map(str, row), strict=True)) for row in cursor.fetchall()]
            found[new] = sorted(rows, key=lambda row: sorted(row.items()))
    return found


def _there(url: str, schema: str, kind: str = "r") -> dict[str, str | None]:
    with direct(url, schema) as cursor:
        cursor.execute(
            "SELECT relname, obj_description(oid, 'pg_class') FROM pg_class "
            "WHERE relnamespace = quote_ident(%s)::regnamespace AND relkind = %s",
            (schema, kind),
        )
        return dict(cursor.fetchall())


def _shape(url: str, schema: str) -> set[tuple[object, ...]]:
    """Return what a schema holds; PostgreSQL keeps the earlier names of columns inside their indexes."""
    return {row[:2] if row[1] == "i" else row[:-1] for row in definitions(url, schema)}


def test_every_row_is_kept_under_the_present_names(database_url: str, schema: str) -> None:
    restore(database_url, schema)
    earlier = {new: old for old, new in TABLES.items()}
    names = {earlier.get(table.name, table.name): table.name for table in tables.TABLES if table.name not in _ADDED}
    before = _rows(database_url, schema, names)
    assert all(before[new] for new in (*TABLES.values(), "sync_workers", "sync_runs", "rejected_records"))
    prepare(database_url, schema)
    after = _rows(database_url, schema, {new: new for new in names.values()})
    for row in before["check_states"]:
        row["check_name"] = CHECKS.get(row["check_name"], row["check_name"])
    before["check_states"].sort(key=lambda row: sorted(row.items()))
    kept = {
        name: [{column: row[column] for column in row if column in before[name][0]} for row in rows] if rows else []
        for name, rows in after.items()
    }
    assert kept == before
    assert not {*TABLES, *INDEXES} & {*_there(database_url, schema), *_there(database_url, schema, "i")}


def test_the_schema_is_that_of_a_new_database(database_url: str, schema: str) -> None:
    prepare(database_url, schema)
    new = _shape(database_url, schema)
    with direct(database_url, schema) as cursor:
        cursor.execute(f"DROP SCHEMA {schema} CASCADE; CREATE SCHEMA {schema}")
    restore(database_url, schema)
    prepare(database_url, schema)
    assert _shape(database_url, schema) == new
    comments = _there(database_url, schema)
    assert all((comments[table.name] or "").startswith(MARK) for table in tables.TABLES)


def test_a_dry_run_names_every_rename_and_a_second_migration_has_none(database_url: str, schema: str) -> None:
    restore(database_url, schema)
    before = definitions(database_url, schema)
    planned = [step.what for step in pending(database_url, schema)]
    assert definitions(database_url, schema) == before
    assert "rename table forgotten to suppression_list" in planned
    assert "rename columns of sync_runs: run to run_id" in planned
    assert "rename index customer_alerts_dedupe to customer_alerts_dedupe_key" in planned
    assert "rename 9 checks in check_states" in planned
    additions = [what for what in planned if what.startswith(("create ", "add "))]
    assert all("mrr" in what or "customer" in what for what in additions), additions
    assert [step.what for step in migrate(database_url, schema)] == planned
    after = definitions(database_url, schema)
    assert migrate(database_url, schema) == pending(database_url, schema) == []
    assert definitions(database_url, schema) == after


def test_tables_that_are_missing_are_created_and_the_others_renamed(database_url: str, schema: str) -> None:
    restore(database_url, schema)
    with direct(database_url, schema) as cursor:
        cursor.execute("DROP TABLE sync_marks, sync_streams, check_verdicts, rejected_records")
        cursor.execute("ALTER TABLE customer_alerts DROP COLUMN refusals")
    prepare(database_url, schema)
    with direct(database_url, schema) as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM sync_seen_ids), (SELECT count(*) FROM sync_checkpoints)")
        assert cursor.fetchall() == [(156, 0)]
        cursor.execute("SELECT DISTINCT refusal_count FROM customer_alerts")
        assert cursor.fetchall() == [(0,)]
    assert pending(database_url, schema) == []


def test_rows_move_where_a_table_of_ours_has_the_present_name_already(database_url: str, schema: str) -> None:
    restore(database_url, schema)
    with direct(database_url, schema) as cursor:
        cursor.execute(
            "CREATE TABLE suppression_list (kind text, identifier text, updated_at timestamptz, "
            "PRIMARY KEY (kind, identifier)); INSERT INTO suppression_list VALUES ('contact', 'c9')"
        )
        cursor.execute(f"COMMENT ON TABLE suppression_list IS '{MARK}'")
    prepare(database_url, schema)
    with direct(database_url, schema) as cursor:
        cursor.execute("SELECT kind, identifier FROM suppression_list WHERE kind = 'contact' ORDER BY 2")
        assert cursor.fetchall() == [("contact", "c5"), ("contact", "c9")]
        cursor.execute("SELECT count(*) FROM suppression_list")
        assert cursor.fetchall() == [(4,)]
    assert "forgotten" not in _there(database_url, schema)
    assert pending(database_url, schema) == []


@pytest.mark.parametrize("name", TABLES.values())
def test_another_programs_table_of_a_present_name_is_refused_and_nothing_renamed(
    database_url: str, schema: str, name: str
) -> None:
    restore(database_url, schema)
    with direct(database_url, schema) as cursor:
        cursor.execute(f"CREATE TABLE {name} (id serial PRIMARY KEY)")
    before = definitions(database_url, schema)
    for change in (prepare, migrate):
        with pytest.raises(DatabaseRefusedError, match=f"the table {name}, which intercom_sync did not create"):
            change(database_url, schema)
    assert definitions(database_url, schema) == before


@pytest.mark.parametrize("old", TABLES)
def test_another_programs_table_of_an_earlier_name_is_left_alone(database_url: str, schema: str, old: str) -> None:
    with direct(database_url, schema) as cursor:
        cursor.execute(f"CREATE TABLE {old} (run text, reading text, mark text, read int)")
    prepare(database_url, schema)
    with direct(database_url, schema) as cursor:
        cursor.execute(f"SELECT run, reading, mark, read FROM {old}")
    assert pending(database_url, schema) == []


def test_a_schema_of_any_name_is_renamed_and_another_schema_is_not(database_url: str, schema: str) -> None:
    restore(database_url, schema)
    with direct(database_url, schema) as cursor:
        cursor.execute(f'ALTER SCHEMA {schema} RENAME TO "Odd_Name"; CREATE SCHEMA {schema}')
    restore(database_url, schema)
    try:
        prepare(database_url, "Odd_Name")
        assert "suppression_list" in _there(database_url, "Odd_Name")
        assert "forgotten" in _there(database_url, schema)
    finally:
        with direct(database_url, schema) as cursor:
            cursor.execute('DROP SCHEMA "Odd_Name" CASCADE')


def test_a_role_that_does_not_own_the_tables_is_refused_by_name_and_nothing_renamed(
    database_url: str, schema: str
) -> None:
    restore(database_url, schema)
    role = f"{schema}_role"
    with direct(database_url, schema) as cursor:
        cursor.execute(
            f"CREATE ROLE {role}; GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}; "
            f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}; "
            f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"
        )
        before = definitions(database_url, schema)
        try:
            asked = f"{plain_url(database_url)}{'&' if '?' in database_url else '?'}options=-crole%3D{role}"
            with pytest.raises(DatabaseRefusedError, match=r"may not change check_states, .*suppression_list, .*owner"):
                prepare(asked, schema)
            assert definitions(database_url, schema) == before
        finally:
            cursor.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
