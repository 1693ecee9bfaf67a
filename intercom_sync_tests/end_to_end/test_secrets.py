"""No token, password, email, name or word of a message in what people other than the tables' readers can see.

Syncs that succeed, fail and die, in the foreground and as runs on a stored Dagster instance; then everything that was
printed, kept and sent is searched for one mark that all of the secrets and people bear.
"""

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import dagster as dg
import orjson
import psycopg2
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster_graphql.cli import execute_query

from intercom_sync.cli import main
from intercom_sync.commands.dagster_instance import use_instance
from intercom_sync.orchestration.run_events import record_ended
from intercom_sync.pipeline.alert_delivery import AlertDispatcher
from intercom_sync.sandbox import faults
from intercom_sync.sandbox.builders import subscription
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync.settings import Settings
from intercom_sync.slack.slack_client import channels, post_message, quiet_client
from intercom_sync.warehouse.postgres.connect import open_warehouse
from intercom_sync.warehouse.postgres.urls import plain_url
from intercom_sync_tests.end_to_end.scenario import person, talk
from intercom_sync_tests.slack.server import TOKEN, LocalSlack, said

pytestmark = pytest.mark.slow
_MARK = "ecognisable"
_ROLE, _PASSWORD = "a_role", "pw_recognisable_1"
_TOKEN = f"dG9rOm_recognisable_{'0a' * 20}"  # as long as Intercom's are
_WORDS = "Recognisable words: I want to cancel"
_PATIENCE = 240
_FIRST_PARTITION = "2026-06-15T06"
_TRIGGER = """CREATE FUNCTION {schema}.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$;
CREATE TRIGGER no BEFORE INSERT ON {schema}.{table} FOR EACH ROW EXECUTE FUNCTION {schema}.no()"""
_SHOWN = """{ runsOrError { ... on Runs { results { runId runConfigYaml tags { key value } eventConnection { events {
  ... on MessageEvent { message } ... on ExecutionStepFailureEvent { error { message stack errorChain { error {
  message stack } } } failureMetadata { label description } } } } } } } }"""


