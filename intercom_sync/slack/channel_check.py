"""Ask Slack whether a token may post to a channel, without posting anything.

Slack tells it by the channel's own entry, for which a token needs channels:read (and groups:read for private ones).
A token needs neither to post, so what could not be asked is said and is no fault.
"""

import re
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from intercom_sync.slack.slack_client import Channel, channel_refusal, error_word, token_refusal

_ID = re.compile(r"[CG][A-Z0-9]{7,}")
_MAX_PAGES = 20
_UNREACHABLE = (SlackClientError, OSError, HTTPException, ValueError)

Line = tuple[bool, str]
"""Whether something is good, and the sentence that says so or what to do."""


def check_channels(client: WebClient, channels: list[Channel]) -> Iterator[Line]:
    """Check the token, and then each channel."""
    try:
        answer = client.auth_test()
    except SlackApiError as error:
        yield _of_token(error)
        return
    except _UNREACHABLE as error:
        yield False, f"Slack cannot be reached at SLACK_API_URL ({type(error).__name__})"
        return
    scopes = _scopes(answer.headers)
    if scopes and not scopes & {"chat:write", "chat:write:bot"}:
        yield False, token_refusal("missing_scope")
        return
    yield True, f"bot of {answer.get('team') or 'unknown'}"
    for channel in channels:
        yield _check(client, channel, scopes)


def _of_token(error: SlackApiError) -> Line:
    word = error_word(error)
    if word == "ratelimited":
        return True, "the token could not be checked: Slack asks to wait; run doctor again later"
    if not word:
        return False, f"what answered ({error.response.status_code}) is not Slack: see SLACK_API_URL."
    return False, token_refusal(word)


def _check(client: WebClient, channel: Channel, scopes: set[str]) -> Line:
    try:
        found, all_seen = _find(client, channel.name)
    except SlackApiError as error:
        return _not_asked(channel, error)
    except _UNREACHABLE as error:
        return True, _unknown(channel, f"Slack does not answer ({type(error).__name__})")
    if found is None:
        if all_seen:
            return False, channel_refusal(channel, "channel_not_found")
        return True, _unknown(channel, "it is none of the public ones, and the token lacks the scope groups:read")
    return _judge(channel, found, scopes)


def _judge(channel: Channel, found: dict[str, Any], scopes: set[str]) -> Line:
    if found.get("is_archived"):
        return False, channel_refusal(channel, "is_archived")
    may_join = "chat:write.public" in scopes and not found.get("is_private")
    if not found.get("is_member") and not may_join:
        return False, channel_refusal(channel, "not_in_channel")
    return True, f"channel {channel.name}: the bot may post there"


def _not_asked(channel: Channel, error: SlackApiError) -> Line:
    word = error_word(error)
    if word in {"channel_not_found", "is_archived", "not_in_channel"}:
        return False, channel_refusal(channel, word)
    if word == "missing_scope":
        return True, _unknown(channel, "the token lacks the scope channels:read")
    return True, _unknown(
        channel, "Slack asks to wait" if word == "ratelimited" else f"Slack answers {word or 'oddly'}"
    )


def _unknown(channel: Channel, why: str) -> str:
    return (
        f"channel {channel.name}: whether it takes messages could not be asked ({why}). It must be there, and the bot "
        "in it"
    )


def _find(client: WebClient, name: str) -> tuple[dict[str, Any] | None, bool]:
    """Return a channel's entry, and whether every channel was looked at that could be it."""
    if _ID.fullmatch(name):
        return client.conversations_info(channel=name).get("channel"), True
    try:
        return _listed(client, name, "public_channel,private_channel")
    except SlackApiError as error:
        if error_word(error) != "missing_scope":
            raise
    found, _ = _listed(client, name, "public_channel")
    return found, False


def _listed(client: WebClient, name: str, types: str) -> tuple[dict[str, Any] | None, bool]:
    cursor = ""
    for _ in range(_MAX_PAGES):
        page = client.conversations_list(types=types, limit=1_000, cursor=cursor)
        for one in page.get("channels") or []:
            if one.get("name") == name.removeprefix("#"):
                return one, True
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return None, True
    return None, False


def _scopes(headers: dict[str, str]) -> set[str]:
    """Return the token's scopes as Slack tells them; empty where it does not."""
    found = next((value for name, value in headers.items() if name.lower() == "x-oauth-scopes"), "")
    text = found[0] if isinstance(found, list) and found else found
    return {one.strip() for one in str(text).split(",") if one.strip()}
