"""Databases of other encodings than UTF-8: what they can hold is stored as it is, the rest is rejected and named."""

from collections.abc import Iterator

import pytest

from intercom_sync.commands.doctor import doctor
from intercom_sync.sandbox.builders import subscription
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync.settings import Settings
from intercom_sync.warehouse.alerts.outbox import pending
from intercom_sync.warehouse.postgres.connect import open_warehouse
from intercom_sync.warehouse.privacy.erase_person import erase_person
from intercom_sync_tests.end_to_end.scenario import HOUR, NOW, person, talk
from intercom_sync_tests.survival.postgres import fixtures
from intercom_sync_tests.survival.postgres.server import Server

_STRIPE = {"Stripe Subscriptions": [subscription(amount=60_000)]}
_WORDS = "I will cancel 😀 王 & <b>Zoë</b>"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as made:
        yield made


def _company() -> Workspace:
    made = Workspace()
    made.put_contact(person("zoe", "zoë@example.com", name="Zoë Ångström", stripe=_STRIPE | {"note": "😀 &#x41;"}))
    made.put_contact(person("wang", "wang@example.com", name="王", stripe=_STRIPE))
    made.put_contact(person("smile", "smile@example.com", name="Ann 😀"))
    made.put_contact(person("plain", "plain@example.com", name="Ann &#x41; \\ 'x'"))
    made.put_conversation(talk("91", "zoe", _WORDS, created=NOW - HOUR))
    return made


def _names(struck: fixtures.FaultyScenario) -> dict[str, str]:
    return {row["email"]: row["name"] for row in struck.rows("SELECT email, name FROM unified_customers")}


@pytest.mark.parametrize(
    ("encoding", "rejected"),
    [
        ("UTF8", set()),
        ("LATIN1", {"wang", "smile"}),
        ("WIN1252", {"wang", "smile"}),
        ("LATIN2", {"wang", "smile", "zoe"}),
        ("EUC_JP", {"smile"}),
        ("SQL_ASCII", set()),
    ],
)
def test_what_the_database_can_hold_is_right_and_the_rest_is_rejected(
    server: Server, encoding: str, rejected: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    template = f"template_{encoding.lower()}"
    server.ask(f"CREATE DATABASE {template} ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0")
    company = _company()
    with Sandbox(company) as sandbox, fixtures.struck(sandbox, server, template) as struck:
        first = struck.sync(full=True, checked=True)
        every = {"zoe": "Zoë Ångström", "wang": "王", "smile": "Ann 😀", "plain": "Ann &#x41; \\ 'x'"}
        made = {
            ("zoë" if id == "zoe" else id) + "@example.com": name for id, name in every.items() if id not in rejected
        }
        assert _names(struck) == made
        assert {id for _, id, _ in struck.rejects()} == rejected
        assert first.row["skipped_contacts"] == len(rejected)
        if rejected:
            reasons = struck.values("SELECT DISTINCT reason FROM rejected_records")
            assert reasons == [f"text that the database's encoding {encoding} cannot hold"]
        # The second run finds nothing to change, so what is read back is what was written.
        before = struck.kept()
        struck.sync(NOW + HOUR, full=True, checked=True)
        assert struck.kept(*fixtures.WRITTEN)["customer_alerts"] == before["customer_alerts"]
        with open_warehouse(Settings.load())() as session:
            quoted = [alert.details["excerpt"] for alert in pending(session) if alert.kind == "cancel_mention"]
            assert quoted == ([] if "zoe" in rejected else ["I will cancel 😀 王 & Zoë"])
        doctor(Settings.load())
        assert (f"the encoding {encoding}" in capsys.readouterr().out) == (encoding != "UTF8")
        # A name that fits brings the contact back, and one that does not leaves its last good version.
        company.put_contact(person("smile", "smile@example.com", name="Ann", updated=NOW + HOUR))
        company.put_contact(person("plain", "plain@example.com", name="😀", updated=NOW + HOUR))
        struck.sync(NOW + 2 * HOUR, checked=True)
        assert _names(struck)["smile@example.com"] == "Ann"
        assert _names(struck)["plain@example.com"] == (made["plain@example.com"] if rejected else "😀")
        with open_warehouse(Settings.load())() as session:
            erase_person(session, "zoë@example.com")
        assert "zoë@example.com" not in _names(struck)


def test_an_encoding_that_the_url_or_the_role_asks_for_changes_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.ask("ALTER ROLE postgres SET client_encoding = 'LATIN1'")
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    url = f"postgresql://postgres@/{{database}}?host={server.home}&port={server.port}&client_encoding=latin1"
    with Sandbox(_company()) as sandbox, fixtures.struck(sandbox, server, None, url) as struck:
        struck.sync(full=True)
        assert len(struck.values("SELECT name FROM unified_customers WHERE name IN ('王', 'Ann 😀')")) == 2
    server.ask("ALTER ROLE postgres RESET client_encoding")
