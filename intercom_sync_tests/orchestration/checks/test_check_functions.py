"""Every check passes on sound tables and fails once something in them is wrong: one statement of damage each."""

from collections.abc import Callable

import pytest

from intercom_sync.domain.reconciliation import CheckResult
from intercom_sync.domain.rules import Rules
from intercom_sync.orchestration.checks.contact_checks import CONTACT_CHECKS
from intercom_sync.orchestration.checks.conversation_checks import CONVERSATION_CHECKS
from intercom_sync.orchestration.checks.customer_checks import CUSTOMER_CHECKS
from intercom_sync.orchestration.checks.revenue_checks import revenue_checks
from intercom_sync.orchestration.checks.support_checks import SUPPORT_CHECKS
from intercom_sync.warehouse.postgres.session import Session

CHECKS = {
    f"{asset}.{check.name}": check
    for asset, checks in {
        "raw_contacts": CONTACT_CHECKS,
        "raw_conversations": CONVERSATION_CHECKS,
        "revenue_metrics": revenue_checks(Rules()),
        "support_metrics": SUPPORT_CHECKS,
        "unified_customers": CUSTOMER_CHECKS,
    }.items()
    for check in checks
}
CONTACT = (
    "INSERT INTO intercom_contacts (id, email, role, created_at, updated_at, payload) "
    "SELECT 'c' || n, {email}, 'user', now(), now(), '{{}}' FROM generate_series({first}, {last}) n"
)
SOUND = (
    "INSERT INTO sync_runs (run_id, mode, status, as_of, window_start, window_end, started_at, finished_at, "
    "new_contacts, customers) VALUES "
    "('before', 'full', 'succeeded', now() - interval '7 hours', to_timestamp(0), now() - interval '7 hours', "
    "now() - interval '7 hours', now() - interval '7 hours', 2, 2), "
    "('now', 'full', 'succeeded', now(), to_timestamp(0), now(), now() - interval '1 minute', now(), 0, 2)",
    "INSERT INTO sync_stream_stats (extraction_id, kind, run_id, records_seen, rejected, total, matched, rows_after, "
    "deleted, parts_failed, ignored_ratings, late_arrivals, late_arrival_ids) "
    "SELECT run_id, kind, run_id, 300, 0, 300, 300, 300, 0, 0, 0, 0, '{}' FROM sync_runs, "
    "unnest(ARRAY['contact', 'conversation']) kind",
    CONTACT.format(email="'C' || n || '@example.com'", first=1, last=2),
    "INSERT INTO intercom_conversations (id, created_at, updated_at, open, contact_ids, parts_pending) "
    "VALUES ('v1', now(), now(), true, '{c1}', false)",
    "INSERT INTO revenue_metrics (contact_id, mrr, ltv, subscription_status, subscription_count, last_payment_amount, "
    "newest_payment_amount, currency, currencies, revision, rules_hash) "
    "VALUES ('c1', 10, 100, 'active', 1, 10, 10, 'usd', '{usd}', 1, ''), "
    "('c2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}', 1, '')",
    "INSERT INTO support_metrics (email_key, intercom_convos_total, intercom_convos_30d, open_tickets, csat_score) "
    "VALUES ('c1@example.com', 2, 1, 2, 5)",
    "INSERT INTO unified_customers (email, name, intercom_contact_id, quality_score) VALUES "
    "('c1@example.com', 'A Name', 'c1', 100), ('c2@example.com', 'Another', 'c2', 0)",
    "INSERT INTO unified_customers (email) VALUES ('only-known-elsewhere@example.com')",
    "UPDATE sync_runs SET customers = 3",
    "INSERT INTO customer_last_written (email_key) VALUES ('c1@example.com'), ('c2@example.com')",
)


def refuse(kind: str, reason: str, field: str, value: str = "null") -> str:
    return (
        "INSERT INTO rejected_records (kind, id, reason, field, value, run, time, rules_hash) "
        f"VALUES ('{kind}', 'bad1', '{reason}', '{field}', '{value}', 'now', now(), '')"
    )


def brought(kind: str, change: str) -> str:
    return f"UPDATE sync_stream_stats SET {change} WHERE run_id = 'now' AND kind = '{kind}'"


