"""One message to Slack, and what the answer means. What to do about it is decided in `pipeline.alert_delivery`.

Nothing is tried again here: a second request where the answer to the first was lost would be a second message.
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
LONGEST_WAIT = 86_400
_CHANNEL = {
    "channel_not_found": "does not exist, or the bot may not see it",
    "not_in_channel": "does not have the bot in it: invite it there",
    "is_archived": "is archived",
    "restricted_action": "does not let the bot post",
    "restricted_action_read_only_channel": "is read-only",
    "restricted_action_non_threadable_channel": "takes no messages",
    "restricted_action_thread_only_channel": "takes answers only",
    "cannot_reply_to_message": "takes no messages",
}
_TOKEN = {
    "invalid_auth": "is not valid",
    "not_authed": "is not valid",
    "account_inactive": "belongs to a bot or a workspace that was deleted",
    "token_revoked": "was revoked",
    "token_expired": "has expired",
    "no_permission": "lacks the right to post",
    "missing_scope": "lacks the scope chat:write",
    "not_allowed_token_type": "is of a kind that may not post: give a bot token, xoxb-…",
    "ekm_access_denied": "is not let in by the workspace's administrators",
    "access_denied": "is not let in by the workspace's administrators",
    "org_login_required": "is not let in: the workspace is being moved",
    "team_access_not_granted": "is not let into the workspace",
    "enterprise_is_restricted": "is not let in by the workspace's administrators",
    "accesslimited": "is not let in by the workspace's administrators",
}
_PASSING = {
    "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org", "ratelimited",
    "rate_limited", "message_limit_exceeded",
}  # fmt: skip
_CONTENT = {
    "invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text", "invalid_arguments",
    "invalid_charset", "invalid_json", "invalid_post_type", "block_mismatch", "slack_connect_blocked_text",
    "invalid_arg_name", "invalid_array_arg", "message_blocked", "cannot_parse_attachment", "as_user_not_supported",
}  # fmt: skip


class SlackMisconfiguredError(FatalError):
    """Slack takes nothing until a setting is mended; the message names it."""


class SlackUnavailableError(RetryableError):
    """Slack does not answer, or answers that it cannot; it may have taken the message all the same."""


class Channel(NamedTuple):
    """A channel, and the setting that names it."""

    name: str
    setting: str


@dataclass(frozen=True)
class Channels:
    """Where messages go: those about customers, and those about the sync itself."""

    customers: Channel
    operations: Channel

    def of(self, message: Message) -> Channel:
        """Return the channel of a message."""
        return self.operations if message.operations else self.customers


def channels(customers: str, operations: str) -> Channels:
    """Return both channels, which may be one."""
    first = Channel(customers, "SLACK_CHANNEL")
    return Channels(first, first if operations == customers else Channel(operations, "SLACK_OPERATIONS_CHANNEL"))


class Outcome(Enum):
    """What an answer means."""

    TAKEN = auto()
    WAIT = auto()
    REFUSED = auto()
    UNKNOWN = auto()
    AWAY = auto()
    CHANNEL = auto()
    SETUP = auto()


@dataclass(frozen=True)
class PostResult:
    """Slack's answer.

    Attributes:
        verdict: taken; wait and try again; refused for what it says; refused for a reason not known here; no answer;
            the channel takes nothing until it is set up; nothing is taken at all until that is done.
        reason: Slack's word, or a sentence.
        wait: seconds that Slack asks to wait.
    """

    verdict: Outcome
    reason: str = ""
    wait_seconds: int = 0


def quiet_client(token: str, base_url: str) -> WebClient:
    """Return a client that sends every request once and logs nothing of what it sends."""
    silent = logging.getLogger("intercom_sync.slack.client")
    silent.setLevel(logging.CRITICAL)
    return WebClient(token, base_url=base_url, timeout=TIMEOUT_SECONDS, retry_handlers=[], logger=silent)


def post_message(client: WebClient, channel: Channel, message: Message) -> PostResult:
    """Send a message once."""
    try:
        client.chat_postMessage(
            channel=channel.name, text=message.text, blocks=message.blocks, parse="none", link_names=False,
            unfurl_links=False, unfurl_media=False,
        )  # fmt: skip
    except SlackApiError as error:
        return _answer(error, channel)
    except (SlackClientError, OSError, HTTPException, ValueError) as error:
        return PostResult(Outcome.AWAY, f"Slack does not answer ({type(error).__name__})")
    return PostResult(Outcome.TAKEN)


def _answer(error: SlackApiError, channel: Channel) -> PostResult:
    status = error.response.status_code
    word = error_word(error)
    if word == "ratelimited":
        return PostResult(Outcome.WAIT, "Slack asks to wait", _seconds(error.response.headers))
    if status >= 500 or word in _PASSING:
        return PostResult(Outcome.AWAY, f"Slack is out of order ({word if word in _PASSING else status})")
    if word in _CHANNEL:
        return PostResult(Outcome.CHANNEL, channel_refusal(channel, word))
    if word in _TOKEN:
        return PostResult(Outcome.SETUP, token_refusal(word))
    if not word:
        return PostResult(Outcome.SETUP, f"What answered ({status}) is not Slack: see SLACK_API_URL.")
    return PostResult(Outcome.REFUSED if word in _CONTENT else Outcome.UNKNOWN, word)


def error_word(error: SlackApiError) -> str:
    """Return Slack's word for an error; empty where what answered is not Slack."""
    data = error.response.data
    word = str(data.get("error", "")) if isinstance(data, dict) else ""
    if error.response.status_code == 429 or word == "rate_limited":
        return "ratelimited"
    return word if re.fullmatch(r"[a-z][a-z0-9_]*", word) else ""


def channel_refusal(channel: Channel, word: str) -> str:
    """Return the sentence of a channel that takes no messages, by Slack's word for it."""
    return f"The Slack channel {channel.name} {_CHANNEL.get(word, 'is refused')} ({word}): see {channel.setting}."


def token_refusal(word: str) -> str:
    """Return the sentence of a token that Slack refuses, by its word for it."""
    return f"The Slack token {_TOKEN.get(word, 'is refused')} ({word}): see SLACK_BOT_TOKEN."


def _seconds(headers: dict[str, str]) -> int:
    found = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    text = str(found[0] if isinstance(found, list) and found else found)
    return min(max(int(text), 1), LONGEST_WAIT) if text.isdigit() else 30
