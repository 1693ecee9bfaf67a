"""Settings that change between two syncs take effect on what has landed, without reading it again."""

from decimal import Decimal

import pytest

from intercom_sync.sandbox.builders import subscription
from intercom_sync_tests.end_to_end.scenario import DAY, NOW, Scenario, person, talk

_EMAIL = "ada@example.com"


def test_a_renamed_attribute_makes_the_revenue_anew(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    stripe = {"billing_plan": "Pro", "Billing": [subscription(amount=5000)], "stripe_plan": "Old"}
    scenario.put(person("c1", _EMAIL, stripe=stripe))
    scenario.sync(full=True)
    ada = scenario.customer(_EMAIL)
    assert (ada["plan_name"], ada["mrr"]) == ("Old", None)
    monkeypatch.setenv("INTERCOM_SYNC_ATTRIBUTES", '{"plan": "billing_plan", "subscriptions": "Billing"}')
    synced = scenario.sync(NOW + 9 * DAY)
    assert synced.read == (0, 0)
    ada = scenario.customer(_EMAIL)
    assert (ada["plan_name"], ada["mrr"], ada["subscription_count"]) == ("Pro", Decimal(50), 1)


def test_a_changed_unit_and_quantity_make_the_revenue_anew(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    stripe = {"stripe_last_charge_amount": 4518.62, "Stripe Subscriptions": [subscription(amount=5000, quantity=3)]}
    scenario.put(person("c1", _EMAIL, stripe=stripe))
    scenario.sync(full=True)
    ada = scenario.customer(_EMAIL)
    assert (ada["last_payment_amount"], ada["mrr"]) == (Decimal("45.1862"), Decimal(150))
    monkeypatch.setenv("INTERCOM_SYNC_LAST_CHARGE_UNIT", "dollars")
    monkeypatch.setenv("INTERCOM_SYNC_COUNT_QUANTITY", "false")
    scenario.sync(NOW + 9 * DAY)
    ada = scenario.customer(_EMAIL)
    assert (ada["last_payment_amount"], ada["mrr"]) == (Decimal("4518.62"), Decimal(50))


def test_changed_cancel_words_are_searched_for_in_what_was_written_already(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario.put(person("c1", _EMAIL), person("c2", "bob@example.com"))
    scenario.talks(talk("500", "c1", "Hello", "We need a REFUND"), talk("501", "c2", "Please cancel"))
    scenario.sync(full=True)
    assert scenario.customer(_EMAIL)["mentioned_cancel"] is False
    scenario.sandbox.requests.clear()
    monkeypatch.setenv("INTERCOM_SYNC_CANCEL_WORDS", "refund, give up")
    synced = scenario.sync(NOW + 9 * DAY)
    assert (synced.read, scenario.parts_fetched()) == ((0, 0), [])
    assert scenario.customer(_EMAIL)["mentioned_cancel"] is True
    assert scenario.customer("bob@example.com")["mentioned_cancel"] is False
    assert scenario.alerts()[-1] == ("cancel_mention", _EMAIL)


def test_thresholds_decide_the_alerts_of_the_next_transition(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERCOM_SYNC_HIGH_VALUE_MRR", "40")
    monkeypatch.setenv("INTERCOM_SYNC_MRR_CHANGE_RATIO", "0.1")
    scenario.put(person("c1", _EMAIL, stripe={"Stripe Subscriptions": [subscription(amount=4000)]}))
    scenario.sync(full=True)
    assert scenario.alerts() == []
    scenario.put(person("c1", _EMAIL, updated=NOW, stripe={"Stripe Subscriptions": [subscription(amount=4500)]}))
    scenario.sync(NOW + DAY)
    assert sorted(scenario.alerts()) == [("mrr_change", _EMAIL), ("new_high_value", _EMAIL)]


def test_a_cancelled_subscription_is_a_large_change_and_unknown_revenue_is_none(scenario: Scenario) -> None:
    def paying(**fields: object) -> dict[str, object]:
        return {"Stripe Subscriptions": [subscription(amount=60000, **fields)]}

    scenario.put(person("c1", _EMAIL, stripe=paying()), person("c2", "bob@example.com", stripe=paying()))
    scenario.sync(full=True)
    scenario.put(
        person("c1", _EMAIL, updated=NOW, stripe=paying(status="canceled")),
        person("c2", "bob@example.com", updated=NOW),
    )
    scenario.sync(NOW + DAY)
    assert scenario.alerts()[2:] == [("mrr_change", _EMAIL)]
    assert scenario.customer(_EMAIL)["mrr"] == 0
    assert scenario.customer("bob@example.com")["mrr"] is None
    scenario.put(person("c1", _EMAIL, updated=NOW + DAY, stripe=paying()))
    scenario.sync(NOW + 2 * DAY)
    assert scenario.alerts()[3:] == [("new_high_value", _EMAIL)]
