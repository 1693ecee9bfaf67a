"""Check whether a token can post to a channel, without posting.

The channel's entry shows it; reading it takes the scope channels:read, and groups:read for private channels. Posting
needs neither, so a channel that cannot be checked is reported and is no failure.
"""

import re
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from intercom_sync.slack.slack_client import Channel, channel_refusal, error_code, token_refusal

_ID = re.compile(r"[CG][A-Z0-9]{7,}")
_MAX_PAGES = 20
_UNREACHABLE = (SlackClientError, OSError, HTTPException, ValueError)

CheckLine = tuple[bool, str]
"""Whether the check passed, and a sentence with the result or what to do."""


def check_channels(client: WebClient, channels: list[Channel]) -> Iterator[CheckLine]:
    """Check the token, then each channel."""
    try:
        response = client.auth_test()
    except SlackApiError as error:
        yield _token_error(error)
        return
    except _UNREACHABLE as error:
        yield False, f"Slack cannot be reached at SLACK_API_URL ({type(error).__name__})"
        return
    scopes = _scopes(response.headers)
    if scopes and not scopes & {"chat:write", "chat:write:bot"}:
        yield False, token_refusal("missing_scope")
        return
    yield True, f"bot of {response.get('team') or 'unknown'}"
    for channel in channels:
        yield _check(client, channel, scopes)


def _token_error(error: SlackApiError) -> CheckLine:
    code = error_code(error)
    if code == "ratelimited":
        return True, "the token could not be checked: Slack asks to wait; run doctor again later"
    if not code:
        return False, f"the server that answered ({error.response.status_code}) is not Slack: see SLACK_API_URL."
    return False, token_refusal(code)


def _check(client: WebClient, channel: Channel, scopes: set[str]) -> CheckLine:
    try:
        entry, is_complete = _find(client, channel.name)
    except SlackApiError as error:
        return _lookup_error(channel, error)
    except _UNREACHABLE as error:
        return True, _unknown(channel, f"Slack does not answer ({type(error).__name__})")
    if entry is None:
        if is_complete:
            return False, channel_refusal(channel, "channel_not_found")
        return True, _unknown(channel, "it is not a public channel, and the token lacks the scope groups:read")
    return _check_entry(channel, entry, scopes)


def _check_entry(channel: Channel, entry: dict[str, Any], scopes: set[str]) -> CheckLine:
    if entry.get("is_archived"):
        return False, channel_refusal(channel, "is_archived")
    may_join = "chat:write.public" in scopes and not entry.get("is_private")
    if not entry.get("is_member") and not may_join:
        return False, channel_refusal(channel, "not_in_channel")
    return True, f"channel {channel.name}: the bot may post there"


def _lookup_error(channel: Channel, error: SlackApiError) -> CheckLine:
    code = error_code(error)
    if code in {"channel_not_found", "is_archived", "not_in_channel"}:
        return False, channel_refusal(channel, code)
    if code == "missing_scope":
        return True, _unknown(channel, "the token lacks the scope channels:read")
    return True, _unknown(
        channel, "Slack asks to wait" if code == "ratelimited" else f"Slack answers {code or 'with an unknown error'}"
    )


def _unknown(channel: Channel, why: str) -> str:
    return f"channel {channel.name} could not be checked ({why}). The channel must exist and have the bot as a member"


def _find(client: WebClient, name: str) -> tuple[dict[str, Any] | None, bool]:
    """Return a channel's entry, or None, and whether all candidate channels were searched."""
    if _ID.fullmatch(name):
        return client.conversations_info(channel=name).get("channel"), True
    try:
        return _listed(client, name, "public_channel,private_channel")
    except SlackApiError as error:
        if error_code(error) != "missing_scope":
            raise
    entry, _ = _listed(client, name, "public_channel")
    return entry, False


def _listed(client: WebClient, name: str, types: str) -> tuple[dict[str, Any] | None, bool]:
    cursor = ""
    for _ in range(_MAX_PAGES):
        page = client.conversations_list(types=types, limit=1_000, cursor=cursor)
        for item in page.get("channels") or []:
            if item.get("name") == name.removeprefix("#"):
                return item, True
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return None, True
    return None, False


def _scopes(headers: dict[str, str]) -> set[str]:
    """Return the token's scopes from the response headers; empty when they are absent."""
    entry = next((value for name, value in headers.items() if name.lower() == "x-oauth-scopes"), "")
    text = entry[0] if isinstance(entry, list) and entry else entry
    return {item.strip() for item in str(text).split(",") if item.strip()}
