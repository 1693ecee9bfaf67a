"""What `intercom-sync doctor` checks at Slack: the token and both channels, without posting."""

from collections.abc import Iterator

from intercom_sync.commands.doctor_intercom import Line
from intercom_sync.settings import Settings
from intercom_sync.slack.channel_check import check_channels
from intercom_sync.slack.poster import channels, quiet_client


def check_slack(settings: Settings) -> Iterator[Line]:
    """Check that alerts can be delivered."""
    if not settings.slack_token:
        yield True, "Slack: no SLACK_BOT_TOKEN; alerts stay readable in customer_alerts"
        return
    to = channels(settings.slack_channel, settings.slack_operations_channel)
    client = quiet_client(settings.slack_token, settings.slack_api_url)
    for good, line in check_channels(client, list(dict.fromkeys([to.customers, to.operations]))):
        yield good, f"Slack: {line}"
