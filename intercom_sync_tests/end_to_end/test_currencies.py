"""Currencies and amounts that cannot be known, from Intercom to the table, the alerts, the checks and the UI."""

import json
from decimal import Decimal

import pytest

from intercom_sync.sandbox.builders import payment, subscription
from intercom_sync.slack.blocks import build_messages
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.end_to_end.scenario import DAY, NOW, Scenario, person

_EMAIL = "ada@example.com"
_BARE = {
    "type": "Stripe Subscriptions.list",
    "instances": [{"id": "21", "external_id": "sub_1", "type": "Stripe Subscriptions"}],
}


def _paying(amount: int, currency: str | None = "usd", **fields: object) -> dict[str, object]:
    return {"Stripe Subscriptions": [subscription(amount=amount, currency=currency, **fields)]}


def _told(scenario: Scenario, url: str, schema: str) -> list[str]:
    with Session(url, schema) as session:
        return [message.text for message in build_messages(outbox.pending(session))]


def _check(synced, name: str):
    return next(one for one in synced.result.get_asset_check_evaluations() if one.check_name == name)


def test_yen_are_whole_and_told_as_yen(scenario: Scenario, database_url: str, schema: str) -> None:
    stripe = _paying(98_000, "jpy") | {
        "Stripe Payments": [payment(amount=98_000, currency="JPY")],
        "stripe_last_charge_amount": 98_000,
    }
    scenario.put(
        person("c1", _EMAIL, stripe=stripe),
        person("c2", "bob@example.com", stripe=_paying(60_001)),
        person("c3", "cyd@example.com", stripe=_paying(700, "kwd", interval="year")),
    )
    synced = scenario.sync(full=True, checked=True)
    ada = scenario.customer(_EMAIL)
    assert (ada["mrr"], ada["arr"], ada["ltv"], ada["currency"]) == (98_000, 1_176_000, 98_000, "jpy")
    assert ada["last_payment_amount"] == 98_000
    assert (scenario.customer("cyd@example.com")["arr"], scenario.customer("cyd@example.com")["currency"]) == (
        Decimal("0.7"),
        "kwd",
    )
    told = _told(scenario, database_url, schema)
    assert any("MRR JPY 98,000" in one for one in told)
    assert any("MRR $600.01" in one for one in told)
    listed = _check(synced, "currencies_not_mixed")
    assert not listed.passed
    assert listed.metadata["examples"].value == "c1, c3"
    shown = synced.metadata("unified_customers")
    assert (shown["mrr_total_usd"], shown["mrr_total"]) == (600.01, "$600.01")
    assert synced.metadata("revenue_metrics")["contacts_mrr_usd"] == 600.01
    preview = {record.data["mrr"] for record in shown["largest_customers"].records}
    assert preview == {"JPY 98,000", "$600.01", "KWD 0.058"}