class Place:
    """A company with a person in it, and a database and a Slack that know secrets."""

    def __init__(self, sandbox: Sandbox, slack: LocalSlack, database_url: str, schema: str, home: Path) -> None:
        self.sandbox, self.slack, self.schema, self.home = sandbox, slack, schema, home
        self.connection = psycopg2.connect(plain_url(database_url))
        self.connection.autocommit = True
        self.sql(
            f"DO $$ BEGIN CREATE ROLE {_ROLE} LOGIN SUPERUSER; EXCEPTION WHEN duplicate_object THEN NULL; END $$; "
            f"ALTER ROLE {_ROLE} PASSWORD '{_PASSWORD}'"
        )
        self.settings = {
            "INTERCOM_API_KEY": _TOKEN,
            "INTERCOM_BASE_URL": sandbox.url,
            "INTERCOM_SYNC_DATABASE_URL": self.url(database_url, _ROLE),
            "INTERCOM_SYNC_SCHEMA": schema,
            "INTERCOM_SYNC_HOME": str(home),
            "SLACK_BOT_TOKEN": TOKEN,
            "SLACK_API_URL": slack.url,
        }
        self.printed = ""

    @staticmethod
    def url(database_url: str, role: str) -> str:
        """The server's address with a role and its password."""
        return f"postgresql://{role}:{_PASSWORD}@{plain_url(database_url).partition('://')[2].rpartition('@')[2]}"

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def refuse(self, table: str, body: str) -> None:
        """Let a trigger of somebody else's stand in the way of a table's rows."""
        self.sql(_TRIGGER.format(schema=self.schema, table=table, body=body))

    def run(self, *command: str, stop: Callable[[str], bool] = lambda printed: False) -> int | None:
        """Run a program and keep what it prints; None when `stop` said of that to kill it."""
        self.sandbox.requests.clear()
        file, end = self.home.with_name("printed"), time.monotonic() + _PATIENCE
        with file.open("w") as output:
            process = subprocess.Popen(
                [str(Path(sys.executable).with_name(command[0])), *command[1:]],
                env=os.environ | self.settings, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        while (code := process.poll()) is None and time.monotonic() < end and not stop(file.read_text()):
            time.sleep(0.1)
        process.kill()
        process.wait()
        self.printed += file.read_text()
        return code

    def waits_for_parts(self, _: str) -> bool:
        """Whether the program has asked for a conversation's parts."""
        return any(one.method == "GET" and one.path.startswith("/conversations/") for one in self.sandbox.requests)


@pytest.fixture
def place(database_url: str, schema: str, tmp_path: Path) -> Iterator[Place]:
    company = Workspace()
    company.put_contact(
        person(
            "c1", "zelda.recognisable@example.org", name="Zelda Recognisable",
            stripe={"Stripe Subscriptions": [subscription()], "stripe_delinquent": True},
        )
    )  # fmt: skip
    company.put_contact(person("c2", "not recognisable"))
    company.put_conversation(talk("500", "c1", _WORDS, _WORDS))
    with Sandbox(company) as sandbox, LocalSlack() as slack:
        made = Place(sandbox, slack, database_url, schema, tmp_path / "home")
        yield made
        made.connection.close()


def _refused(status: int, place: Place) -> None:
    message = f"{_TOKEN} of zelda.recognisable@example.org is not 'Zelda Recognisable'"
    place.sandbox.faults.add(faults.error(status, "client_error", message), match="POST /contacts/search")


def _somewhere_else(place: Place) -> None:
    place.settings["INTERCOM_BASE_URL"] = "http://127.0.0.1:9"


def _raised(place: Place) -> None:
    place.refuse("intercom_contacts", "RAISE EXCEPTION 'no % %', NEW.email, NEW.name")


def _wrong_type(place: Place) -> None:
    place.refuse("unified_customers", "PERFORM NEW.email::integer")


def _forbidden(place: Place) -> None:
    place.sql(f"ALTER TABLE {place.schema}.unified_customers ADD CHECK (name = '')")


def _gone(place: Place) -> None:
    place.refuse("intercom_contacts", "PERFORM pg_terminate_backend(pg_backend_pid())")


def _wrong_role(place: Place) -> None:
    place.settings["INTERCOM_SYNC_DATABASE_URL"] = place.settings["INTERCOM_SYNC_DATABASE_URL"].replace(_ROLE, "nobody")


def _stalled(place: Place) -> None:
    place.sandbox.faults.add(faults.stall(60), match="GET /conversations/*")


TROUBLES: dict[str, tuple[Callable[[Place], None], int | None, str]] = {
    "nothing": (lambda place: None, 0, "Intercom sync completed"),
    "401": (partial(_refused, 401), 1, "set INTERCOM_API_KEY"),
    "a page that is refused": (partial(_refused, 422), 1, "422 client_error"),
    "an unreachable host": (_somewhere_else, 1, "could not be reached"),
    "a trigger that raises": (_raised, 1, "SQLSTATE P0001"),
    "a value of the wrong type": (_wrong_type, 0, "Skipped: 2"),
    "a row that a rule forbids": (_forbidden, 0, "Skipped: 2"),
    "a database that goes away": (_gone, 1, "went away"),
    "a role that is refused": (_wrong_role, 1, "cannot be reached"),
    "a kill": (_stalled, None, ""),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_no_secret_and_no_person_is_told_printed_or_kept(
    name: str, place: Place, connect: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble, ends, says = TROUBLES[name]
    first = place.settings | {}
    trouble(place)
    started = time.time()
    killed = {"stop": place.waits_for_parts} if ends is None else {}
    assert place.run("intercom-sync", "sync", "--full", **killed) == ends, place.printed
    assert says in place.printed
    _run_doctor(place)
    for setting, value in (
        place.settings | {"INTERCOM_SYNC_DATABASE_URL": first["INTERCOM_SYNC_DATABASE_URL"]}
    ).items():
        monkeypatch.setenv(setting, value)
    settings = Settings.load()
    use_instance(settings)
    background = name != "a role that is refused"  # without a database there is no run
    if background:
        _in_the_background(place, **killed)
    assert _tell(settings, place, started) >= 2 * background
    shown = _show_runs()
    place.printed += shown
    assert ("eventConnection" if background else "runsOrError") in shown
    assert _found(place) == []


def _run_doctor(place: Place) -> None:
    """Run the command in this process, which has imported what it needs, and keep what it prints."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as environment, redirect_stdout(printed), redirect_stderr(printed):
        for setting, value in place.settings.items():
            environment.setenv(setting, value)
        main(["doctor"])
    assert "PostgreSQL" in printed.getvalue()
    place.printed += printed.getvalue()


def _show_runs() -> str:
    """Return what the UI shows of all runs and their events."""
    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
    ):
        return orjson.dumps(execute_query(context, _SHOWN)).decode()


def _waits_to_try_again(printed: str) -> bool:
    return "STEP_UP_FOR_RETRY" in printed


def _in_the_background(place: Place, stop: Callable[[str], bool] = _waits_to_try_again) -> None:
    """A run as the daemon starts it; one that waits to try again has told all it tells, and is killed."""
    config = place.home / "run.json"
    config.write_bytes(orjson.dumps({"ops": {"raw": {"config": {"full": True}}}}))
    tags = orjson.dumps({"dagster/partition": _FIRST_PARTITION}).decode()
    place.run(
        "dagster", "job", "execute", "-m", "intercom_sync.definitions", "-j", "sync", "-c", str(config), "--tags", tags,
        stop=stop,
    )  # fmt: skip


def _tell(settings: Settings, place: Place, since: float) -> int:
    """Note the runs that ended, and tell Slack of them; return how many began."""
    with dg.DagsterInstance.get() as instance, open_warehouse(settings)() as session:
        begun = [record for record in instance.get_run_records() if (record.start_time or 0) >= since]
        for record in begun:
            if record.dagster_run.is_finished:
                record_ended(instance, session, record)
        send = partial(post_message, quiet_client(TOKEN, place.slack.url))
        AlertDispatcher(session, channels("#alerts", "#alerts"), send, lambda: 0.0, lambda _: None).deliver()
    return len(begun)


def _found(place: Place) -> list[str]:
    """Where a secret or a person stands that should not."""
    dagster = f"dagster_{place.schema}"
    tables = place.sql(f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{dagster}'")
    places = {f"dagster.{name}": f"SELECT t::text FROM {dagster}.{name} t" for (name,) in tables}
    places["sync_runs"] = f"SELECT t::text FROM {place.schema}.sync_runs t"
    places["last_error"] = f"SELECT last_error FROM {place.schema}.customer_alerts WHERE last_error IS NOT NULL"
    places["troubles"] = f"SELECT details::text FROM {place.schema}.customer_alerts WHERE email IS NULL"
    texts = {name: "\n".join(str(row[0]) for row in place.sql(query)) for name, query in places.items()}
    texts |= {str(file): file.read_bytes().decode("latin-1") for file in place.home.rglob("*") if file.is_file()}
    texts["Slack"] = "\n".join(told for told in map(said, place.slack.taken) if "failed" in told)
    texts["printed"] = place.printed
    assert len(tables) > 10
    return [
        f"{name}: {text[max(0, at - 200) : at + 100]}"
        for name, text in texts.items()
        for mark in (_MARK, TOKEN)
        if (at := text.find(mark)) >= 0
    ]
