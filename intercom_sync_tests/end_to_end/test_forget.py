"""One person forgotten: gone from every table, never back, and nobody else any different for it."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from intercom_sync.cli import main
from intercom_sync.sandbox.builders import author, conversation, message, part, rating, subscription
from intercom_sync.sandbox.faults import stall
from intercom_sync_tests.end_to_end.scenario import DAY, HOUR, NOW, Scenario, at, person, talk
from intercom_sync_tests.end_to_end.stored import found

EMAIL = "Zelda.Quill@example.org"
NAME = "Zelda Quillfeather"
WORDS = "my parrot wants to cancel"
_OF_READINGS = ("record_count_reconciled", "no_late_arrivals", "not_all_rejected", "no_volume_drop")
_PAYING = {"stripe_id": "cus_z", "stripe_delinquent": True, "Stripe Subscriptions": [subscription(amount=90000)]}


def _others(scenario: Scenario) -> None:
    """Two customers who talk by themselves, with each other, and (see `_person`) with the one who leaves."""
    scenario.put(person("b1", "bob@example.com", name="Bob"), person("c1", "cyd@example.com", name="Cyd"))
    scenario.talks(
        talk("600", "b1", "Hello", conversation_rating=rating(4, by="b1", at=at(NOW))),
        talk("601", "b1", "we are leaving", contacts=["b1", "c1"]),
    )


def _person(scenario: Scenario) -> None:
    """The person in every role: user and lead, alone and among others, rating and writing, with a refused version."""
    scenario.put(
        person("z1", EMAIL, name=NAME, stripe=_PAYING, location={"country": "Chad", "city": "Quillville"}),
        person("z2", EMAIL.upper(), name=NAME, role="lead", updated=NOW - 2 * DAY),
        person("z3", f" {EMAIL.lower()} ", name=NAME, last_seen_at="never"),
    )
    scenario.talks(
        talk("700", "z1", WORDS, conversation_rating=rating(1, by="z1", at=at(NOW))),
        talk("701", "z2", "Hello", WORDS, contacts=["z1", "z2"]),
        talk("702", "z1", WORDS, WORDS, contacts=["b1", "z1"], conversation_rating=rating(2, by="z1", at=at(NOW))),
        conversation(
            id="703",
            contact_ids=["z1", "b1"],
            created_at=at(NOW - DAY),
            source=message(body="Hello", author=author("user", "b1")),
            parts=[part(body=WORDS, author=author("user", "z1"), created_at=at(NOW - HOUR))],
            conversation_rating=rating(5, by="b1", at=at(NOW)),
        ),
        talk("704", "z1", WORDS) | {"contacts": "nobody"},
    )


@pytest.fixture
def company(scenario: Scenario) -> Scenario:
    """The whole company, synced."""
    _others(scenario)
    _person(scenario)
    scenario.sync(full=True)
    assert scenario.emails() == ["bob@example.com", "cyd@example.com", EMAIL.lower()]
    assert len(scenario.alerts()) == 4
    return scenario


def _customers(scenario: Scenario) -> list[dict[str, Any]]:
    return scenario.rows("SELECT * FROM unified_customers WHERE email NOT LIKE 'zelda%%' ORDER BY email")


def _gone(scenario: Scenario, url: str, schema: str) -> bool:
    personal = {text: found(url, [schema], text) for text in (EMAIL, NAME, WORDS, "Quillville", "cus_z")}
    assert not set().union(*personal.values()), personal
    assert not scenario.rows("SELECT id FROM intercom_contacts WHERE id LIKE 'z%%'")
    return found(url, [schema], '"z') | found(url, [schema], "(z") | found(url, [schema], ",z") <= {"suppression_list"}


def test_forgetting_empties_every_table_and_says_how_many_rows_went(
    company: Scenario, database_url: str, schema: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["forget", f" {EMAIL.swapcase()} "]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.splitlines()[:12] == [
        "contact_merges: 0 rows removed",
        "customer_alerts: 3 rows removed",
        "customer_history: 1 row removed",
        "customer_last_written: 1 row removed",
        "intercom_contacts: 2 rows removed",
        "intercom_conversations: 2 rows removed",
        "intercom_messages: 6 rows removed",
        "rejected_records: 1 row removed",
        "revenue_metrics: 2 rows removed",
        "support_metrics: 1 row removed",
        "sync_seen_ids: 0 rows removed",
        "unified_customers: 1 row removed",
    ]
    assert "data in Intercom" in told.out
    assert "zelda" not in told.out.lower()
    assert _gone(company, database_url, schema)


def test_the_forgotten_stay_out_of_windows_and_full_syncs(company: Scenario, database_url: str, schema: str) -> None:
    before = _customers(company)
    main(["forget", EMAIL])
    for later, how in enumerate([{}, {"full": True}, {"full": True}, {}], 1):
        _person(company)
        company.put(person("z1", EMAIL, name=NAME, stripe=_PAYING, updated=NOW + later * HOUR - HOUR / 2))
        company.talks(talk("700", "z1", WORDS, WORDS, updated_at=at(NOW + later * HOUR - HOUR / 2)))
        synced = company.sync(NOW + later * HOUR, checked=True, **how)
        skipped = 3 if how else 1
        assert synced.counts == (0, 2 if how else 0, skipped, 0)
        assert _gone(company, database_url, schema)
        told = {
            (one.asset_key.to_user_string(), one.check_name): one for one in synced.result.get_asset_check_evaluations()
        }
        for check in [(f"raw_{kind}s", name) for kind in ("contact", "conversation") for name in _OF_READINGS]:
            assert told[check].passed, told[check].description
        assert told["unified_customers", "no_customer_lost"].passed
    assert company.rejects() == []
    kept = ("last_intercom_sync", "days_since_seen")
    assert [{c: v for c, v in row.items() if c not in kept} for row in _customers(company)] == [
        {c: v for c, v in row.items() if c not in kept} for row in before
    ]


def test_everybody_else_is_as_in_a_company_that_never_had_them(
    scenario: Scenario, database_url: str, schema: str
) -> None:
    _others(scenario)
    scenario.sync(full=True)
    scenario.sync(NOW + HOUR, full=True)
    without = _customers(scenario)
    for table in ("unified_customers", "customer_last_written", "customer_alerts", "sync_runs"):
        scenario.rows(f"TRUNCATE {table} RESTART IDENTITY")
    scenario.put(person("z1", EMAIL, name=NAME, stripe=_PAYING))
    scenario.talks(talk("700", "z1", WORDS))
    scenario.sync(full=True)
    main(["forget", EMAIL])
    scenario.sync(NOW + HOUR, full=True)
    assert _customers(scenario) == without


@pytest.mark.parametrize("full", [True, False])
def test_an_email_that_comes_back_under_a_new_id_stays_out_with_its_conversations(
    company: Scenario, database_url: str, schema: str, full: bool
) -> None:
    main(["forget", EMAIL])
    company.put(
        person("z7", f"\u00a0{EMAIL.title()}", name=NAME, updated=NOW + HOUR),
        person("z8", EMAIL, name=NAME, updated=NOW + HOUR, created_at=-1),
    )
    company.talks(talk("710", "z7", WORDS, WORDS, created=NOW + HOUR), talk("711", "z8", WORDS, created=NOW + HOUR))
    synced = company.sync(NOW + 2 * HOUR, full=full)
    assert _gone(company, database_url, schema)
    assert synced.row["skipped_contacts"] >= 2
    assert {"z7", "z8"} <= set(company.values("SELECT identifier FROM suppression_list WHERE kind = 'contact'"))
    company.put(person("z7", "another@example.org", name=NAME, updated=NOW + 3 * HOUR))
    company.sync(NOW + 4 * HOUR)
    assert "another@example.org" not in company.emails(living=False)


def test_conversations_that_landed_before_their_contact_was_recognised_go_in_the_same_sync(
    company: Scenario, database_url: str, schema: str
) -> None:
    main(["forget", EMAIL])
    company.talks(
        talk("710", "z7", WORDS, created=NOW + HOUR),
        talk("711", "z7", WORDS, contacts=["z7", "c1"], created=NOW + HOUR),
    )
    company.sync(NOW + 2 * HOUR)
    assert found(database_url, [schema], WORDS) == {"intercom_messages"}
    company.put(person("z7", EMAIL, name=NAME, updated=NOW + 3 * HOUR))
    company.sync(NOW + 4 * HOUR)
    assert _gone(company, database_url, schema)
    assert company.values("SELECT contact_ids FROM intercom_conversations WHERE id = '711'") == [["forgotten", "c1"]]
    assert company.customer("cyd@example.com")["intercom_convos_total"] == 2


@pytest.mark.parametrize("stalled", ["contacts", "conversations"])
@pytest.mark.parametrize("after", [0.2, 0.6, 1.0, 1.4])
def test_a_sync_that_is_under_way_brings_nobody_back(
    company: Scenario, database_url: str, schema: str, stalled: str, after: float
) -> None:
    company.sandbox.faults.add(stall(0.8), match=f"POST /{stalled}/search", times=2)
    company.sandbox.requests.clear()
    with ThreadPoolExecutor(1) as threads:
        syncing = threads.submit(company.run, NOW + HOUR, full=True)
        while not company.sandbox.requests:
            time.sleep(0.01)
        time.sleep(after)
        assert main(["forget", EMAIL]) == 0
        assert syncing.result(timeout=60).result.success
    assert _gone(company, database_url, schema)
    assert company.emails() == ["bob@example.com", "cyd@example.com"]


def test_a_customer_who_takes_the_forgotten_email_goes_too_and_is_marked(company: Scenario) -> None:
    main(["forget", EMAIL])
    company.put(person("c1", EMAIL, name="Cyd", updated=NOW + HOUR))
    company.sync(NOW + 2 * HOUR)
    assert company.emails() == ["bob@example.com"]
    assert company.customer("cyd@example.com")["intercom_deleted_at"] == NOW + 2 * HOUR


def test_the_row_of_an_email_they_had_before_goes_unless_somebody_has_it_now(company: Scenario) -> None:
    company.put(
        person("z1", "moved@example.org", name=NAME, updated=NOW + HOUR),
        person("b2", EMAIL, name="Bea", updated=NOW + HOUR),
    )
    company.sync(NOW + 2 * HOUR)
    assert main(["forget", "moved@example.org"]) == 0
    assert company.emails(living=False) == ["bob@example.com", "cyd@example.com", EMAIL.lower()]
    company.put(person("b2", "bea@example.org", name="Bea", updated=NOW + 3 * HOUR))
    company.company.archive_contact("z2")
    company.company.archive_contact("z3")
    company.sync(NOW + 4 * HOUR, full=True)
    assert main(["forget", "bea@example.org"]) == 0
    assert company.emails(living=False) == ["bob@example.com", "cyd@example.com"]


def test_somebody_who_was_never_there_is_kept_out_all_the_same(
    scenario: Scenario, database_url: str, schema: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["forget", EMAIL]) == 0
    assert "No data of this person was found.\n" in capsys.readouterr().out
    _person(scenario)
    assert scenario.sync(full=True).counts == (0, 0, 3, 0)
    assert _gone(scenario, database_url, schema)
    assert main(["forget", EMAIL]) == 0


def test_the_list_holds_no_email_and_its_digests_differ_from_one_database_to_the_next(company: Scenario) -> None:
    digests = []
    for _ in range(2):
        main(["forget", EMAIL])
        (kept,) = company.values("SELECT identifier FROM suppression_list WHERE kind = 'email'")
        digests.append(kept)
        company.rows("TRUNCATE suppression_list")
    assert all(len(one) == 64 for one in digests)
    assert digests[0] != digests[1]


def test_a_conversation_that_becomes_theirs_alone_goes(company: Scenario) -> None:
    main(["forget", EMAIL])
    company.talks(talk("702", "z1", WORDS, contacts=["z1"], updated_at=at(NOW + HOUR)))
    company.sync(NOW + 2 * HOUR)
    assert company.values("SELECT id FROM intercom_conversations ORDER BY id") == ["600", "601", "703"]


def test_what_they_wrote_counts_for_nobody_else_when_they_leave_a_conversation(company: Scenario) -> None:
    main(["forget", EMAIL])
    source = message(body=WORDS, author=author("user", "z1"))
    company.talks(talk("705", "c1", "Hello", created=NOW + HOUR, updated_at=at(NOW + HOUR)) | {"source": source})
    company.sync(NOW + 2 * HOUR)
    assert company.customer("cyd@example.com")["mentioned_cancel"] is False


@pytest.mark.parametrize("given", ["nobody", "", "  ", "two@@example.org"])
def test_what_is_no_address_is_wrong_use_and_is_not_repeated(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["forget", given])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "this is not a valid email address" in told
    assert not given.strip() or given not in told
