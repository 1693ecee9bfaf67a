"""A deployment for UI tests: a sandbox, two syncs with changes between them, and the Dagster UI."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from intercom_sync.sandbox.generate import generate
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync.warehouse.embedded.postgres_server import embedded_url
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.homes import passing

_PATIENCE = 120


@dataclass(frozen=True)
class Stack:
    """The address of the UI."""

    url: str


@contextmanager
def stack(home: Path, *, damaged: bool = False) -> Iterator[Stack]:
    """Run the deployment for the duration of the block.

    If `damaged`, a customer's row is deleted between the syncs, as by another program, so that a check fails.
    """
    company = generate(contacts=1200, conversations=1800)
    with passing(home), Sandbox(company) as sandbox:
        environment = os.environ | {
            "INTERCOM_SYNC_HOME": str(home),
            "INTERCOM_BASE_URL": sandbox.url,
            "INTERCOM_API_KEY": "sandbox",
        }
        url = embedded_url(home)
        _sync(environment, "--full")
        _grow(company)
        if damaged:
            _remove_a_customer(url)
        _sync(environment)
        with _ui(environment) as address:
            yield Stack(address)


def _sync(environment: dict[str, str], *options: str) -> None:
    command = [sys.executable, "-m", "intercom_sync", "sync", *options]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=_PATIENCE)


def _grow(company: Workspace) -> None:
    """Increase the revenue of some customers."""
    paying = [one for one in company.contacts() if _subscriptions(one)]
    for contact in paying[:40]:
        for subscription in _subscriptions(contact):
            subscription["quantity"] = 3
        company.put_contact(contact | {"updated_at": int(time.time()) - 5})


def _subscriptions(contact: dict[str, object]) -> list[dict[str, object]]:
    attributes = contact.get("custom_attributes")
    found = attributes.get("Stripe Subscriptions") if isinstance(attributes, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _remove_a_customer(url: str) -> None:
    with Session(url, "public") as session, session.transaction():
        session.execute("DELETE FROM unified_customers WHERE email = (SELECT min(email) FROM unified_customers)")


@contextmanager
def _ui(environment: dict[str, str]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "intercom_sync", "up", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        assert process.poll() is None, "the UI ended"
        assert time.monotonic() < end, "the UI did not come up"
        try:
            urlopen(f"{url}/server_info", timeout=5).close()  # noqa: S310  (a local address)
        except OSError:
            time.sleep(0.5)
        else:
            return
