"""What `intercom-sync doctor` checks at Slack."""

from collections.abc import Iterator

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from intercom_sync.commands.doctor_intercom import Line
from intercom_sync.settings import Settings


def check_slack(settings: Settings) -> Iterator[Line]:
    """Check that alerts can be delivered."""
    if not settings.slack_token:
        yield True, "Slack: no SLACK_BOT_TOKEN; alerts stay readable in customer_alerts"
        return
    try:
        answer = WebClient(settings.slack_token, base_url=settings.slack_api_url, timeout=10).auth_test()
        yield True, f"Slack: bot of {answer.get('team', 'unknown')}, channel {settings.slack_channel}"
    except SlackApiError as error:
        yield False, f"Slack: SLACK_BOT_TOKEN is refused ({error.response['error']})"
    except (SlackClientError, OSError) as error:
        yield False, f"Slack: cannot be reached at SLACK_API_URL ({type(error).__name__})"
