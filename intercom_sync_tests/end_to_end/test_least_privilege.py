"""A role with just the rights that deploy/README.md grants can sync; one that lacks a right is told which.

The statements are read from that page, so that what it says is what is tried.
"""

import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest

import intercom_sync
from intercom_sync.sandbox.generate import generate
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.warehouse.postgres.urls import plain_url
from intercom_sync_tests.commands.forked import run_command

_PAGE = (Path(intercom_sync.__file__).parents[1] / "deploy" / "README.md").read_text()
ROLE, LEND, GO_ON = re.findall(r"```sql\n(.*?)```", _PAGE, re.DOTALL)
pytestmark = pytest.mark.slow


class _Database:
    """A database of its own, its administrator, and commands run as the role of the page."""

    def __init__(self, server: str, home: Path, sandbox: str) -> None:
        self.name = f"company_{uuid.uuid4().hex[:8]}"
        self._server = server
        self.as_admin(f"CREATE DATABASE {self.name}", where=server)
        self.url = self._of(None)
        self.as_admin(f"REVOKE ALL ON DATABASE {self.name} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC")
        self._environment = os.environ | {
            "INTERCOM_API_KEY": "an invented token",
            "INTERCOM_BASE_URL": sandbox,
            "INTERCOM_SYNC_DATABASE_URL": self._of(f"sync_{self.name}:choose%20one"),
            "INTERCOM_SYNC_SCHEMA": "customers",
            "INTERCOM_SYNC_HOME": str(home),
        }

    def _of(self, who: str | None) -> str:
        parts = urlsplit(plain_url(self._server))
        place = parts.netloc if who is None else f"{who}@{parts.netloc.rpartition('@')[2]}"
        return urlunsplit(parts._replace(netloc=place, path=f"/{self.name}"))

    def as_admin(self, statements: str, *, where: str = "") -> list[tuple[object, ...]]:
        """Run statements as an administrator; the page's names become this database's."""
        named = statements.replace("DATABASE company ", f"DATABASE {self.name} ")
        for role in ("intercom_sync", "crm"):
            named = re.sub(rf"\b{role}\b", f"{role.removeprefix('intercom_')}_{self.name}", named)
        connection = psycopg2.connect(plain_url(where or self.url))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(named)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def run(self, *arguments: str) -> CompletedProcess[str]:
        """Run a command as the role."""
        return run_command(self._environment, *arguments)

    def is_refused(self, *arguments: str, naming: str) -> None:
        """A command that must fail with one sentence that says what to grant."""
        failed = self.run(*arguments)
        assert failed.returncode == 1, failed
        assert len(failed.stderr.strip().splitlines()) == 1, failed.stderr
        assert re.search(naming, failed.stderr), failed.stderr

    def tables(self, schema: str) -> set[str]:
        """The tables of a schema."""
        return {name for (name,) in self.as_admin(f"SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'")}

    def drop(self) -> None:
        """Leave nothing on the server."""
        self.as_admin(f"DROP DATABASE {self.name} WITH (FORCE)", where=self._server)
        self.as_admin("DROP ROLE IF EXISTS intercom_sync, crm", where=self._server)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A small company."""
    with Sandbox(generate(contacts=40, conversations=30)) as made:
        yield made


@pytest.fixture
def database(database_url: str, tmp_path: Path, sandbox: Sandbox) -> Iterator[_Database]:
    """A database whose administrator has made the role of the page."""
    made = _Database(database_url, tmp_path / "home", sandbox.url)
    made.as_admin(ROLE)
    yield made
    made.drop()


@pytest.fixture
def shared(database: _Database) -> _Database:
    """One in which another role owns `unified_customers`, with a row and a column of its own."""
    database.as_admin(
        "CREATE ROLE crm; CREATE TABLE customers.unified_customers (email text, owner text); "
        "ALTER TABLE customers.unified_customers OWNER TO crm; "
        "INSERT INTO customers.unified_customers VALUES ('foreign@example.org', 'Eve')"
    )
    return database


def test_the_rights_of_the_page_are_enough_for_every_command(database: _Database) -> None:
    done = database.run("sync", "--full")
    assert (done.returncode, done.stderr) == (0, "")
    assert database.run("doctor").returncode == 0
    ((email,),) = database.as_admin("SELECT email FROM customers.unified_customers ORDER BY email LIMIT 1")
    assert database.run("forget", str(email)).returncode == 0
    assert database.run("sync").returncode == 0
    assert database.tables("customers") >= {"unified_customers", "suppression_list"}
    assert "event_logs" in database.tables("dagster_customers")
    assert database.tables("public") == set()
    rights = "rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
    assert database.as_admin(f"SELECT {rights} FROM pg_roles WHERE rolname = 'intercom_sync'") == [(False,) * 5]


def test_a_table_of_others_is_lent_for_one_start_and_then_only_written(shared: _Database) -> None:
    shared.is_refused("sync", "--full", naming="ownership of unified_customers")
    assert shared.tables("customers") == {"unified_customers"}
    shared.as_admin(LEND)
    assert shared.run("migrate").returncode == 0
    shared.as_admin(GO_ON)
    done = shared.run("sync", "--full")
    assert (done.returncode, done.stderr) == (0, "")
    assert shared.as_admin(
        "SELECT owner, quality_score IS NOT NULL FROM customers.unified_customers WHERE owner IS NOT NULL"
    ) == [("Eve", True)]
    assert shared.as_admin("SELECT tableowner = 'crm' FROM pg_tables WHERE tablename = 'unified_customers'") == [
        (True,)
    ]
    assert shared.run("forget", "foreign@example.org").returncode == 0
    assert shared.as_admin("SELECT count(*) FROM customers.unified_customers WHERE owner = 'Eve'") == [(0,)]


def test_a_serial_column_of_others_needs_its_sequence_and_the_page_grants_it(shared: _Database) -> None:
    shared.as_admin("ALTER TABLE customers.unified_customers ADD COLUMN id serial")
    shared.as_admin(LEND)
    assert shared.run("migrate").returncode == 0
    shared.as_admin(GO_ON)
    sequence = "SEQUENCE customers.unified_customers_id_seq"
    shared.as_admin(f"REVOKE ALL ON {sequence} FROM intercom_sync")
    needed = "USAGE on the sequence customers.unified_customers_id_seq"
    shared.is_refused("sync", "--full", naming=needed)
    doctor = shared.run("doctor")
    assert doctor.returncode == 1
    assert needed in doctor.stdout
    shared.as_admin(GO_ON.splitlines()[-1])
    assert shared.run("doctor").returncode == 0
    done = shared.run("sync", "--full")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_doctor_says_what_a_sync_would_and_changes_nothing(shared: _Database) -> None:
    shared.as_admin("CREATE TABLE customers.sync_runs (id int)")
    for mended, naming in (
        ("DROP TABLE customers.sync_runs", "the table sync_runs"),
        (LEND, "ownership of unified_customers"),
        ("GRANT CREATE ON SCHEMA customers TO intercom_sync", "schema customers: grant it CREATE"),
        (
            "CREATE SCHEMA dagster_customers; GRANT ALL ON SCHEMA dagster_customers TO intercom_sync",
            "dagster_customers",
        ),
    ):
        if naming.startswith("schema"):
            shared.as_admin("REVOKE CREATE ON SCHEMA customers FROM intercom_sync")
        if naming.startswith("dagster"):
            shared.as_admin("DROP SCHEMA dagster_customers")
        looked = shared.run("doctor")
        assert looked.returncode == 1
        assert naming in looked.stdout
        shared.is_refused("migrate" if not naming.startswith("dagster") else "sync", naming=naming)
        if not naming.startswith("dagster"):
            assert shared.tables("customers") <= {"unified_customers", "sync_runs"}
        shared.as_admin(mended)
    assert shared.run("doctor").returncode == 0


@pytest.mark.parametrize("right", ["SELECT", "INSERT", "UPDATE"])
def test_a_right_to_the_customers_that_is_missing_is_named_before_anything_is_read(
    shared: _Database, sandbox: Sandbox, right: str
) -> None:
    shared.as_admin(LEND)
    assert shared.run("migrate").returncode == 0
    shared.as_admin(GO_ON)
    shared.as_admin(f"REVOKE {right} ON customers.unified_customers FROM intercom_sync")
    asked = len(sandbox.requests)
    shared.is_refused("sync", "--full", naming=f"unified_customers.*{right}")
    assert len(sandbox.requests) == asked
    assert shared.as_admin("SELECT count(*) FROM customers.sync_runs") == [(0,)]
    assert shared.as_admin("SELECT email, quality_score FROM customers.unified_customers") == [
        ("foreign@example.org", None)
    ]


def test_without_the_right_to_delete_nobody_is_half_forgotten(shared: _Database) -> None:
    shared.as_admin(LEND)
    assert shared.run("migrate").returncode == 0
    shared.as_admin(GO_ON)
    shared.as_admin("REVOKE DELETE ON customers.unified_customers FROM intercom_sync")
    assert shared.run("sync", "--full").returncode == 0
    emails = "SELECT email FROM customers.intercom_contacts WHERE email IS NOT NULL ORDER BY id LIMIT 1"
    before = shared.as_admin(emails)
    shared.is_refused("forget", str(before[0][0]), naming="DELETE on the table unified_customers")
    assert shared.as_admin(emails) == before
    assert shared.as_admin("SELECT count(*) FROM customers.suppression_list") == [(0,)]


@pytest.mark.parametrize(
    ("taken", "naming"),
    [
        ("REVOKE CREATE ON SCHEMA customers FROM intercom_sync", "schema customers: grant it CREATE"),
        ("REVOKE USAGE ON SCHEMA customers FROM intercom_sync", "grant USAGE and CREATE on the schema customers"),
        ("REVOKE CREATE ON SCHEMA dagster_customers FROM intercom_sync", "CREATE on the schema dagster_customers"),
        ("DROP SCHEMA dagster_customers", "CREATE on the database"),
        ("REVOKE TEMPORARY ON DATABASE company FROM intercom_sync", "TEMPORARY"),
        ("REVOKE CONNECT ON DATABASE company FROM intercom_sync", "INTERCOM_SYNC_DATABASE_URL"),
    ],
)
def test_a_right_that_was_not_granted_is_named_and_nobody_is_half_written(
    database: _Database, taken: str, naming: str
) -> None:
    database.as_admin(taken)
    database.is_refused("sync", "--full", naming=naming)
    if "unified_customers" in database.tables("customers"):
        assert database.as_admin("SELECT count(*) FROM customers.unified_customers") == [(0,)]
        assert database.as_admin("SELECT count(*) FROM customers.intercom_contacts") == [(0,)]
