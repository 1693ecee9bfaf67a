"""A forgotten person stands nowhere in the database, Dagster's own storage included, after syncs good and bad."""

import os
from functools import partial
from pathlib import Path

import pytest

from intercom_sync.sandbox.builders import author, contact, conversation, message, part, subscription
from intercom_sync.sandbox.faults import error
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync_tests.commands.forked import run_command
from intercom_sync_tests.end_to_end.stored import found

_EMAIL, _NAME, _WORDS = "Wilhelmina.Oddname@example.org", "Wilhelmina Oddname", "the walrus wants to cancel"
_BEGAN = 1_780_000_000
pytestmark = pytest.mark.slow


def _company() -> Workspace:
    company = Workspace()
    paying = {"Stripe Subscriptions": [subscription(amount=90000)], "stripe_delinquent": True}
    times = {"created_at": _BEGAN - 90_000, "updated_at": _BEGAN}
    for id, fields in {"w1": {}, "w2": {"last_seen_at": "never"}}.items():
        company.put_contact(contact(id=id, email=_EMAIL, name=_NAME, custom_attributes=paying, **(times | fields)))
    company.put_contact(contact(id="b1", email="bob@example.com", **times))
    said = {"source": message(body=_WORDS, author=author("user", "w1")), "created_at": _BEGAN - 3600}
    reply = part(body=_WORDS, author=author("user", "w1"), created_at=_BEGAN - 60)
    company.put_conversation(conversation(id="700", contact_ids=["w1"], parts=[reply], **said))
    company.put_conversation(conversation(id="701", contact_ids=["w1", "b1"], parts=[reply], **said))
    company.put_conversation(conversation(id="702", contact_ids=["w1"], **said) | {"contacts": _WORDS})
    return company


def test_after_forget_neither_email_nor_name_nor_words_stand_in_any_table(
    database_url: str, schema: str, tmp_path: Path
) -> None:
    with Sandbox(_company()) as sandbox:
        environment = os.environ | {
            "INTERCOM_API_KEY": "an invented token",
            "INTERCOM_BASE_URL": sandbox.url,
            "INTERCOM_SYNC_DATABASE_URL": database_url,
            "INTERCOM_SYNC_SCHEMA": schema,
            "INTERCOM_SYNC_HOME": str(tmp_path / "home"),
        }

        run = partial(run_command, environment)

        dagster = f"dagster_{schema}"

        def standing(*schemas: str) -> set[str]:
            return set().union(*(found(database_url, schemas, text) for text in (_EMAIL, _NAME, _WORDS)))

        as_of = ("--as-of", "2026-05-29T00:00")
        assert run("sync", "--full", *as_of).returncode == 0
        assert "unified_customers" in standing(schema)
        sandbox.faults.add(error(401, "unauthorized", "Access Token Invalid"), after=1)
        assert run("sync", "--full", *as_of).returncode == 1
        sandbox.faults.clear()
        # Dagster never knew: what it stores is for everybody who may open the UI.
        assert standing(dagster) == set()

        done = run("forget", _EMAIL.lower())
        assert (done.returncode, done.stderr) == (0, "")
        assert standing(schema, dagster) == set()
        for _ in range(2):
            assert run("sync", "--full", *as_of).returncode == 0
            assert standing(schema, dagster) == set()
    for file in (tmp_path / "home").rglob("*"):
        assert not file.is_file() or _EMAIL.lower().encode() not in file.read_bytes().lower()
