"""Two runs of one schema whose steps lie in one another in a known order: as if the later one had been alone."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from intercom_sync_tests.survival.reference_run import SchemaPair, schema_pair
from intercom_sync_tests.survival.steps import STEPS, Order, sync

DAY = 86_400


class DiedError(Exception):
    """A run that ends in the middle."""


@pytest.fixture
def both(database_url: str) -> Iterator[SchemaPair]:
    """A company whose first full sync both schemas have had."""
    with schema_pair(database_url, 7, 40) as made:
        first = made.order("first", full=True)
        sync(first)
        made.sync_clean(first)
        yield made


def _lands_only(order: Order) -> None:
    """A run that lands what it reads and dies."""

    def tell(step: str) -> None:
        if step == "revenue":
            raise DiedError

    with pytest.raises(DiedError):
        sync(order, tell)


def _alerts(both: SchemaPair, schema: int = 0) -> list[tuple[str, str]]:
    state = (both.disturbed, both.clean)[schema]
    return state.query("SELECT kind, lower(email) FROM customer_alerts WHERE run <> 'first' ORDER BY 1, 2")


def _pays(amount: int) -> dict[str, object]:
    return {"Stripe Subscriptions": [{"status": "active", "plan": {"amount": amount, "interval": "month"}}]}


@pytest.mark.parametrize(("step", "full"), [*((step, False) for step in STEPS[1:-1]), ("customers", True)], ids=str)
def test_a_run_that_another_overtook_ends_in_the_later_ones_tables(both: SchemaPair, step: str, full: bool) -> None:
    both.random_edits.edit_randomly(25)
    early = both.order("early", full=full)
    both.random_edits.edit_without_deletions(15)
    late = both.order("late")
    sync(replace(early, ends=late.as_of + 2), lambda begun: sync(late) and None if begun == step else None)
    both.sync_clean(replace(late, full=full))
    found, wanted = both.disturbed.tables(), both.clean.tables()
    assert {name for name in wanted if name != "customer_alerts" and found[name] != wanted[name]} == set()
    assert _alerts(both) == _alerts(both, 1)


def test_time_does_not_go_back_when_an_older_run_ends_after_a_newer_one(both: SchemaPair) -> None:
    """A mention that grows too old between the two would be news again otherwise."""
    random_edits = both.random_edits
    random_edits.world.add_contact({"email": "leaver@example.com", "last_seen_at": random_edits.world.now})
    leaver = max(random_edits.world.people)
    random_edits.world.add_talk([leaver], "user", "<p>We want to cancel</p>", age=0, counted=True)
    said = random_edits.world.now
    for run in ("hears of it", "hears nothing new"):
        random_edits.world.now = said + 60
        sync(both.order(run))
    random_edits.world.now = said + 30 * DAY - 60
    early = both.order("early")
    random_edits.world.now = said + 30 * DAY + 60
    late = both.order("late")
    sync(replace(early, ends=late.as_of + 2), lambda begun: sync(late) and None if begun == "revenue" else None)
    row = "SELECT mentioned_cancel, days_since_seen FROM unified_customers WHERE email = 'leaver@example.com'"
    assert both.disturbed.query(row) == [(False, 30)]
    assert _alerts(both).count(("cancel_mention", "leaver@example.com")) == 1


def test_a_contact_that_another_run_has_only_landed_makes_no_alert_that_it_would_not_make_whole(
    both: SchemaPair,
) -> None:
    """Its email's customer pays the same before and after; without figures in between it would be news twice."""
    world = both.random_edits.world
    world.add_contact({"email": "same@example.com", "custom_attributes": _pays(60_000)})
    world.now += 60
    sync(both.order("first sight"))
    seen = _alerts(both)
    assert ("new_high_value", "same@example.com") in seen
    early = both.order("early")
    world.now += 60
    world.add_contact({"email": "same@example.com", "custom_attributes": _pays(60_000)})
    world.now += 60
    late = both.order("late")
    sync(replace(early, ends=late.as_of + 2), lambda begun: _lands_only(late) if begun == "customers" else None)
    assert both.disturbed.query("SELECT mrr FROM unified_customers WHERE email = 'same@example.com'") == [(600,)]
    sync(replace(late, run="late again"))
    assert _alerts(both) == seen
    assert both.disturbed.query("SELECT mrr FROM unified_customers WHERE email = 'same@example.com'") == [(600,)]
