"""What the server may log of a statement: its text, which holds nobody's email, name or message."""

from collections.abc import Iterator

import pytest

from intercom_sync.commands.doctor import doctor
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync.settings import Settings
from intercom_sync.warehouse.marts import key_ranges
from intercom_sync.warehouse.postgres.connect import open_warehouse
from intercom_sync.warehouse.privacy.erase_person import erase_person
from intercom_sync_tests.end_to_end.scenario import HOUR, NOW, person, talk
from intercom_sync_tests.survival.postgres import fixtures
from intercom_sync_tests.survival.postgres.server import Server

_PEOPLE = 30


@pytest.fixture
def talkative() -> Iterator[Server]:
    """A server that logs every statement as it would log one that failed, without the values that are bound to it."""
    with Server("log_statement=all", "log_parameter_max_length=0", "log_parameter_max_length_on_error=0") as server:
        yield server


def test_no_statement_holds_customers_data(talkative: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    # Few customers a bucket, so that there are bounds.
    monkeypatch.setattr(key_ranges, "CUSTOMERS_PER_RANGE", 4)
    company = Workspace()
    for number in range(_PEOPLE):
        name = f"Oddname {number}"
        company.put_contact(
            person(f"c{number}", f"o'dd{number}@oddmail.example", name=name, location={"city": "Oddcity"})
        )
        company.put_conversation(talk(f"9{number}", f"c{number}", "Oddwords", "I will cancel", created=NOW - HOUR))
    company.put_contact(person("bad", "oddly@@oddmail.example"))
    with Sandbox(company) as sandbox, fixtures.struck(sandbox, talkative, None) as struck:
        struck.sync(full=True, checked=True)
        for number in range(0, _PEOPLE, 2):
            company.put_contact(person(f"c{number}", f"new{number}@oddmail.example", updated=NOW + HOUR))
        struck.sync(NOW + 2 * HOUR, checked=True)
        doctor(Settings.load())
        with open_warehouse(Settings.load())() as session:
            erase_person(session, "new2@oddmail.example")
        struck.sync(NOW + 3 * HOUR, full=True)
        assert len(struck.emails()) == _PEOPLE - 1
    logged = [line for line in talkative.log.splitlines() if "odd" in line.lower()]
    assert logged == []
    assert "width_bucket" in talkative.log
