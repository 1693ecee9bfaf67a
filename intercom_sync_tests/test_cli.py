"""The command line as a person meets it: what it prints, how it ends, and that every failure is one sentence."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from intercom_sync.cli import main
from intercom_sync.commands.up import deployment_lock
from intercom_sync.sandbox.builders import contact
from intercom_sync.sandbox.generate import generate
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync.settings import SETTINGS
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.commands.forked import run_command
from intercom_sync_tests.end_to_end.test_figures import ENTRY

_TOKEN = "an invented token"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A small company that takes one token."""
    with Sandbox(generate(contacts=60, conversations=40), token=_TOKEN) as made:
        yield made


@pytest.fixture
def settings(sandbox: Sandbox, database_url: str, schema: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a process that syncs the company."""
    return os.environ | {
        "INTERCOM_API_KEY": _TOKEN,
        "INTERCOM_BASE_URL": sandbox.url,
        "INTERCOM_SYNC_DATABASE_URL": database_url,
        "INTERCOM_SYNC_SCHEMA": schema,
        "INTERCOM_SYNC_HOME": str(tmp_path / "home"),
    }


def _start(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("intercom-sync")), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_a_full_sync_ends_with_the_log_entry_and_the_next_one_prints_its_figures_as_json(
    settings: dict[str, str], sandbox: Sandbox, database_url: str, schema: str
) -> None:
    done = _start(settings, "sync", "--full")
    assert (done.returncode, done.stderr) == (0, "")
    entry = ENTRY.fullmatch(done.stdout.rstrip("\n"))
    assert entry is not None, done.stdout
    emails = [one["email"] for one in sandbox.workspace.contacts()]
    customers = len({email.strip().lower() for email in emails if email and email.strip()})
    skipped = sum(1 for email in emails if not email or not email.strip())
    assert [int(entry[n]) for n in (1, 2, 3, 4)] == [customers, customers, 0, skipped]
    with Session(database_url, schema) as session:
        assert session.value("SELECT count(*) FROM unified_customers") == customers
        assert session.value("SELECT count(*) FROM customer_alerts") == int(entry[7])

    sandbox.workspace.put_contact(contact(email="new@example.com", updated_at=4_000_000_000, created_at=3_999_999_000))
    again = _start(settings, "sync", "--full", "--json")
    assert (again.returncode, again.stderr) == (0, "")
    figures = json.loads(again.stdout)
    assert list(figures) == [
        "contacts_synced", "new_contacts", "updated_contacts", "skipped_contacts", "errors", "sync_duration_seconds",
        "avg_quality_score",
    ]  # fmt: skip
    assert (figures["new_contacts"], figures["updated_contacts"], figures["errors"]) == (1, customers, 0)


@pytest.mark.parametrize("command", [["intercom-sync"], ["python", "-m", "intercom_sync"]], ids=["script", "module"])
def test_the_version_is_that_of_the_installed_package(command: list[str]) -> None:
    program = str(Path(sys.executable).with_name(command[0]))
    asked = subprocess.run(
        [program, *command[1:], "--version"], capture_output=True, text=True, timeout=120, check=False
    )
    said = f"intercom-sync {version('intercom-sync')}\n"
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, said, "")


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("INTERCOM_API_KEY", "another token", 1),
        ("INTERCOM_BASE_URL", "http://127.0.0.1:9", 1),
    ],
)
def test_a_sync_that_intercom_refuses_says_in_one_sentence_which_setting_to_mend(
    settings: dict[str, str], setting: str, value: str, code: int
) -> None:
    failed = run_command(settings | {setting: value}, "sync", "--full")
    assert (failed.returncode, failed.stdout) == (code, "")
    assert setting in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1, failed.stderr
    assert value not in failed.stderr or setting == "INTERCOM_BASE_URL"


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("INTERCOM_API_KEY", "", 2),
        ("INTERCOM_BASE_URL", "nowhere", 2),
        ("INTERCOM_SYNC_DATABASE_URL", "mysql://ada:hush@127.0.0.1/db", 2),
        ("INTERCOM_SYNC_DATABASE_URL", "postgresql://ada:hush@127.0.0.1:1/db", 1),
        ("INTERCOM_SYNC_DATABASE_URL", "postgresql://ada:hush@no-such-host.invalid/db", 1),
        ("INTERCOM_SYNC_HIGH_VALUE_MRR", "much", 2),
    ],
)
def test_a_wrong_setting_is_told_in_one_sentence_that_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], setting: str, value: str, code: int
) -> None:
    monkeypatch.setenv("INTERCOM_API_KEY", _TOKEN)
    monkeypatch.setenv(setting, value)
    assert main(["sync"]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert setting in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert "hush" not in told.err


@pytest.mark.parametrize("command", ["sync", "up"])
@pytest.mark.parametrize(
    ("home", "expected"),
    [
        ("{folder}/none", "that exists"),
        ("relative", "absolute path"),
        ("{folder}/file", "that exists"),
        ("{folder}/broken", "line 2"),
    ],
)
def test_a_dagster_home_that_dagster_cannot_use_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, settings: dict[str, str],
    command: str, home: str, expected: str,
) -> None:  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "file").write_text("")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "dagster.yaml").write_text("storage: {foo: hush\n")
    monkeypatch.setenv("DAGSTER_HOME", home.format(folder=tmp_path))
    assert main([command]) == 2
    told = capsys.readouterr().err
    assert told.startswith("DAGSTER_HOME is not right: ")
    assert expected in told
    assert "hush" not in told


def test_a_dagster_home_whose_configuration_is_wrong_is_told_in_dagsters_words(
    settings: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "dagster.yaml").write_text("storage: {foo: bar}\n")
    failed = run_command(settings | {"DAGSTER_HOME": str(tmp_path)}, "sync")
    assert failed.returncode == 1
    assert failed.stderr.startswith("Dagster: ")
    assert 'unexpected config entry "foo"' in failed.stderr


@pytest.mark.parametrize("command", ["sync", "up", "demo"])
def test_a_home_that_cannot_be_written_to_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, database_url: str,
    schema: str, command: str,
) -> None:  # fmt: skip
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("INTERCOM_API_KEY", _TOKEN)
    monkeypatch.setenv("INTERCOM_SYNC_DATABASE_URL", database_url)
    monkeypatch.setenv("INTERCOM_SYNC_SCHEMA", schema)
    monkeypatch.setenv("INTERCOM_SYNC_HOME", str(tmp_path / "file" / "home"))
    assert main([command]) == 2
    assert capsys.readouterr().err.startswith("INTERCOM_SYNC_HOME is not right: ")


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
@pytest.mark.parametrize("command", ["up", "demo", "sandbox"])
def test_a_port_that_is_none_is_wrong_use(capsys: pytest.CaptureFixture[str], command: str, port: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, f"--port={port}"])
    assert ended.value.code == 2
    assert "a port is a number from 0 to 65535" in capsys.readouterr().err


def test_an_address_of_another_machine_is_not_called_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--host", "192.0.2.1"]) == 2
    assert "Cannot assign requested address" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["sync", "--window", "yesterday"],
        ["sync", "--window", "2026-01-02/2026-01-01"],
        ["sync", "--window", "2026-01-01/2026-01-01"],
        ["sync", "--as-of", "soon"],
        ["sync", "--full", "--window", "2026-01-01/2026-01-02"],
        ["synchronise"],
        [],
    ],
)
def test_wrong_use_ends_with_two_and_without_a_traceback(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: intercom-sync" in capsys.readouterr().err


def test_a_sandbox_on_a_taken_port_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["sandbox", "--port", str(port)]) == 1
    told = capsys.readouterr().err
    assert str(port) in told
    assert "--port" in told


def test_the_ui_on_a_taken_port_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["up", "--port", str(taken.getsockname()[1])]) == 2
    assert "--port" in capsys.readouterr().err


def test_a_second_daemon_on_one_home_is_refused_with_the_address_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERCOM_SYNC_HOME", str(tmp_path))
    with deployment_lock(tmp_path, "http://127.0.0.1:3456"):
        assert main(["up"]) == 1
    assert capsys.readouterr().err == "This deployment is already running: http://127.0.0.1:3456\n"


def test_help_lists_every_setting_and_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for setting in SETTINGS:
        assert setting.name in told
    for command in ("up", "demo", "sync", "forget", "doctor", "migrate", "psql", "sandbox"):
        assert f"\n    {command}" in told


def test_python_dash_m_is_the_same() -> None:
    helped = subprocess.run(
        [sys.executable, "-m", "intercom_sync", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert helped.stdout.startswith("usage: intercom-sync")


def test_an_address_that_is_not_encrypted_is_warned_of_before_a_sync_and_by_doctor(
    settings: dict[str, str], sandbox: Sandbox
) -> None:
    elsewhere = settings | {"INTERCOM_BASE_URL": sandbox.url.replace("127.0.0.1", "0.0.0.0")}  # noqa: S104  (an address to call)
    for command in ("sync", "doctor"):
        done = run_command(elsewhere, command)
        assert done.returncode == 0
        said = done.stderr if command == "sync" else done.stdout
        assert "INTERCOM_BASE_URL is http://0.0.0.0:" in said.splitlines()[0]


def test_an_empty_workspace_is_no_failure(settings: dict[str, str]) -> None:
    with Sandbox(Workspace()) as empty:
        done = run_command(settings | {"INTERCOM_BASE_URL": empty.url}, "sync", "--as-of", "2026-06-15T12:00")
    assert (done.returncode, done.stderr) == (0, "")
    assert "- Synced: 0 contacts\n" in done.stdout
    assert "- Quality: n/a avg\n" in done.stdout