TIME = "timestamp is not a positive integer"
# For each check: the damage, and what must stand in its answer.
DAMAGE: dict[str, tuple[str, str]] = {
    "raw_contacts.ids_unique": (
        "ALTER TABLE intercom_contacts DROP CONSTRAINT intercom_contacts_pkey;"
        "INSERT INTO intercom_contacts (id, created_at, updated_at, payload) VALUES ('c1', now(), now(), '{}')",
        "c1",
    ),
    "raw_contacts.emails_valid": (
        refuse("contact", "email is not a valid address", "email", '"someone@@secret.example"'),
        "bad1 (s***@s***.example)",
    ),
    "raw_contacts.emails_present": (CONTACT.format(email="NULL", first=10, last=120), "111 of 113 users"),
    "raw_contacts.timestamps_valid": (refuse("contact", TIME, "updated_at", "0"), "bad1"),
    "raw_contacts.records_usable": (
        refuse("contact", "location of the wrong shape", "location"),
        "location of the wrong",
    ),
    "raw_contacts.clocks_agree": (
        "UPDATE sync_runs SET machine_clock = now() + interval '2 hours', database_clock = now(), "
        "intercom_clock = now(), started_at = now() WHERE run_id = 'now'",
        "The clock of this machine is 7,200 seconds ahead",
    ),
    "raw_contacts.record_count_reconciled": (
        brought("contact", "matched = 299"),
        "counts 300 contacts, and 299 are stored",
    ),
    "raw_contacts.no_late_arrivals": (brought("contact", "late_arrivals = 1, late_arrival_ids = '{c9}'"), "c9"),
    "raw_contacts.not_all_rejected": (brought("contact", "rejected = 300"), "0 of 300"),
    "raw_contacts.no_volume_drop": (brought("contact", "rows_after = 100, deleted = 200"), "200 of the 300 contacts"),
    "raw_conversations.ids_unique": (
        "ALTER TABLE intercom_conversations DROP CONSTRAINT intercom_conversations_pkey;"
        "INSERT INTO intercom_conversations SELECT * FROM intercom_conversations",
        "v1",
    ),
    "raw_conversations.timestamps_valid": (refuse("conversation", TIME, "created_at"), "bad1"),
    "raw_conversations.records_usable": (
        refuse("conversation", "contacts of the wrong shape", "contacts"),
        "contacts of the wrong shape: 1",
    ),
    "raw_conversations.parts_complete": ("UPDATE intercom_conversations SET parts_missing = 7", "v1"),
    "raw_conversations.ratings_usable": (brought("conversation", "ignored_ratings = 3"), "3 ratings"),
    "raw_conversations.record_count_reconciled": (brought("conversation", "matched = 0"), "and 0 are stored"),
    "raw_conversations.no_late_arrivals": (
        brought("conversation", "late_arrivals = 1, late_arrival_ids = '{v9}'"),
        "v9",
    ),
    "raw_conversations.not_all_rejected": (brought("conversation", "rejected = 300"), "All were rejected"),
    "raw_conversations.no_volume_drop": (brought("conversation", "matched = 100"), "100 of the 300"),
    "revenue_metrics.amounts_not_negative": ("UPDATE revenue_metrics SET mrr = -1 WHERE contact_id = 'c1'", "c1"),
    "revenue_metrics.statuses_allowed": ("UPDATE revenue_metrics SET subscription_status = 'dormant'", "c1"),
    "revenue_metrics.active_subscriptions_priced": (
        refuse("contact", "active subscription without a usable price", "custom_attributes.x"),
        "bad1",
    ),
    "revenue_metrics.amounts_readable": (refuse("contact", "amount is not a number", "custom_attributes.x"), "bad1"),
    "revenue_metrics.last_payment_unit": ("UPDATE revenue_metrics SET last_payment_amount = 0.1", "LAST_CHARGE_UNIT"),
    "revenue_metrics.currencies_not_mixed": (
        "UPDATE revenue_metrics SET currencies = '{eur}' WHERE contact_id = 'c2'",
        "c2",
    ),
    "support_metrics.counts_consistent": ("UPDATE support_metrics SET intercom_convos_30d = 3", "c***@e***.com"),
    "support_metrics.csat_in_range": ("UPDATE support_metrics SET csat_score = 5.1", "c***@e***.com"),
    "unified_customers.one_row_per_email": (
        "DROP INDEX unified_customers_lower_email;INSERT INTO unified_customers (email) VALUES ('C1@EXAMPLE.COM')",
        "c***@e***.com",
    ),
    "unified_customers.required_fields": ("UPDATE unified_customers SET name = ' ' WHERE name = 'A Name'", "c***@e***"),
    "unified_customers.score_in_range": (
        "UPDATE unified_customers SET quality_score = 101 WHERE name = 'A Name'",
        "outside 0 to 100: 1",
    ),
    "unified_customers.every_contact_counted": (
        "UPDATE unified_customers SET intercom_deleted_at = now() WHERE name = 'A Name'",
        "c***@e***.com",
    ),
    "unified_customers.all_written": (refuse("customer", "its check short_name", "name"), "its check short_name: 1"),
    "unified_customers.texts_whole": (
        "ALTER TABLE unified_customers ALTER name TYPE varchar(1) USING left(name, 1);"
        "UPDATE unified_customers SET name = 'c' WHERE email = 'c1@example.com'",
        "name: 1",
    ),
    "unified_customers.no_customer_lost": (
        "DELETE FROM unified_customers WHERE name = 'A Name'",
        "deleted by another program",
    ),
    "unified_customers.is_fresh": (
        "UPDATE sync_runs SET finished_at = now() - interval '14 hours'",
        "last successful sync ended",
    ),
}


