"""What doctor says of Slack, against a local one: the token, both channels, and what could not be checked."""

from typing import Any

import pytest

from intercom_sync.commands.doctor import check_slack
from intercom_sync.settings import Settings
from intercom_sync_tests.slack.server import TOKEN, LocalSlack


@pytest.fixture
def full(slack: LocalSlack) -> LocalSlack:
    """A Slack with channels of every state."""
    slack.channels = [
        _channel("C00000001", "general"),
        _channel("C00000002", "customer-alerts", is_member=True),
        _channel("C00000003", "ops", is_member=True),
        _channel("C00000004", "without-bot"),
        _channel("C00000005", "old", is_member=True, is_archived=True),
        _channel("G00000006", "secret", is_member=True, is_private=True),
    ]
    return slack


@pytest.fixture
def slack():
    with LocalSlack() as server:
        yield server


def _channel(id: str, name: str, **fields: bool) -> dict[str, Any]:
    return {"id": id, "name": name, "is_member": False, "is_archived": False, "is_private": False, **fields}


def _said(slack: LocalSlack, **more: str) -> list[tuple[bool, str]]:
    found = list(check_slack(Settings.load({"SLACK_BOT_TOKEN": TOKEN, "SLACK_API_URL": slack.url} | more)))
    assert slack.requests == [], "nothing is posted"
    assert TOKEN not in str(found)
    return found


def test_a_channel_that_the_bot_is_in_is_good(full: LocalSlack) -> None:
    assert _said(full) == [
        (True, "Slack: bot of Local"),
        (True, "Slack: channel #customer-alerts: the bot may post there"),
    ]


@pytest.mark.parametrize("name", ["#ops", "ops", "C00000003", "#secret", "G00000006"])
def test_a_channel_may_be_given_by_name_or_id_and_be_private(full: LocalSlack, name: str) -> None:
    assert _said(full, SLACK_CHANNEL=name)[1:] == [(True, f"Slack: channel {name}: the bot may post there")]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("#without-bot", "does not have the bot in it: invite it there (not_in_channel)"),
        ("C00000004", "does not have the bot in it: invite it there (not_in_channel)"),
        ("#old", "is archived (is_archived)"),
        ("C00000005", "is archived (is_archived)"),
        ("#nowhere", "does not exist, or the bot cannot see it (channel_not_found)"),
        ("C00000009", "does not exist, or the bot cannot see it (channel_not_found)"),
    ],
)
@pytest.mark.parametrize("setting", ["SLACK_CHANNEL", "SLACK_OPERATIONS_CHANNEL"])
def test_a_channel_that_takes_nothing_is_named_with_its_setting(
    full: LocalSlack, name: str, reason: str, setting: str
) -> None:
    bad = [line for good, line in _said(full, **{setting: name}) if not good]
    assert bad == [f"Slack: The Slack channel {name} {reason}: see {setting}."]


def test_both_channels_are_asked_for_and_one_that_is_both_once(full: LocalSlack) -> None:
    both = _said(full, SLACK_OPERATIONS_CHANNEL="#ops")
    assert [line.split(":")[1] for _, line in both[1:]] == [" channel #customer-alerts", " channel #ops"]
    assert len(_said(full, SLACK_OPERATIONS_CHANNEL="#customer-alerts")) == 2


@pytest.mark.parametrize(
    ("scopes", "name", "expected"),
    [
        ("chat:write", "#customer-alerts", (True, "could not be checked (the token lacks the scope channels:read)")),
        ("chat:write", "C00000002", (True, "could not be checked (the token lacks the scope channels:read)")),
        ("chat:write,channels:read", "#customer-alerts", (True, "the bot may post there")),
        ("chat:write,channels:read", "#secret", (True, "the token lacks the scope groups:read")),
        ("chat:write,channels:read", "#old", (False, "is archived")),
        ("channels:read,groups:read", "#customer-alerts", (False, "lacks the scope chat:write")),
        ("chat:write,chat:write.public,channels:read,groups:read", "#without-bot", (True, "the bot may post there")),
        (None, "#customer-alerts", (True, "the bot may post there")),
    ],
)
def test_what_the_token_may_not_ask_is_said_and_is_no_fault(
    full: LocalSlack, scopes: str | None, name: str, expected: tuple[bool, str]
) -> None:
    full.scopes = scopes
    good, line = _said(full, SLACK_CHANNEL=name)[-1]
    assert good == expected[0]
    assert expected[1] in line


@pytest.mark.parametrize(
    ("method", "wrong", "expected"),
    [
        ("auth.test", "token_revoked", (False, "was revoked (token_revoked): see SLACK_BOT_TOKEN.")),
        ("auth.test", ("wait", 30), (True, "Slack asks to wait")),
        ("auth.test", 404, (False, "is not Slack: see SLACK_API_URL.")),
        ("conversations.list", ("wait", 30), (True, "could not be checked (Slack asks to wait)")),
        ("conversations.list", 500, (True, "could not be checked (Slack answers with an unknown error)")),
        ("conversations.list", "fatal_error", (True, "could not be checked (Slack answers fatal_error)")),
        ("conversations.list", "enterprise_is_restricted", (True, "could not be checked")),
    ],
)
def test_a_slack_that_does_not_answer_properly_is_said(
    full: LocalSlack, method: str, wrong: Any, expected: tuple[bool, str]
) -> None:
    full.wrong[method] = wrong
    good, line = _said(full)[-1]
    assert good == expected[0]
    assert expected[1] in line


def test_a_slack_that_is_away_names_its_setting() -> None:
    settings = Settings.load({"SLACK_BOT_TOKEN": TOKEN, "SLACK_API_URL": "http://127.0.0.1:9"})
    ((good, line),) = check_slack(settings)
    assert not good
    assert "SLACK_API_URL" in line
