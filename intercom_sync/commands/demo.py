"""`intercom-sync demo`: the whole stack on a sandbox Intercom, with its own home folder and database.

It does not touch a real deployment, whatever the environment configures.
"""

import os
import sys
from pathlib import Path

from intercom_sync.commands.sync import SyncRequest, sync
from intercom_sync.commands.up import AlreadyUpError, deployment_lock, free_port, up
from intercom_sync.sandbox.generate import generate
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.settings import Settings

_REAL_SETTINGS = ("INTERCOM_SYNC_DATABASE_URL", "DATABASE_URL", "INTERCOM_REGION", "DAGSTER_HOME", "SLACK_BOT_TOKEN")


def demo(port: int | None, contacts: int, conversations: int, seed: int) -> int:
    """Start a sandbox, run a full sync, and serve the UI until Ctrl-C.

    Returns:
        The exit code.

    Raises:
        SettingsError: the port is taken.
        WarehouseError: the embedded database does not start.
    """
    home = Path(os.environ.get("INTERCOM_SYNC_HOME") or "~/.intercom_sync").expanduser() / "demo"
    try:
        with deployment_lock(home, "http://127.0.0.1:3000"):
            free_port("127.0.0.1", port)
    except AlreadyUpError as error:
        print(error)
        return 0
    with Sandbox(generate(contacts=contacts, conversations=conversations, seed=seed)) as sandbox:
        print(f"Sandbox Intercom with {contacts:,} contacts and {conversations:,} conversations: {sandbox.url}")
        settings = _demo_settings(home, sandbox.url)
        failed = sync(settings, SyncRequest(full=True), as_json=False)
        return failed or up(settings, "127.0.0.1", port, _announce)


def _demo_settings(home: Path, url: str) -> Settings:
    for name in _REAL_SETTINGS:
        # An empty value also overrides one in a .env file.
        os.environ[name] = ""
    os.environ |= {"INTERCOM_SYNC_HOME": str(home), "INTERCOM_BASE_URL": url, "INTERCOM_API_KEY": "sandbox"}
    return Settings.load()


def _announce(url: str) -> None:
    print(
        f"\nThe customers are in the table unified_customers. See them in the Dagster UI:\n\n"
        f"    {url}/assets/unified_customers\n\nCtrl-C stops it all.",
        file=sys.stdout,
        flush=True,
    )