@pytest.fixture
def sound(connect: Callable[[], Session]) -> Callable[[], Session]:
    carry_out(connect, *SOUND)
    return connect


def carry_out(connect: Callable[[], Session], *statements: str) -> None:
    with connect() as session, session.transaction():
        for statement in statements:
            for one in statement.split(";"):
                session.execute(one)


def ask(connect: Callable[[], Session], name: str) -> CheckResult:
    with connect() as session, session.transaction():
        return CHECKS[name].function(session, "now")


def test_every_check_has_its_damage() -> None:
    assert set(DAMAGE) == set(CHECKS)


def test_every_check_passes_on_sound_tables(sound: Callable[[], Session]) -> None:
    verdicts = {name: ask(sound, name) for name in CHECKS}
    assert {name: verdict.sentence for name, verdict in verdicts.items() if not verdict.passed} == {}


def test_every_check_passes_before_the_first_sync_but_freshness(connect: Callable[[], Session]) -> None:
    assert [name for name in CHECKS if not ask(connect, name).passed] == ["unified_customers.is_fresh"]


@pytest.mark.parametrize("name", DAMAGE)
def test_a_check_fails_when_its_rule_is_broken_and_shows_where(name: str, sound: Callable[[], Session]) -> None:
    damage, told = DAMAGE[name]
    carry_out(sound, damage)
    verdict = ask(sound, name)
    assert not verdict.passed
    assert told in " ".join([verdict.sentence, *verdict.examples])


@pytest.mark.parametrize("name", DAMAGE)
def test_no_check_tells_an_email_or_a_name(name: str, sound: Callable[[], Session]) -> None:
    carry_out(sound, DAMAGE[name][0])
    verdict = ask(sound, name)
    told = " ".join([verdict.sentence, *verdict.examples]).lower()
    assert "example.com" not in told
    assert "a name" not in told
    assert "secret" not in told


def test_parts_that_were_given_up_are_told_as_waiting(sound: Callable[[], Session]) -> None:
    carry_out(
        sound, "UPDATE intercom_conversations SET parts_pending = true", brought("conversation", "parts_failed = 1")
    )
    verdict = ask(sound, "raw_conversations.parts_complete")
    assert not verdict.passed
    assert verdict.metrics == {"parts_pending": 1, "parts_failed": 1, "parts_missing": 0}


def test_a_customer_marked_by_this_sync_is_not_lost(sound: Callable[[], Session]) -> None:
    carry_out(
        sound,
        "UPDATE unified_customers SET intercom_deleted_at = (SELECT as_of FROM sync_runs WHERE run_id = 'now') "
        "WHERE name = 'A Name'",
    )
    assert ask(sound, "unified_customers.no_customer_lost").passed


def test_rows_of_other_systems_are_not_judged(sound: Callable[[], Session]) -> None:
    carry_out(sound, "INSERT INTO unified_customers (email, quality_score) VALUES ('foreign@example.com', NULL)")
    assert ask(sound, "unified_customers.required_fields").passed
    assert ask(sound, "unified_customers.score_in_range").passed


def test_a_check_run_alone_judges_the_newest_reading(sound: Callable[[], Session]) -> None:
    carry_out(sound, brought("contact", "matched = 299"))
    with sound() as session, session.transaction():
        verdict = CHECKS["raw_contacts.record_count_reconciled"].function(session, "a run that read nothing")
    assert not verdict.passed
