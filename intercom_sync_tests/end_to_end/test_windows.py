"""What a sync reads: the cut of a window, its overlap, and where the next sync goes on."""

from datetime import datetime, timedelta

import pytest

from intercom_sync.domain.window import Window
from intercom_sync_tests.end_to_end.scenario import DAY, HOUR, NOW, Scenario, at, person, talk

_SECOND = timedelta(seconds=1)


def _changed(scenario: Scenario, **moments: datetime) -> None:
    """A contact and a conversation for each name, last changed at its moment."""
    for name, moment in moments.items():
        scenario.put(person(name, f"{name}@example.com", updated=moment))
        scenario.talks(talk(f"of {name}", name, created=moment))


def _landed(scenario: Scenario) -> list[str]:
    contacts = scenario.values("SELECT id FROM intercom_contacts ORDER BY id")
    talks = scenario.values("SELECT id FROM intercom_conversations ORDER BY id")
    assert [f"of {id}" for id in contacts] == talks
    return contacts


@pytest.mark.parametrize(
    ("overlap", "expected"), [("60", ["first", "last", "late"]), ("0", ["first", "last"]), ("1500", "all")]
)
def test_a_window_holds_its_start_and_not_its_end_and_reaches_back_for_late_records(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch, overlap: str, expected: object
) -> None:
    monkeypatch.setenv("INTERCOM_SYNC_OVERLAP_MINUTES", overlap)
    window = Window(NOW - 6 * HOUR, NOW)
    moments = {
        "early": window.start - HOUR - _SECOND,
        "first": window.start,
        "last": window.end - _SECOND,
        "late": window.start - HOUR,
        "next": window.end,
    }
    scenario.sync(NOW - 30 * DAY)  # the first sync reads everything, whatever is asked for
    _changed(scenario, **moments)
    synced = scenario.sync(window=window)
    assert _landed(scenario) == (["early", "first", "last", "late"] if expected == "all" else expected)
    assert (synced.row["mode"], synced.row["window_start"], synced.row["window_end"]) == (
        "window", window.start, window.end,
    )  # fmt: skip


@pytest.mark.parametrize("timezone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_window_is_whole_wherever_the_workspaces_days_begin(scenario: Scenario, timezone: str) -> None:
    scenario.company.timezone = timezone
    window = Window(NOW - 12 * HOUR, NOW + 12 * HOUR)
    scenario.sync(NOW - 30 * DAY)
    _changed(scenario, **{f"c{hour:02}": window.start + hour * HOUR for hour in range(24)})
    scenario.sync(window=window)
    assert _landed(scenario) == [f"c{hour:02}" for hour in range(24)]


def test_the_first_sync_reads_everything_and_the_next_from_there(scenario: Scenario) -> None:
    _changed(scenario, old=NOW - 400 * DAY, new=NOW - HOUR)
    assert (scenario.sync().row["mode"], _landed(scenario)) == ("full", ["new", "old"])
    _changed(scenario, newer=NOW + HOUR)
    synced = scenario.sync(NOW + DAY)
    assert (synced.row["mode"], synced.read) == ("window", (2, 2))
    assert (synced.row["window_start"], synced.row["window_end"]) == (NOW, NOW + DAY)
    assert scenario.sync(NOW + 2 * DAY).row["window_start"] == NOW + DAY


def test_a_gap_that_windows_left_is_read_by_the_next_sync(scenario: Scenario) -> None:
    scenario.sync(full=True)
    _changed(scenario, gap=NOW + HOUR, later=NOW + 30 * HOUR)
    scenario.sync(NOW + 2 * DAY, window=Window(NOW + DAY, NOW + 2 * DAY))
    assert _landed(scenario) == ["later"]
    synced = scenario.sync(NOW + 3 * DAY)
    assert synced.row["window_start"] == NOW
    assert _landed(scenario) == ["gap", "later"]
    assert scenario.sync(NOW + 4 * DAY).row["window_start"] == NOW + 3 * DAY


def test_windows_that_touch_are_read_once_and_in_any_order(scenario: Scenario) -> None:
    scenario.sync(full=True)
    _changed(scenario, first=NOW + HOUR, second=NOW + 30 * HOUR)
    scenario.sync(NOW + 2 * DAY, window=Window(NOW + DAY, NOW + 2 * DAY))
    scenario.sync(NOW + 2 * DAY, window=Window(NOW, NOW + DAY))
    assert _landed(scenario) == ["first", "second"]
    assert scenario.sync(NOW + 3 * DAY).row["window_start"] == NOW + 2 * DAY


def test_a_window_whose_end_lies_ahead_covers_no_more_than_its_own_now(scenario: Scenario) -> None:
    scenario.sync(full=True)
    scenario.sync(NOW + HOUR, window=Window(NOW, NOW + 6 * HOUR))
    _changed(scenario, late=NOW + 3 * HOUR)
    assert scenario.sync(NOW + DAY).row["window_start"] == NOW + HOUR
    assert _landed(scenario) == ["late"]


def test_a_failed_sync_covers_nothing(scenario: Scenario) -> None:
    from intercom_sync.sandbox.faults import error

    scenario.sync(full=True)
    _changed(scenario, lost=NOW + HOUR)
    scenario.sandbox.faults.add(error(403, "forbidden", "no"), match="POST /contacts/search", times=1)
    assert not scenario.run(NOW + DAY).result.success
    scenario.sandbox.faults.clear()
    assert scenario.sync(NOW + 2 * DAY).row["window_start"] == NOW
    assert _landed(scenario) == ["lost"]


def test_a_sync_of_the_past_does_not_take_newer_rows_back(scenario: Scenario) -> None:
    """Nor a mention, which would make a second alert when it came back."""
    scenario.put(person("c1", "ada@example.com", updated=NOW, name="Newer", last_seen_at=at(NOW - 2 * DAY)))
    scenario.talks(talk("500", "c1", "please cancel", created=NOW - DAY))
    scenario.sync(NOW + HOUR, full=True)
    for instant in (NOW - 5 * DAY, NOW - 40 * DAY, NOW + HOUR):
        scenario.sync(instant)
        ada = scenario.customer("ada@example.com")
        assert (ada["name"], ada["intercom_deleted_at"]) == ("Newer", None)
        assert (ada["days_since_seen"], ada["mentioned_cancel"]) == (2, True)
    assert scenario.alerts() == [("cancel_mention", "ada@example.com")]


@pytest.mark.parametrize("moment", [at(NOW), at(datetime(2025, 11, 1, tzinfo=NOW.tzinfo))])
def test_a_now_on_the_edge_of_a_window_or_before_the_first_one_is_as_good_as_any(
    scenario: Scenario, moment: int
) -> None:
    now = datetime.fromtimestamp(moment, NOW.tzinfo)
    scenario.sync(now, full=True)
    assert scenario.sync(now).row["window_end"] == now


@pytest.mark.parametrize(
    "assets",
    [
        ["unified_customers"],
        ["raw_contacts", "revenue_metrics", "support_metrics", "unified_customers"],
        ["raw_conversations", "unified_customers"],
    ],
)
def test_a_run_of_some_assets_leaves_no_hole_for_the_next_sync(scenario: Scenario, assets: list[str]) -> None:
    scenario.sync()
    _changed(scenario, between=NOW + HOUR)
    partial = scenario.sync(NOW + 2 * HOUR, assets=assets)
    assert partial.row["mode"] == "refresh"
    scenario.sync(NOW + 9 * HOUR)
    assert _landed(scenario) == ["between"]
