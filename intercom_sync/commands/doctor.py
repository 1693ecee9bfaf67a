"""What `intercom-sync doctor` checks of the settings themselves; a wrong value is refused before it starts."""

import sys
from collections.abc import Callable, Iterator

from intercom_sync.commands.doctor_database import check_database
from intercom_sync.commands.doctor_intercom import Line, check_intercom
from intercom_sync.domain.sync_summary import sanitize_for_display
from intercom_sync.settings import Settings
from intercom_sync.slack.channel_check import check_channels
from intercom_sync.slack.slack_client import channels, quiet_client


def check_settings(settings: Settings) -> Iterator[Line]:
    """Tell what is allowed and unwise."""
    yield from ((True, f"warning: {warning}") for warning in settings.warnings())


def check_slack(settings: Settings) -> Iterator[Line]:
    """Check that alerts can be delivered."""
    if not settings.slack_token:
        yield True, "Slack: no SLACK_BOT_TOKEN; alerts stay readable in customer_alerts"
        return
    to = channels(settings.slack_channel, settings.slack_operations_channel)
    client = quiet_client(settings.slack_token, settings.slack_api_url)
    for good, line in check_channels(client, list(dict.fromkeys([to.customers, to.operations]))):
        yield good, f"Slack: {line}"


CHECKS: tuple[Callable[[Settings], Iterator[Line]], ...] = (check_settings, check_intercom, check_database, check_slack)
"""Every check, in the order of the lines."""


def doctor(settings: Settings) -> int:
    """Print what is good and what to do; return 0 when a sync can run, 1 when not."""
    found = [line for check in CHECKS for line in check(settings)]
    for good, line in found:
        print(f"{'ok  ' if good else 'MEND'}  {sanitize_for_display(line)}", file=sys.stdout)
    return 0 if all(good for good, _ in found) else 1
