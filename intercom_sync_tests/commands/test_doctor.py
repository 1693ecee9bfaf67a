"""`intercom-sync doctor` against a real sandbox and database."""

import re
import time

import pytest

from intercom_sync.commands.doctor import doctor
from intercom_sync.sandbox.builders import contact, payment
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync.settings import Settings
from intercom_sync.warehouse.schema.migrate import prepare


def charged(flat: float, paid: int) -> dict:
    return contact(
        custom_attributes={
            "stripe_last_charge_amount": flat,
            "Stripe Payments": [payment(amount=paid, created=1700000000)],
        }
    )


def looked_at(company: Workspace, database_url: str, schema: str, **more: str) -> Settings:
    return Settings.load(
        {
            "INTERCOM_API_KEY": "sandbox",
            "INTERCOM_SYNC_DATABASE_URL": database_url,
            "INTERCOM_SYNC_SCHEMA": schema,
            **more,
        }
    )


def test_all_good_is_said_line_by_line_and_ends_with_0(database_url, schema, capsys):
    prepare(database_url, schema)
    company = Workspace(timezone="Asia/Kolkata")
    company.put_contact(charged(29900, 29900))
    with Sandbox(company) as sandbox:
        assert doctor(looked_at(company, database_url, schema, INTERCOM_BASE_URL=sandbox.url)) == 0
    said = capsys.readouterr().out
    assert "FAIL" not in said
    assert "clocks: this machine, the database, Intercom agree within a minute" in said
    assert "time zone: Asia/Kolkata" in said
    assert "contacts: search allowed, 1 found" in said
    assert "attribute 'Stripe Payments': list" in said
    assert "agrees with 1 payments" in said
    assert f"tables up to date in schema {schema}" in said
    assert "no SLACK_BOT_TOKEN" in said


def test_a_flat_amount_in_dollars_is_noticed_by_its_payments(database_url, schema, capsys):
    company = Workspace()
    company.put_contact(charged(299.0, 29900))
    with Sandbox(company) as sandbox:
        assert doctor(looked_at(company, database_url, schema, INTERCOM_BASE_URL=sandbox.url)) == 1
    assert "FAIL  unit of the last charge: differs from the payments by a factor of 100" in capsys.readouterr().out


def test_clocks_that_differ_are_named_with_how_much(database_url, schema, capsys):
    prepare(database_url, schema)
    with Sandbox(Workspace(), clock=lambda: time.time() - 3_000) as sandbox:
        assert doctor(looked_at(sandbox.workspace, database_url, schema, INTERCOM_BASE_URL=sandbox.url)) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAIL")]
    assert re.search(
        r"clocks: the clock of this machine is (2,99\d|3,00\d) seconds ahead, the clock of the database is", line
    )
    assert "correct the clock" in line


@pytest.mark.parametrize("dated", [True, False])
def test_clocks_are_compared_without_tables_and_without_a_date_of_intercoms(dated, database_url, schema, capsys):
    with Sandbox(Workspace(), dated=dated) as sandbox:
        assert doctor(looked_at(sandbox.workspace, database_url, f"{schema}_none", INTERCOM_BASE_URL=sandbox.url)) == 0
    compared = ", ".join(["this machine", "the database", *["Intercom"] * dated])
    assert f"clocks: {compared} agree within a minute" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"INTERCOM_API_KEY": "wrong"}, "INTERCOM_API_KEY"),
        ({"INTERCOM_BASE_URL": "http://127.0.0.1:9"}, "INTERCOM_BASE_URL"),
        ({"INTERCOM_SYNC_DATABASE_URL": "postgresql://a:secret@127.0.0.1:1/x"}, "INTERCOM_SYNC_DATABASE_URL"),
        ({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_API_URL": "http://127.0.0.1:9"}, "SLACK_API_URL"),
    ],
)
def test_what_is_wrong_is_named_by_its_setting_without_secrets(wrong, said, database_url, schema, capsys):
    with Sandbox(Workspace()) as sandbox:
        settings = looked_at(sandbox.workspace, database_url, schema, **({"INTERCOM_BASE_URL": sandbox.url} | wrong))
        assert doctor(settings) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAIL")]
    assert len(lines) == 1
    assert said in lines[0]
    assert "secret" not in lines[0]
