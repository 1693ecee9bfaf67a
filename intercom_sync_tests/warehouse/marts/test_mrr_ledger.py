"""The ledger of movements as syncs write it: on real tables, one sync after another."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.privacy.erase_person import erase_person
from intercom_sync_tests.warehouse.marts.company import STEP, Company, paying

ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture
def company(connect: Callable[[], Session]) -> Company:
    """Ann pays 100, Bob nothing; synced once."""
    made = Company(connect)
    made.put("c1", "Ann@Example.com", paying(100))
    made.put("c2", BOB, paying(0, stripe="cus_2"))
    made.sync()
    assert made.moved() == [(1, ANN, "opening", "first_sync", 100)]
    return made


def test_a_customer_from_the_first_payment_to_the_last(company: Company) -> None:
    for dollars in (40, 40, 90.5, 60, 0, 70, None, 70):
        company.put("c2", BOB, paying(dollars, stripe="cus_2"))
        company.sync()
        company.adds_up()
    company.drop("c2")
    company.sync()
    company.put("c2", BOB, paying(70, stripe="cus_2"))
    company.sync()
    company.adds_up()
    assert [rest for _, email, *rest in company.moved() if email == BOB] == [
        ["new", "subscriptions", 40],
        ["expansion", "subscriptions", 50.5],
        ["contraction", "subscriptions", -30.5],
        ["churn", "subscriptions", -60],
        ["reactivation", "subscriptions", 70],
        ["correction", "stripe_data", -70],
        ["correction", "stripe_data", 70],
        ["churn", "deleted", -70],
        ["reactivation", "subscriptions", 70],
    ]


def test_syncs_that_find_nothing_new_move_nothing(company: Company) -> None:
    for full in (True, False):
        company.sync(full=full)
    assert len(company.moved()) == 1


def test_a_movement_says_who_what_and_when(company: Company) -> None:
    company.put("c1", ANN, paying(250, plan="Business"))
    company.sync()
    (found,) = company.rows(
        "SELECT email, intercom_contact_id, stripe_customer_id, mrr_before::text AS before, mrr_after::text AS after, "
        "plan_before, plan_after, run_id, first_movement_id, observed_at FROM mrr_movements WHERE kind = 'expansion'"
    )
    at = found.pop("observed_at")
    assert list(found.values()) == [ANN, "c1", "cus_1", "100", "250", "Pro", "Business", "run-0002", 1]
    assert at == company.now


def test_an_email_change_is_a_transfer(company: Company) -> None:
    company.put("c1", "ann@new.example.com", paying(130))
    company.sync()
    assert company.news() == [
        (ANN, "transfer", "contact_moved", -100),
        ("ann@new.example.com", "transfer", "contact_moved", 100),
        ("ann@new.example.com", "expansion", "subscriptions", 30),
    ]
    company.adds_up()
    firsts = company.rows("SELECT DISTINCT COALESCE(first_movement_id, movement_id) AS first FROM mrr_movements")
    assert [one["first"] for one in firsts] == [1]


def test_swapped_emails_are_one_transfer_each(company: Company) -> None:
    company.put("c2", BOB, paying(40, stripe="cus_2"))
    company.sync()
    company.put("c1", BOB, paying(100))
    company.put("c2", ANN, paying(40, stripe="cus_2"))
    company.sync()
    assert company.news() == [
        (ANN, "transfer", "contact_moved", -60),
        (BOB, "transfer", "contact_moved", 60),
    ]
    company.adds_up()


def test_a_merge_moves_the_stripe_customer(company: Company) -> None:
    company.drop("c1")
    company.execute("INSERT INTO contact_merges VALUES ('c1', 'c2')")
    company.put("c2", BOB, paying(100, stripe=None))
    company.sync()
    assert company.news() == [(ANN, "transfer", "contact_moved", -100), (BOB, "transfer", "contact_moved", 100)]
    company.adds_up()


def test_another_contact_of_the_same_stripe_customer_is_a_transfer(company: Company) -> None:
    company.drop("c1")
    company.put("c9", "finance@example.com", paying(100))
    company.sync()
    assert [kind for _, kind, *_ in company.news()] == ["transfer", "transfer"]


def test_other_rules_are_a_correction_also_where_they_are_computed_late(company: Company) -> None:
    company.put("c1", ANN, paying(100) | {"Stripe Subscriptions": [{**paying(100)["Stripe Subscriptions"][0],
                                                                     "quantity": 3}]})  # fmt: skip
    company.sync()
    assert company.news() == [(ANN, "expansion", "subscriptions", 200)]
    company.rules = replace(company.rules, count_quantity=False)
    company.sync()
    assert company.news() == [(ANN, "correction", "settings", -200)]
    company.put("c1", ANN, paying(50))
    company.sync()
    assert company.news() == [(ANN, "contraction", "subscriptions", -50)]


def test_another_winner_with_another_stripe_customer_is_a_correction(company: Company) -> None:
    company.put("c8", ANN, paying(20, stripe="cus_8"))
    company.sync()
    assert company.news() == [(ANN, "correction", "contact_changed", -80)]


def test_what_the_table_refuses_does_not_move(company: Company) -> None:
    company.execute("ALTER TABLE unified_customers ADD CONSTRAINT cheap CHECK (mrr < 500)")
    company.put("c1", ANN, paying(600))
    company.sync()
    assert company.news() == []
    company.put("c1", ANN, paying(400))
    company.sync()
    assert company.news() == [(ANN, "expansion", "subscriptions", 300)]
    company.adds_up()


def test_values_of_other_systems_are_not_counted(company: Company) -> None:
    company.execute("UPDATE unified_customers SET mrr = 900, intercom_deleted_at = NULL")
    company.execute("INSERT INTO unified_customers (email, mrr) VALUES ('only@theirs.example', 77)")
    company.drop("c1")
    company.sync()
    company.execute("UPDATE unified_customers SET intercom_deleted_at = NULL")
    company.sync()
    assert [rest for _, *rest in company.moved()] == [
        [ANN, "opening", "first_sync", 100],
        [ANN, "churn", "deleted", -100],
    ]


@pytest.mark.parametrize("lost", ["TRUNCATE mrr_movements", "DELETE FROM mrr_movements"])
def test_a_ledger_that_was_lost_is_rebuilt_and_the_log_says_so(
    company: Company, lost: str, caplog: pytest.LogCaptureFixture
) -> None:
    company.execute(lost)
    company.put("c2", BOB, paying(40, stripe="cus_2"))
    with caplog.at_level(logging.WARNING, "intercom_sync.pipeline"):
        company.sync()
    assert company.news() == [(ANN, "opening", "rebuilt", 100), (BOB, "opening", "rebuilt", 40)]
    assert "is rebuilt with 2 movements" in caplog.text
    company.put("c2", BOB, paying(50, stripe="cus_2"))
    company.sync()
    assert company.news() == [(BOB, "expansion", "subscriptions", 10)]
    company.adds_up()


def test_everything_before_the_first_full_sync_is_an_opening(connect: Callable[[], Session]) -> None:
    made = Company(connect)
    made.put("c1", ANN, paying(100))
    made.sync(full=False)
    made.put("c2", BOB, paying(40, stripe="cus_2"))
    made.sync()
    made.put("c2", BOB, paying(50, stripe="cus_2"))
    made.sync(full=False)
    assert [kind for _, _, kind, *_ in made.moved()] == ["opening", "opening", "expansion"]


def test_a_database_of_the_version_before_opens_its_ledger_without_alerts(company: Company) -> None:
    company.execute("TRUNCATE mrr_movements, customer_history RESTART IDENTITY")
    company.execute("DELETE FROM sync_state WHERE name = 'ledger_rules_hash'")
    company.execute("UPDATE customer_last_written SET counted_mrr = NULL")
    before = company.rows("SELECT id FROM customer_alerts")
    company.sync(full=False)
    assert company.news() == [(ANN, "opening", "first_sync", 100)]
    assert company.rows("SELECT id FROM customer_alerts") == before
    company.adds_up()
    company.put("c2", BOB, paying(40, stripe="cus_2"))
    company.sync()
    assert company.news() == [(BOB, "new", "subscriptions", 40)]


def test_forgetting_leaves_totals_and_no_person(company: Company) -> None:
    company.put("c1", ANN, paying(150))
    company.sync()
    before = [(run, kind, change) for run, _, kind, _, change in company.moved()]
    with company.connect() as session:
        erase_person(session, ANN)
    assert [(run, kind, change) for run, _, kind, _, change in company.moved()] == before
    assert company.rows("SELECT * FROM mrr_movements WHERE num_nonnulls(email, intercom_contact_id, "
                        "stripe_customer_id) > 0") == []  # fmt: skip
    company.sync()
    assert company.news() == [(None, "correction", "forgotten", -150)]
    company.sync()
    assert company.news() == []


def test_an_alert_names_the_movement_that_caused_it_and_the_last_ones(company: Company) -> None:
    company.put("c2", BOB, paying(40, stripe="cus_2"))
    company.sync()
    company.drop("c1")
    company.execute("INSERT INTO contact_merges VALUES ('c1', 'c2')")
    company.put("c2", BOB, paying(700, stripe=None))
    company.sync()
    told = {
        one["kind"]: json.loads(one["details"])
        for one in company.rows(f"SELECT kind, details::text AS details FROM customer_alerts WHERE email = '{BOB}'")
    }
    assert set(told) == {"mrr_change", "new_high_value"}
    for details in told.values():
        assert (details["movement"], details["movement_cause"]) == ("expansion", "subscriptions")
        assert [(one["kind"], one["change"]) for one in details["last_movements"]] == [
            ("expansion", "+560.00"), ("transfer", "+100.00"), ("new", "+40.00")
        ]  # fmt: skip


def test_the_history_keeps_each_version_of_a_customer_with_its_time(company: Company) -> None:
    first = company.now
    company.put("c1", ANN, paying(100, plan="Business"))
    company.sync()
    company.sync()
    company.drop("c1")
    company.sync()
    found = company.rows(
        "SELECT email_key, plan_name, mrr::float8 AS mrr, intercom_deleted_at IS NOT NULL AS deleted, valid_from, "
        f"valid_to FROM customer_history WHERE email_key = '{ANN}' ORDER BY history_id"
    )
    assert [list(one.values()) for one in found] == [
        [ANN, "Pro", 100, False, first, first + STEP],
        [ANN, "Business", 100, False, first + STEP, first + 3 * STEP],
        [ANN, "Business", 100, True, first + 3 * STEP, None],
    ]
    for at, plans in ((first - STEP, []), (first, ["Pro"]), (first + 2 * STEP, ["Business"])):
        query = f"SELECT plan_name FROM customers_as_of('{at.isoformat()}') WHERE email_key = '{ANN}'"
        assert [one["plan_name"] for one in company.rows(query)] == plans
    company.execute("TRUNCATE customer_history")
    company.sync()
    assert len(company.rows("SELECT email_key FROM customer_history")) == 2
    with company.connect() as session:
        erase_person(session, ANN)
    assert len(company.rows("SELECT email_key FROM customer_history")) == 1
