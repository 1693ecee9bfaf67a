"""The embedded server is its user's alone: nothing of it is reachable by the network or by other users."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from intercom_sync.warehouse.embedded import filesystem
from intercom_sync.warehouse.embedded.postgres_server import EmbeddedServer
from intercom_sync.warehouse.errors import DatabaseUnreachableError
from intercom_sync.warehouse.postgres.session import Session

pytestmark = pytest.mark.slow
_LISTENS = "0A"
_NOBODY = 65534


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A running server of its own; its name is so long that its socket lies in /tmp, except as root."""
    made = EmbeddedServer(tmp_path / ("x" * 120))
    made.acquire()
    yield made
    made.release()
    shutil.rmtree(made.folder)


def _socket(server: EmbeddedServer) -> Path:
    return Path(server.url.partition("host=")[2]) / ".s.PGSQL.5432"


def _processes(server: EmbeddedServer) -> set[int]:
    """The postmaster and its children, which are all there are."""
    postmaster = (server.data / "postmaster.pid").read_text().split()[0]
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return {int(postmaster), *map(int, children)}


def _sockets(process: int) -> set[str]:
    links = set()
    for file in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            links.add(str(file.readlink()))
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}


def _listening() -> set[str]:
    """The inodes of all TCP sockets of the machine that listen."""
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {line[9] for line in lines if line[3] == _LISTENS}


def test_it_listens_on_no_network_address(server: EmbeddedServer) -> None:
    with Session(server.url, "public") as session:
        assert session.value("SELECT current_setting('listen_addresses')") == ""
        held = set().union(*map(_sockets, _processes(server)))
        assert held, "no socket of the server was found, so nothing was looked at"
        assert not held & _listening()


def test_its_folders_and_its_socket_are_for_its_user_alone(server: EmbeddedServer) -> None:
    for private in (server.folder, server.data, _socket(server).parent, _socket(server)):
        assert private.stat().st_mode & 0o777 == 0o700, private


def test_another_user_of_the_machine_cannot_connect(server: EmbeddedServer) -> None:
    if os.geteuid() != 0:
        assert all(path.stat().st_mode & 0o077 == 0 for path in (_socket(server).parent, _socket(server)))
        return
    ours = server.folder.stat().st_uid
    command = [str(filesystem.binaries(18) / "psql"), "-At", "-c", "SELECT 'in'", server.url]

    def as_user(user: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, user=user, group=user, extra_groups=[], cwd="/", capture_output=True, text=True, check=False
        )

    assert as_user(ours).stdout == "in\n"
    refused = as_user(_NOBODY)
    assert refused.returncode == 2
    assert "Permission denied" in refused.stderr
    # The socket itself is closed to others too, were its folder ever opened.
    _socket(server).parent.chmod(0o755)
    assert "Permission denied" in as_user(_NOBODY).stderr


def test_a_folder_that_stood_open_is_closed_before_the_server_starts(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "home")
    server.folder.chmod(0o755)
    again = EmbeddedServer(tmp_path / "home")
    assert again.folder.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(again.folder)


@pytest.mark.parametrize("as_link", [True, False])
def test_a_folder_that_somebody_else_laid_there_is_refused_and_left_alone(tmp_path: Path, as_link: bool) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    laid = elsewhere
    if os.geteuid() != 0:
        laid = Path("/usr")  # another user's, as any
    elif as_link:
        laid = tmp_path / "link"
        laid.symlink_to(elsewhere)
    if os.geteuid() == 0:
        os.chown(laid, _NOBODY, _NOBODY, follow_symlinks=False)
    before = laid.stat()
    with pytest.raises(DatabaseUnreachableError, match="belongs to another user"):
        filesystem.private_folder(laid)
    after = laid.stat()
    assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode)
