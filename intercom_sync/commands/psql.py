"""`intercom-sync psql`: open psql on the deployment's database, or print its URL."""

import os
import shutil
import sys
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from intercom_sync.commands.stop_signals import run_interactively
from intercom_sync.settings import Settings, SettingsError
from intercom_sync.warehouse.embedded.filesystem import client_program, server_path
from intercom_sync.warehouse.postgres.connect import database_url, is_made
from intercom_sync.warehouse.postgres.urls import plain_url


def psql(settings: Settings, *, url_only: bool, command: str | None) -> int:
    """Open psql, or print the URL without its password.

    Returns:
        The exit code of psql.

    Raises:
        SettingsError: there is no database yet.
        WarehouseError: the embedded server does not start.
    """
    if not is_made(settings):
        raise SettingsError(
            f"There is no database yet: intercom-sync sync creates one under {server_path(settings.home)}, "
            "or set INTERCOM_SYNC_DATABASE_URL."
        )
    url, password = _without_password(plain_url(database_url(settings)))
    if url_only:
        print(url)
        if not settings.database_url:
            print(
                "The embedded server runs only while a command such as intercom-sync up or psql runs.", file=sys.stderr
            )
        return 0
    program = shutil.which("psql") or str(client_program("psql"))
    arguments = ["-c", command] if command is not None else []
    options = f'{os.environ.get("PGOPTIONS", "")} -csearch_path="{settings.schema_name}"'.strip()
    environment = os.environ | ({"PGPASSWORD": password} if password else {}) | {"PGOPTIONS": options}
    return run_interactively([program, url, *arguments], environment)


def _without_password(url: str) -> tuple[str, str]:
    """Return a URL without its password, and the password. The list of processes would show it in the URL."""
    parts = urlsplit(url)
    parameters = parse_qsl(parts.query, keep_blank_values=True)
    password = unquote(parts.password or "") or dict(parameters).get("password", "")
    query = urlencode([(name, value) for name, value in parameters if name != "password"], quote_via=quote)
    user = quote(unquote(parts.username), safe="") + "@" if parts.username is not None else ""
    netloc = user + parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=netloc, query=query)), password
