"""MRR movements through Dagster: the asset's page, its checks, and the alerts that say what moved."""

from typing import Any

from intercom_sync.sandbox.builders import subscription
from intercom_sync_tests.end_to_end.scenario import DAY, HOUR, NOW, Scenario, Synced, person


def _paying(dollars: int, **attributes: Any) -> dict[str, Any]:
    return {"stripe_id": "cus_1", "stripe_plan": "Pro", "Stripe Subscriptions": [subscription(amount=100 * dollars)],
            **attributes}  # fmt: skip


def _checks(synced: Synced) -> dict[str, tuple[bool, str | None]]:
    found = synced.result.get_asset_check_evaluations()
    return {one.check_name: (one.passed, one.description) for one in found if one.asset_key.path[-1] == "mrr_movements"}


def test_the_page_shows_what_moved_and_the_checks_prove_it(scenario: Scenario) -> None:
    scenario.put(person("a1", "ann@example.com", stripe=_paying(100)))
    scenario.put(person("b1", "bob@example.com", stripe=_paying(60, stripe_id="cus_2")))
    first = scenario.sync(NOW - 45 * DAY, full=True)
    assert first.metadata("mrr_movements")["opening_mrr_usd"] == 160
    assert "nrr" not in first.metadata("mrr_movements")  # nobody paid at the start
    scenario.put(person("a1", "ann@example.com", stripe=_paying(130), updated=NOW - HOUR))
    scenario.put(person("b1", "bob@example.com", stripe=_paying(0, stripe_id="cus_2"), updated=NOW - HOUR))
    second = scenario.sync(NOW, checked=True)
    shown = second.metadata("mrr_movements")
    assert {name: shown[name] for name in ("movements", "expansion_mrr_usd", "churn_mrr_usd", "new_mrr_usd")} == {
        "movements": 2, "expansion_mrr_usd": 30, "churn_mrr_usd": -60, "new_mrr_usd": 0,
    }  # fmt: skip
    assert (shown["mrr_end_usd"], shown["month_to_date"], shown["nrr"], shown["grr"]) == (130, -30, 0.8125, 0.625)
    assert shown["mrr_by_month"].startswith("![MRR by month")
    assert [one.data["mrr_end"] for one in shown["monthly"].records] == ["130.000000", "160.000000"]
    assert {name: passed for name, (passed, _) in _checks(second).items()} == {
        "movements_add_up": True, "movement_kinds_known": True, "one_movement_per_sync": True, "ledger_kept": True,
    }  # fmt: skip


def test_planted_faults_are_found_and_a_lost_ledger_is_told(scenario: Scenario) -> None:
    scenario.put(person("a1", "ann@example.com", stripe=_paying(100)))
    scenario.sync(NOW - DAY, full=True)
    for change in (40, -40):
        scenario.rows(
            "INSERT INTO mrr_movements (kind, observed_at, email, cause, mrr_before, mrr_after, mrr_change, run_id) "
            f"SELECT 'gift', observed_at, email, 'x', 0, 0, {change}, run_id FROM mrr_movements LIMIT 1"
        )
    found = _checks(scenario.sync(NOW - HOUR, checked=True))
    assert found["movements_add_up"][0]
    assert not found["movement_kinds_known"][0]
    assert not found["one_movement_per_sync"][0]
    scenario.rows("DELETE FROM mrr_movements WHERE mrr_change = -40")
    passed, sentence = _checks(scenario.sync(NOW, checked=True))["movements_add_up"]
    assert not passed
    assert "do not add up to their counted MRR: 1" in (sentence or "")
    scenario.rows("TRUNCATE mrr_movements")
    found = _checks(scenario.sync(NOW + HOUR, checked=True))
    assert found["movements_add_up"][0]
    assert not found["ledger_kept"][0]
    assert scenario.values("SELECT cause FROM mrr_movements") == ["rebuilt"]