def test_the_workspaces_currency_is_a_setting(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERCOM_SYNC_CURRENCY", "EUR")
    scenario.put(
        person("c1", _EMAIL, stripe=_paying(10_000, "eur")),
        person("c2", "bob@example.com", stripe=_paying(5_000, None)),
        person("c3", "cyd@example.com", stripe=_paying(700)),
    )
    synced = scenario.sync(full=True, checked=True)
    assert synced.metadata("unified_customers")["mrr_total"] == "EUR 150.00"
    assert _check(synced, "currencies_not_mixed").metadata["examples"].value == "c3"
    assert scenario.values("SELECT currency FROM unified_customers ORDER BY email") == ["eur", None, "usd"]


def test_several_currencies_of_one_customer_are_listed_and_told_as_such(
    scenario: Scenario, database_url: str, schema: str
) -> None:
    both = [subscription(amount=10_000), subscription(amount=500, currency="jpy")]
    scenario.put(person("c1", _EMAIL, stripe={"Stripe Subscriptions": both}))
    synced = scenario.sync(full=True, checked=True)
    ada = scenario.customer(_EMAIL)
    assert (ada["mrr"], ada["currency"]) == (600, None)
    assert "MRR 600.00 in several currencies" in _told(scenario, database_url, schema)[0]
    assert _check(synced, "currencies_not_mixed").metadata["examples"].value == "c1"


@pytest.mark.parametrize(
    "unknown",
    [
        _BARE,
        [{"status": "active", "plan": {"amount": None, "interval": "month", "billing_scheme": "tiered"}}],
        [{"status": "active", "items": {"data": [subscription()], "has_more": True}}],
        [{"status": "active", "price": "price_1A", "amount": None, "interval": "month"}],
    ],
)
def test_an_mrr_that_becomes_unknown_is_no_fall_and_the_customer_stays(scenario: Scenario, unknown: object) -> None:
    scenario.put(person("c1", _EMAIL, stripe=_paying(99_900)))
    scenario.sync(full=True)
    scenario.put(person("c1", _EMAIL, updated=NOW, name="New", stripe={"Stripe Subscriptions": unknown}))
    synced = scenario.sync(NOW + DAY, checked=True)
    ada = scenario.customer(_EMAIL)
    assert (ada["name"], ada["mrr"], ada["arr"], ada["intercom_deleted_at"]) == ("New", None, None, None)
    assert [kind for kind, _ in scenario.alerts()] == ["new_high_value"]
    assert scenario.rejects() == []
    listed = _check(synced, "active_subscriptions_priced")
    assert listed.passed is (unknown is _BARE)
    if unknown is not _BARE:
        assert (ada["subscription_count"], listed.metadata["examples"].value) == (1, "c1")


def test_packages_metered_prices_and_flat_names_end_to_end(scenario: Scenario) -> None:
    package = {"amount": 1000, "interval": "month", "transform_usage": {"divide_by": 5, "round": "up"}}
    base = {"price": {"unit_amount": 4900, "recurring": {"interval": "month"}}, "quantity": 1}
    metered = {"price": {"unit_amount": None, "recurring": {"interval": "month", "usage_type": "metered"}}}
    scenario.put(
        person("c1", _EMAIL, stripe={"Stripe Subscriptions": [{"status": "active", "quantity": 23, "plan": package}]}),
        person(
            "c2",
            "bob@example.com",
            stripe={"Stripe Subscriptions": [{"status": "active", "plan_amount": 29_900, "plan_interval": "month"}]},
        ),
        person(
            "c3",
            "cyd@example.com",
            stripe={"Stripe Subscriptions": json.dumps([{"status": "active", "items": {"data": [base, metered]}}])},
        ),
    )
    scenario.sync(full=True)
    assert scenario.values("SELECT mrr FROM unified_customers ORDER BY email") == [50, 299, 49]


def test_numbers_beyond_every_bound_are_rejected_and_stop_nothing(scenario: Scenario) -> None:
    for n in range(14):
        scenario.put(person(f"c{n:02}", f"p{n}@example.com", stripe=_paying(8 * 10**32)))
    scenario.put(
        person("c14", "p14@example.com", stripe=_paying(-1, quantity=int("9" * 330))),
        person("c15", "p15@example.com", stripe={"stripe_plan_price": 10**40}),
        person("c16", "p16@example.com", external_id=10**400),
        person("c17" + "x9k2" * 900, "p17@example.com"),
        person("c99", _EMAIL, stripe=_paying(10_000)),
    )
    scenario.sync(full=True)
    assert scenario.emails(living=False) == [_EMAIL]
    assert len(scenario.rejects()) == 18


def test_a_name_is_stored_as_it_came(scenario: Scenario) -> None:
    scenario.put(person("c1", _EMAIL, name="  Ann "), person("c2", "bob@example.com", name=" \t "))
    scenario.sync(full=True)
    assert scenario.customer(_EMAIL)["name"] == "  Ann "
    assert scenario.customer("bob@example.com")["name"] == "bob"
