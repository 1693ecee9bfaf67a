"""Links in alerts open the app of the workspace's region: by a setting, else by what Intercom says."""

import pytest

from intercom_sync.commands.doctor_intercom import check_intercom
from intercom_sync.settings import Settings
from intercom_sync_tests.end_to_end.scenario import Scenario, person, talk

_APPS = {"eu": "https://app.eu.intercom.com/", "au": "https://app.au.intercom.com/", "us": "https://app.intercom.com/"}


def _link(scenario: Scenario) -> str:
    scenario.put(person("c1", "ada@example.com"))
    scenario.talks(talk("500", "c1", "Please cancel my plan"))
    scenario.sync(full=True)
    (url,) = scenario.values("SELECT details->>'conversation_url' FROM customer_alerts WHERE kind = 'cancel_mention'")
    return str(url)


def _region_lines() -> list[tuple[bool, str]]:
    return [(good, line) for good, line in check_intercom(Settings.load()) if line.startswith("region: ")]


@pytest.mark.parametrize(
    ("told", "region"),
    [("EU", "eu"), ("AU", "au"), ("US", "us"), ("eu", "eu"), ("MARS", "us"), ("", "us"), (None, "us"), (["EU"], "us")],
    ids=str,
)
def test_the_region_is_taken_from_intercom_where_no_setting_tells_it(
    scenario: Scenario, told: object, region: str
) -> None:
    scenario.company.region = told
    assert _link(scenario).startswith(_APPS[region])
    ((good, line),) = _region_lines()
    assert good
    known = str(told).lower() in _APPS
    assert line == (
        f"region: links in alerts open {_APPS[region][:-1]}"
        if known
        else "region: not reported by Intercom; links in alerts open region us: set INTERCOM_REGION to change it"
    )


def test_a_setting_wins_and_doctor_says_that_intercom_says_otherwise(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario.company.region = "EU"
    monkeypatch.setenv("INTERCOM_REGION", "au")
    assert _link(scenario).startswith(_APPS["au"])
    assert _region_lines() == [
        (False, "region: Intercom reports eu, the settings say au: set INTERCOM_REGION=eu so that links work")
    ]


def test_a_region_that_intercom_told_once_is_kept_while_it_does_not(scenario: Scenario) -> None:
    scenario.company.region = "EU"
    scenario.sync(full=True)
    scenario.company.region = None
    assert _link(scenario).startswith(_APPS["eu"])


@pytest.mark.parametrize(
    ("given", "region", "app"),
    [
        ({}, "", ""),
        ({"INTERCOM_REGION": "us"}, "us", _APPS["us"]),
        ({"INTERCOM_BASE_URL": "https://api.eu.intercom.io"}, "eu", _APPS["eu"]),
        ({"INTERCOM_BASE_URL": "https://proxy.example.com", "INTERCOM_REGION": "eu"}, "eu", _APPS["eu"]),
        ({"INTERCOM_BASE_URL": "https://proxy.example.com"}, "", ""),
    ],
)
def test_a_setting_tells_the_region_by_its_word_or_its_address(given: dict[str, str], region: str, app: str) -> None:
    settings = Settings.load(given)
    assert (settings.region, settings.rules.app) == (region, app.rstrip("/"))
