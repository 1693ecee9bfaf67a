"""`intercom-sync doctor`: run every check and print one line per result.

Invalid settings are rejected before it starts; `check_settings` adds warnings about valid ones.
"""

import sys
from collections.abc import Callable, Iterator

from intercom_sync.commands.doctor_database import check_database
from intercom_sync.commands.doctor_intercom import Line, check_intercom
from intercom_sync.domain.sync_summary import sanitize_for_display
from intercom_sync.settings import Settings
from intercom_sync.slack.channel_check import check_channels
from intercom_sync.slack.slack_client import channels, quiet_client


def check_settings(settings: Settings) -> Iterator[Line]:
    """Yield a warning for each setting that is valid but risky."""
    yield from ((True, f"warning: {warning}") for warning in settings.warnings())


def check_slack(settings: Settings) -> Iterator[Line]:
    """Check that Slack alerts can be delivered."""
    if not settings.slack_token:
        yield True, "Slack: no SLACK_BOT_TOKEN; alerts stay readable in customer_alerts"
        return
    to = channels(settings.slack_channel, settings.slack_operations_channel)
    client = quiet_client(settings.slack_token, settings.slack_api_url)
    for is_ok, line in check_channels(client, list(dict.fromkeys([to.customers, to.operations]))):
        yield is_ok, f"Slack: {line}"


CHECKS: tuple[Callable[[Settings], Iterator[Line]], ...] = (check_settings, check_intercom, check_database, check_slack)
"""All checks, in output order."""


def doctor(settings: Settings) -> int:
    """Print the result of every check.

    Returns:
        0 if a sync can run, else 1.
    """
    lines = [line for check in CHECKS for line in check(settings)]
    for is_ok, line in lines:
        print(f"{'ok  ' if is_ok else 'FAIL'}  {sanitize_for_display(line)}", file=sys.stdout)
    return 0 if all(is_ok for is_ok, _ in lines) else 1
