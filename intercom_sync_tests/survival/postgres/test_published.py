"""Change-data-capture: tables in a publication can be written, and what keeps one from it is said before a sync."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from intercom_sync.commands.dagster_instance import use_instance
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync.settings import Settings
from intercom_sync.warehouse.errors import DatabaseRefusedError
from intercom_sync.warehouse.postgres.connect import open_warehouse
from intercom_sync.warehouse.privacy.erase_person import erase_person
from intercom_sync.warehouse.schema.inspection import inspect
from intercom_sync.warehouse.schema.migrate import pending, prepare
from intercom_sync_tests.end_to_end.scenario import HOUR, NOW, person, talk
from intercom_sync_tests.survival.postgres import fixtures
from intercom_sync_tests.survival.postgres.server import Server
from intercom_sync_tests.warehouse.schema.release_0001 import restore
from intercom_sync_tests.warehouse.schema.test_foreign_tables import BEFORE_MARKS

_IDENTITY = "SELECT relreplident::text FROM pg_class WHERE oid = 'unified_customers'::regclass"
_WITHOUT_IDENTITY = (
    "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND n.nspname IN ('public', 'dagster') AND c.relreplident = 'd' "
    "AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server("wal_level=logical") as made:
        yield made


@pytest.fixture
def struck(server: Server) -> Iterator[fixtures.FaultyScenario]:
    """A company on an empty database."""
    company = Workspace()
    company.put_contact(person("a", "ann@example.com"))
    company.put_contact(person("b", "bob@example.com"))
    company.put_conversation(talk("91", "a", "I will cancel", created=NOW - HOUR))
    with Sandbox(company) as sandbox, fixtures.struck(sandbox, server, None) as made:
        yield made


def _url(struck: fixtures.FaultyScenario) -> str:
    return struck.server.url_of(struck.database)


def _syncs_twice(struck: fixtures.FaultyScenario) -> None:
    struck.sync(full=True)
    struck.company.put_contact(person("a", "ann@example.com", name="Ann", updated=NOW + HOUR))
    struck.company.put_contact(person("b", "bobby@example.com", updated=NOW + HOUR))
    struck.sync(NOW + 2 * HOUR)
    assert struck.customer("ann@example.com")["name"] == "Ann"
    with open_warehouse(Settings.load())() as session:
        assert erase_person(session, "bobby@example.com")["unified_customers"] > 0


@pytest.mark.parametrize("what", ["FOR ALL TABLES", "FOR TABLE unified_customers", "FOR TABLES IN SCHEMA public"])
@pytest.mark.parametrize("before", ["", BEFORE_MARKS.format(schema="public")])
def test_tables_that_we_make_can_be_published(struck: fixtures.FaultyScenario, what: str, before: str) -> None:
    struck.rows(before or "SELECT 1")
    prepare(_url(struck), "public")
    struck.rows(f"CREATE PUBLICATION everything {what}")
    _syncs_twice(struck)


def test_published_tables_of_release_0001_are_renamed(struck: fixtures.FaultyScenario) -> None:
    restore(_url(struck), "public")
    struck.rows("CREATE PUBLICATION everything FOR ALL TABLES")
    prepare(_url(struck), "public")
    assert pending(_url(struck), "public") == []
    assert struck.values("SELECT count(*) FROM suppression_list") == [3]


def test_dagsters_tables_can_be_published_too(
    struck: fixtures.FaultyScenario, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INTERCOM_SYNC_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("INTERCOM_SYNC_DAGSTER_URL", "")
    open_warehouse(Settings.load())
    use_instance(Settings.load())
    assert len(struck.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'dagster'")) > 10
    assert struck.values(_WITHOUT_IDENTITY) == []


@pytest.mark.parametrize(
    ("columns", "identity"),
    [
        ("email text NOT NULL UNIQUE", "i"),
        ("email text PRIMARY KEY", "d"),
        ("id serial PRIMARY KEY, email text", "d"),
        ("email text, code int NOT NULL UNIQUE DEFAULT (random() * 2e9)::int", "i"),
    ],
)
def test_a_table_of_others_is_identified_by_an_index_of_its_own(
    struck: fixtures.FaultyScenario, columns: str, identity: str
) -> None:
    struck.rows(f"CREATE TABLE unified_customers ({columns})")
    struck.rows("CREATE PUBLICATION cdc FOR TABLE unified_customers")
    _syncs_twice(struck)
    assert struck.values(_IDENTITY) == [identity]


@pytest.mark.parametrize(
    "columns",
    [
        "email text",
        "email text UNIQUE",
        "email text NOT NULL, UNIQUE (email) DEFERRABLE",
        "email text NOT NULL); CREATE UNIQUE INDEX ON unified_customers (email) WHERE (email <> ''",
        "email text NOT NULL); CREATE UNIQUE INDEX ON unified_customers (upper(email)",
    ],
)
def test_where_no_index_will_do_a_sentence_says_what_to_do(struck: fixtures.FaultyScenario, columns: str) -> None:
    struck.rows(f"CREATE TABLE unified_customers ({columns})")
    prepare(_url(struck), "public")
    (note,) = inspect(_url(struck), "public", with_dagster=True).notes
    assert "no primary key or replica identity" in note
    struck.sync(full=True)
    struck.rows("CREATE PUBLICATION cdc FOR TABLE unified_customers")
    asked = len(struck.sandbox.requests)
    failed = struck.run(NOW + HOUR)
    assert not failed.result.success
    assert len(struck.sandbox.requests) == asked
    with pytest.raises(DatabaseRefusedError, match=r"publication cdc .*REPLICA IDENTITY FULL"):
        pending(_url(struck), "public")
    (problem,) = inspect(_url(struck), "public", with_dagster=True).problems
    assert "publication cdc" in problem
    struck.rows("ALTER TABLE unified_customers REPLICA IDENTITY FULL")
    struck.sync(NOW + HOUR)
    assert struck.values(_IDENTITY) == ["f"]


def test_a_publication_of_some_columns_or_rows_is_looked_at_too(struck: fixtures.FaultyScenario) -> None:
    struck.sync(full=True)
    for what in ("unified_customers (email, mrr)", "unified_customers WHERE (mrr > 3)"):
        struck.rows(f"CREATE PUBLICATION cdc FOR TABLE {what}")
        with pytest.raises(DatabaseRefusedError, match="publication cdc"):
            prepare(_url(struck), "public")
        struck.rows("DROP PUBLICATION cdc")
    struck.rows("CREATE PUBLICATION cdc FOR TABLE unified_customers (customer_id, email)")
    struck.sync(NOW + HOUR)
    struck.rows("DROP PUBLICATION cdc; CREATE PUBLICATION cdc FOR TABLE unified_customers (email) "
                "WITH (publish = 'insert')")  # fmt: skip
    struck.sync(NOW + 2 * HOUR)
