"""Cancel mentions (R3.4): match cancel phrases in visible text, cut excerpts, build links to conversations.

This is the only matcher: landing, rematching stored messages and excerpts all use it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from unicodedata import category
from urllib.parse import quote

from intercom_sync.domain.text_folding import comparable

_NEVER = r"[^\s\S]"
EXCERPT_CHARACTERS = 160
# Scripts that do not separate words: Thai, Lao, Myanmar, Khmer, kana, Bopomofo, Han. Hangul does separate them.
_UNSEPARATED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\ua9e0-\ua9ff\uaa60-\uaa7f"
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303b\u3041-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U0001aff0-\U0001b16f\U00020000-\U0003ffff]"
)
_LETTERS = frozenset({"L", "N"})
_JOINED = frozenset({"Mn", "Mc", "Pc"})


def mentions_cancel(text: str, phrases: Sequence[str]) -> bool:
    """Return whether the visible text contains one of the phrases at the start of a word.

    The end is open: "cancel" matches "cancelled". In scripts that do not separate words a match may start anywhere.
    """
    return _find(comparable(text), phrases) is not None


def excerpt(text: str, phrases: Sequence[str], width: int = EXCERPT_CHARACTERS) -> str | None:
    """Return about `width` characters of whole words around the first mention, or None without a mention."""
    found = _find(comparable(text), phrases)
    if found is None:
        return None
    first, last = _original_position(text, found.start()), _original_position(text, found.end() - 1) + 1
    margin = max(width - (last - first), 0) // 2
    start, end = max(first - margin, 0), min(last + margin, len(text))
    if start:
        start = _next_word_start(text, start, first)
    if end < len(text):
        cut = text.rfind(" ", last, end)
        end = cut if cut > 0 else end
    return f"{'…' if start else ''}{text[start:end].strip()}{'…' if end < len(text) else ''}"


def _find(text: str, phrases: Sequence[str]) -> re.Match[str] | None:
    """Return the first match in a text normalized by `comparable`."""
    pattern = _compiled(tuple(phrases))
    found = pattern.search(text)
    while found and not _may_start(text, found.start()):
        found = pattern.search(text, found.start() + 1)
    return found


def _may_start(text: str, at: int) -> bool:
    """Return whether a word can start here: not inside a word, unless its script does not separate words."""
    if at == 0 or not _in_word(text[at]):
        return True
    return not _in_word(text[at - 1]) or bool(_UNSEPARATED.match(text, at) or _UNSEPARATED.match(text, at - 1))


def _in_word(character: str) -> bool:
    kind = category(character)
    return kind[0] in _LETTERS or kind in _JOINED


def _original_position(text: str, position: int) -> int:
    """Map a position in the comparable form of a text back to the text, by bisection, in linear time overall."""
    low, high, consumed = 0, len(text), 0
    while high - low > 1:
        middle = (low + high) // 2
        half = text[low:middle]
        size = len(comparable(f".{half}.")) - 2  # the dots protect a space at either end from being trimmed
        if consumed + size <= position:
            low, consumed = middle, consumed + size
        else:
            high = middle
    return low


def _next_word_start(text: str, start: int, latest: int) -> int:
    space = text.find(" ", start, latest + 1)
    return space + 1 if space >= 0 else start


@lru_cache(maxsize=8)
def _compiled(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """Compile a pattern for any of the phrases in a comparable text; blank phrases are ignored."""
    unique = dict.fromkeys(phrase for phrase in map(comparable, phrases) if phrase)
    return re.compile("|".join(map(re.escape, unique)) or _NEVER)


# With this placeholder Intercom opens the workspace that the person is signed in to.
_ANY_WORKSPACE = "_"


@dataclass(frozen=True)
class Mention:
    """Represent a customer's newest message with a cancel phrase.

    Attributes:
        text: visible text of the message.
        at: when it was written.
        conversation: Intercom's id of the conversation.
        workspace: Intercom's id of the workspace; None when the contact has none.
    """

    text: str
    at: datetime
    conversation: str
    workspace: str | None = None


def mention_evidence(mention: Mention, phrases: Sequence[str], app: str) -> dict[str, Any]:
    """Return the details of an alert about a mention: `excerpt`, `said_at` (ISO 8601) and `conversation_url`.

    Args:
        mention: the message.
        phrases: the cancel phrases, to place the excerpt.
        app: base URL of Intercom's web app in the workspace's region.
    """
    return {
        "excerpt": excerpt(mention.text, phrases) or mention.text[:EXCERPT_CHARACTERS],
        "said_at": mention.at.isoformat(),
        "conversation_url": conversation_url(app, mention.workspace, mention.conversation),
    }


def conversation_url(app: str, workspace: str | None, conversation: str) -> str:
    """Return the URL at which a teammate opens a conversation."""
    if not workspace:
        return f"{app}/a/apps/{_ANY_WORKSPACE}/conversations/{quote(conversation, safe='')}"
    return f"{app}/a/inbox/{quote(workspace, safe='')}/inbox/conversation/{quote(conversation, safe='')}"
