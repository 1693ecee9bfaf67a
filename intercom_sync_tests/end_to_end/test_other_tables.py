"""A whole sync, with its checks and pictures, on a table of customers that another system made."""

import pytest

from intercom_sync.sandbox.builders import subscription
from intercom_sync_tests.end_to_end.scenario import DAY, NOW, Scenario, person, why

_ADA, _CRM = "ada@example.com", "crm@example.com"
_PAYING = {"Stripe Subscriptions": [subscription(amount=60000, interval="month")], "stripe_plan": "Pro"}


def test_infinity_and_nan_of_others_disturb_nothing(scenario: Scenario) -> None:
    scenario.put(person("c1", _ADA, stripe=_PAYING))
    scenario.sync(full=True)
    scenario.rows(
        "INSERT INTO unified_customers (email, name, mrr, last_payment_date, last_seen_at) "
        "VALUES (%s, 'n', 'NaN', 'infinity', '-infinity')", _CRM,
    )  # fmt: skip
    scenario.rows(
        "INSERT INTO unified_customers (email, plan_name, mrr) "
        "SELECT 'n' || n, 'Vast', 8e30 FROM generate_series(1, 14) n"
    )
    synced = scenario.sync(NOW + DAY, checked=True)
    found = synced.result.get_asset_check_evaluations()
    failed = [
        one.check_name for one in found if one.asset_key.to_user_string() == "unified_customers" and not one.passed
    ]
    assert failed in ([], ["is_fresh"])
    assert synced.row["alerts_generated"] == 0
    shown = synced.metadata("unified_customers")
    assert shown["mrr_total_usd"] == 14 * 8e30
    assert shown["dagster/row_count"] == 16
    assert {"mrr_by_plan", "score_distribution", "alerts_by_kind", "largest_customers"} <= set(shown)
    assert "NaN" not in shown["mrr_by_plan"]
    kept = scenario.one("SELECT mrr::text, last_payment_date::text, last_seen_at::text FROM unified_customers WHERE "
                        "email = %s", _CRM)  # fmt: skip
    assert list(kept.values()) == ["NaN", "infinity", "-infinity"]


def test_a_table_of_other_types_passes_every_check_and_is_shown(scenario: Scenario) -> None:
    scenario.rows("CREATE TYPE plan AS ENUM ('Pro', 'Basic')")
    scenario.rows(
        "CREATE TABLE unified_customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email varchar(60), "
        "intercom_contact_id uuid, external_id bigint, plan_name plan, mrr text, quality_score text, "
        "intercom_deleted_at text, is_delinquent smallint, days_since_seen numeric, mentioned_cancel text)"
    )
    who = "5ba682d2-3d7c-f92b-ef87-bfd412345678"
    scenario.put(
        person(who, _ADA, stripe=_PAYING, external_id="7"),
        person(who.replace("5", "6"), "bob@example.com", external_id="8"),
    )
    scenario.sync(full=True)
    scenario.company.archive_contact(who)
    synced = scenario.sync(NOW + DAY, full=True, checked=True)
    found = {one.check_name: one.passed for one in synced.result.get_asset_check_evaluations()}
    assert [name for name, passed in found.items() if not passed] in ([], ["is_fresh"])
    assert {"mrr_by_plan", "score_distribution", "largest_customers"} <= set(synced.metadata("unified_customers"))
    assert scenario.rejects() == []


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("CREATE VIEW unified_customers AS SELECT 'a'::text AS email", "is a view"),
        ("CREATE TABLE unified_customers (email text, plan_name jsonb)", "plan_name of unified_customers is of"),
        (
            "CREATE TABLE unified_customers (email text, mrr numeric, arr numeric GENERATED ALWAYS AS (mrr*12) STORED)",
            "arr of unified_customers (numeric) is generated",
        ),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_written_is_a_sentence_before_anything_is_read(
    scenario: Scenario, made: str, said: str
) -> None:
    scenario.rows(made)
    result = scenario.execute(full=True)
    assert not result.success
    assert said in why(result)
    assert scenario.requests(lambda one: True) == []


def test_a_row_that_the_table_refuses_costs_only_itself(scenario: Scenario) -> None:
    scenario.rows("CREATE TABLE unified_customers (email varchar(20), stripe_customer_id text UNIQUE)")
    scenario.put(
        person("c1", _ADA, stripe=_PAYING | {"stripe_id": "cus_1"}),
        person("c2", "bob@example.com", stripe={"stripe_id": "cus_1"}),
        person("c3", "a-long-name-of-somebody@example.com"),
    )
    synced = scenario.sync(full=True, checked=True)
    assert synced.counts == (1, 0, 2, 1)
    assert scenario.rejects() == [("customer", "c2", "stripe_customer_id"), ("customer", "c3", "email")]
    (found,) = [one for one in synced.result.get_asset_check_evaluations() if one.check_name == "all_written"]
    assert not found.passed
    assert "unified_customers_stripe_customer_id_key" in str(found.description)
    assert "a-long-name" not in str(found)


def test_a_picture_that_cannot_be_made_fails_no_run(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    scenario.put(person("c1", _ADA, stripe=_PAYING))
    scenario.sync(full=True)
    scenario.rows("UPDATE sync_runs SET mrr_by_plan = '[\"ada@example.com\"]'")
    synced = scenario.sync(NOW + DAY)
    shown = synced.metadata("unified_customers")
    assert "mrr_by_plan" not in shown
    assert {"score_distribution", "alerts_by_kind", "largest_customers", "log_entry"} <= set(shown)
    warned = [record.getMessage() for record in caplog.records if "mrr_by_plan" in record.getMessage()]
    assert len(warned) == 1
    assert "AttributeError" in warned[0]
    assert _ADA not in warned[0]
