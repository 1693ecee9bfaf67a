"""The evidence of a cancel mention: the words, when they were written, and where to answer them.

Which message is a customer's newest mention is found by `warehouse`; that it alerts is decided in `alerts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from intercom_sync.domain.cancel import EXCERPT_WIDTH, excerpt

# Intercom opens the workspace a person is signed in to when the address names none.
_ANY_WORKSPACE = "_"


@dataclass(frozen=True)
class Mention:
    """A customer's newest message that speaks of cancelling.

    Attributes:
        text: what it says, as visible text.
        at: when it was written.
        conversation: Intercom's id of the conversation.
        workspace: Intercom's id of the workspace; None where the contact names none.
    """

    text: str
    at: datetime
    conversation: str
    workspace: str | None = None


def mention_evidence(mention: Mention, words: Sequence[str], app: str) -> dict[str, Any]:
    """Return what an alert says of a mention: `excerpt`, `said_at` (ISO 8601) and `conversation_url`.

    Args:
        mention: the message.
        words: the cancel words, for the place in the text.
        app: address of Intercom's web app in the workspace's region.
    """
    return {
        "excerpt": excerpt(mention.text, words) or mention.text[:EXCERPT_WIDTH],
        "said_at": mention.at.isoformat(),
        "conversation_url": conversation_url(app, mention.workspace, mention.conversation),
    }


def conversation_url(app: str, workspace: str | None, conversation: str) -> str:
    """Return the address at which a teammate opens a conversation."""
    if not workspace:
        return f"{app}/a/apps/{_ANY_WORKSPACE}/conversations/{quote(conversation, safe='')}"
    return f"{app}/a/inbox/{quote(workspace, safe='')}/inbox/conversation/{quote(conversation, safe='')}"
