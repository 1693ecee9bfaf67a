"""The embedded server: shared by processes, stopped by the last one, and nobody else's folder touched."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from intercom_sync.warehouse.embedded.postgres_server import EmbeddedServer
from intercom_sync.warehouse.errors import DatabaseUnreachableError
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.homes import passing

_HOLDER = """
import sys
from pathlib import Path
from intercom_sync.warehouse.embedded.postgres_server import embedded_url
print(embedded_url(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""
pytestmark = pytest.mark.slow


class _Holder:
    """A process that holds the server until it is told to end."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def end(self, *, kill: bool = False) -> None:
        """End it as a program ends, or by force."""
        if kill:
            self.process.kill()
        self.process.communicate(timeout=60)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home whose server is stopped after the test, whatever became of its holders."""
    with passing(tmp_path / "home") as folder:
        yield folder


def _answers(url: str) -> bool:
    try:
        with Session(url, "public") as session:
            return bool(session.value("SELECT 1") == 1)
    except DatabaseUnreachableError:
        return False


def test_two_processes_share_one_server_and_the_last_one_stops_it(home: Path) -> None:
    first, second = _Holder(home), _Holder(home)
    assert first.url == second.url
    assert _answers(first.url)
    first.end()
    assert _answers(second.url)
    second.end()
    assert not _answers(second.url)


def test_a_process_that_was_killed_is_not_counted(home: Path) -> None:
    first, second = _Holder(home), _Holder(home)
    first.end(kill=True)
    assert _answers(second.url)
    second.end()
    assert not _answers(second.url)


def test_a_server_whose_only_holder_was_killed_serves_the_next_with_its_data(home: Path) -> None:
    first = _Holder(home)
    with Session(first.url, "public") as session, session.transaction():
        session.execute("CREATE TABLE kept AS SELECT 7 AS number")
    first.end(kill=True)
    second = _Holder(home)
    with Session(second.url, "public") as session:
        assert session.value("SELECT number FROM kept") == 7
    second.end()
    assert not _answers(second.url)


def test_only_its_own_folder_is_made_and_only_its_user_may_enter_it(home: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    before = {folder: folder.stat().st_mode for folder in (tmp_path, *tmp_path.parents)}
    holder = _Holder(home)
    server = EmbeddedServer(home)
    assert server.data.stat().st_mode & 0o777 == 0o700
    assert server.folder.stat().st_mode & 0o077 == 0
    assert {folder: folder.stat().st_mode for folder in before} == before
    holder.end()


def test_a_home_with_a_long_name_and_blanks_works_too(tmp_path: Path) -> None:
    with passing(tmp_path / "a folder of my own" / ("x" * 120)) as home:
        holder = _Holder(home)
        assert _answers(holder.url)
        holder.end()


def test_a_home_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    home = tmp_path / "file" / "home"
    (tmp_path / "file").write_text("")
    failed = subprocess.run(
        [sys.executable, "-m", "intercom_sync", "sync"],
        env={"INTERCOM_API_KEY": "x", "INTERCOM_SYNC_HOME": str(home), "PATH": ""},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert failed.returncode in {1, 2}
    assert "INTERCOM_SYNC_HOME" in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1
    if os.geteuid() == 0:  # the server's folder lies elsewhere, and could be made
        shutil.rmtree(EmbeddedServer(home).folder)
