"""`intercom-sync psql`: the client on the named or the embedded database, and its URL."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from intercom_sync.cli import main
from intercom_sync.warehouse.embedded.filesystem import server_path
from intercom_sync.warehouse.postgres.urls import plain_url
from intercom_sync_tests.homes import passing


def _psql(environment: dict[str, str], *arguments: str, said: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "intercom_sync", "psql", *arguments],
        env=os.environ | environment, input=said, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_it_opens_the_named_database_on_our_schema(database_url: str, schema: str) -> None:
    environment = {"INTERCOM_SYNC_DATABASE_URL": database_url, "INTERCOM_SYNC_SCHEMA": schema}
    done = _psql(environment, "-c", "SELECT current_schema()")
    assert (done.returncode, done.stderr) == (0, "")
    assert schema in done.stdout
    assert _psql(environment, said="SELECT 6 * 7;").stdout.find("42") > 0
    assert _psql(environment, "-c", "SELECT nothing").returncode == 1


def test_the_url_of_a_named_database_is_printed_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERCOM_SYNC_DATABASE_URL", "postgresql+psycopg2://a%40b:s%40cret@host:5/x?sslmode=require")
    assert main(["psql", "--url"]) == 0
    assert capsys.readouterr().out == "postgresql://a%40b@host:5/x?sslmode=require\n"
    monkeypatch.setenv("INTERCOM_SYNC_DATABASE_URL", "postgresql://host/x?user=a&password=s%40cret")
    assert main(["psql", "--url"]) == 0
    assert capsys.readouterr().out == "postgresql://host/x?user=a\n"


def test_the_embedded_database_is_opened_and_its_real_folder_named(tmp_path: Path) -> None:
    with passing(tmp_path / "home") as home:
        environment = {"INTERCOM_SYNC_HOME": str(home)}
        assert _psql(environment, "-c", "SELECT 1").returncode == 2
        made = subprocess.run([sys.executable, "-m", "intercom_sync", "migrate"], env=os.environ | environment,
                              capture_output=True, text=True, timeout=120, check=True)  # fmt: skip
        assert str(server_path(home)) in made.stdout
        assert (server_path(home) / "data" / "PG_VERSION").exists()
        counted = _psql(environment, "-c", "SELECT count(*) FROM unified_customers")
        assert (counted.returncode, counted.stderr) == (0, "")
        # The URL is good for as long as another command keeps the server up.
        asked = (
            "import subprocess, sys; from intercom_sync.settings import Settings; "
            "from intercom_sync.warehouse.postgres.connect import database_url; database_url(Settings.load()); "
            "print(subprocess.run([sys.executable, '-m', 'intercom_sync', 'psql', '--url'], capture_output=True, "
            "text=True).stdout.strip()); sys.stdout.flush(); sys.stdin.read()"
        )
        with subprocess.Popen([sys.executable, "-c", asked], env=os.environ | environment, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as holder:  # fmt: skip
            assert holder.stdout is not None
            url = holder.stdout.readline().strip()
            connection = psycopg2.connect(plain_url(url))
            connection.close()
            holder.communicate()
