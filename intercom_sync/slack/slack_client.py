"""Post one message to Slack and classify the response.

There are no retries here: if only the response was lost, a retry would post the message twice.
"""

import logging
import re
from dataclasses import dataclass
from enum import Enum, auto
from http.client import HTTPException
from typing import NamedTuple

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from intercom_sync.domain.errors import FatalError, RetryableError
from intercom_sync.slack.blocks import Message

TIMEOUT_SECONDS = 8
MAX_WAIT_SECONDS = 86_400
_CHANNEL_ERRORS = {
    "channel_not_found": "does not exist, or the bot cannot see it",
    "not_in_channel": "does not have the bot in it: invite it there",
    "is_archived": "is archived",
    "restricted_action": "does not allow the bot to post",
    "restricted_action_read_only_channel": "is read-only",
    "restricted_action_non_threadable_channel": "accepts no messages",
    "restricted_action_thread_only_channel": "accepts replies only",
    "cannot_reply_to_message": "accepts no messages",
}
_TOKEN_ERRORS = {
    "invalid_auth": "is not valid",
    "not_authed": "is not valid",
    "account_inactive": "belongs to a bot or a workspace that was deleted",
    "token_revoked": "was revoked",
    "token_expired": "has expired",
    "no_permission": "lacks the permission to post",
    "missing_scope": "lacks the scope chat:write",
    "not_allowed_token_type": "has a type that cannot post: use a bot token, xoxb-…",
    "ekm_access_denied": "is blocked by the workspace's administrators",
    "access_denied": "is blocked by the workspace's administrators",
    "org_login_required": "is blocked while the workspace is being migrated",
    "team_access_not_granted": "has no access to the workspace",
    "enterprise_is_restricted": "is blocked by the workspace's administrators",
    "accesslimited": "is blocked by the workspace's administrators",
}
_TEMPORARY_ERRORS = {
    "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org", "ratelimited",
    "rate_limited", "message_limit_exceeded",
}  # fmt: skip
_CONTENT_ERRORS = {
    "invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text", "invalid_arguments",
    "invalid_charset", "invalid_json", "invalid_post_type", "block_mismatch", "slack_connect_blocked_text",
    "invalid_arg_name", "invalid_array_arg", "message_blocked", "cannot_parse_attachment", "as_user_not_supported",
}  # fmt: skip


class SlackMisconfiguredError(FatalError):
    """Slack rejects all messages until a setting is fixed; the message names the setting."""


class SlackUnavailableError(RetryableError):
    """Slack does not respond or reports an outage; it may have accepted the message nevertheless."""


class Channel(NamedTuple):
    """A channel and the setting that names it."""

    name: str
    setting: str


@dataclass(frozen=True)
class Channels:
    """The channels for customer alerts and for incidents."""

    customers: Channel
    operations: Channel

    def of(self, message: Message) -> Channel:
        """Return the channel of a message."""
        return self.operations if message.operations else self.customers


def channels(customers: str, operations: str) -> Channels:
    """Return both channels, which may be the same."""
    customer_channel = Channel(customers, "SLACK_CHANNEL")
    if operations == customers:
        return Channels(customer_channel, customer_channel)
    return Channels(customer_channel, Channel(operations, "SLACK_OPERATIONS_CHANNEL"))


class Outcome(Enum):
    """Name the meaning of Slack's response."""

    DELIVERED = auto()
    RATE_LIMITED = auto()
    REJECTED = auto()  # because of its content
    UNKNOWN_REJECTION = auto()
    UNAVAILABLE = auto()
    CHANNEL_MISCONFIGURED = auto()
    MISCONFIGURED = auto()


@dataclass(frozen=True)
class PostResult:
    """Hold the outcome of a post.

    Attributes:
        outcome: the meaning of the response.
        reason: Slack's error code, or a sentence.
        wait_seconds: seconds to wait before the next message, when rate limited.
    """

    outcome: Outcome
    reason: str = ""
    wait_seconds: int = 0


def quiet_client(token: str, base_url: str) -> WebClient:
    """Return a client without retries and without logs, which would contain the messages."""
    silent = logging.getLogger("intercom_sync.slack.client")
    silent.setLevel(logging.CRITICAL)
    return WebClient(token, base_url=base_url, timeout=TIMEOUT_SECONDS, retry_handlers=[], logger=silent)


def post_message(client: WebClient, channel: Channel, message: Message) -> PostResult:
    """Post a message once."""
    try:
        client.chat_postMessage(
            channel=channel.name, text=message.text, blocks=message.blocks, parse="none", link_names=False,
            unfurl_links=False, unfurl_media=False,
        )  # fmt: skip
    except SlackApiError as error:
        return _classify(error, channel)
    except (SlackClientError, OSError, HTTPException, ValueError) as error:
        return PostResult(Outcome.UNAVAILABLE, f"Slack does not answer ({type(error).__name__})")
    return PostResult(Outcome.DELIVERED)


def _classify(error: SlackApiError, channel: Channel) -> PostResult:
    status = error.response.status_code
    code = error_code(error)
    if code == "ratelimited":
        return PostResult(Outcome.RATE_LIMITED, "Slack asks to wait", _retry_after_seconds(error.response.headers))
    if status >= 500 or code in _TEMPORARY_ERRORS:
        reason = code if code in _TEMPORARY_ERRORS else status
        return PostResult(Outcome.UNAVAILABLE, f"Slack is unavailable ({reason})")
    if code in _CHANNEL_ERRORS:
        return PostResult(Outcome.CHANNEL_MISCONFIGURED, channel_refusal(channel, code))
    if code in _TOKEN_ERRORS:
        return PostResult(Outcome.MISCONFIGURED, token_refusal(code))
    if not code:
        return PostResult(
            Outcome.MISCONFIGURED, f"The server that answered ({status}) is not Slack: see SLACK_API_URL."
        )
    return PostResult(Outcome.REJECTED if code in _CONTENT_ERRORS else Outcome.UNKNOWN_REJECTION, code)


def error_code(error: SlackApiError) -> str:
    """Return Slack's error code; "" when the response is not from Slack."""
    data = error.response.data
    code = str(data.get("error", "")) if isinstance(data, dict) else ""
    if error.response.status_code == 429 or code == "rate_limited":
        return "ratelimited"
    return code if re.fullmatch(r"[a-z][a-z0-9_]*", code) else ""


def channel_refusal(channel: Channel, code: str) -> str:
    """Return the sentence for a channel that accepts no messages, by Slack's error code."""
    problem = _CHANNEL_ERRORS.get(code, "rejects messages")
    return f"The Slack channel {channel.name} {problem} ({code}): see {channel.setting}."


def token_refusal(code: str) -> str:
    """Return the sentence for a token that Slack rejects, by Slack's error code."""
    return f"The Slack token {_TOKEN_ERRORS.get(code, 'was rejected')} ({code}): see SLACK_BOT_TOKEN."


def _retry_after_seconds(headers: dict[str, str]) -> int:
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    text = str(value[0] if isinstance(value, list) and value else value)
    return min(max(int(text), 1), MAX_WAIT_SECONDS) if text.isdigit() else 30
