"""Whether a text says that a customer wants to leave.

Works on visible text as `text.visible_text` gives it. This is the only matcher: landing, searching stored messages
again and excerpts all use it. Which messages count (whose, since when) belongs in `support`.
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
# Thai, Lao, Myanmar, Khmer; kana, Bopomofo and Han with their marks. Hangul separates words, so it is not here.
_UNSEPARATED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\ua9e0-\ua9ff\uaa60-\uaa7f"
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303b\u3041-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U0001aff0-\U0001b16f\U00020000-\U0003ffff]"
)
_LETTERS = frozenset({"L", "N"})
_JOINED = frozenset({"Mn", "Mc", "Pc"})


def mentions_cancel(text: str, words: Sequence[str]) -> bool:
    """Return whether the visible text says one of the words, at the start of a word, whatever follows.

    In scripts that do not separate words, anywhere.
    """
    return _find(comparable(text), words) is not None


def excerpt(text: str, words: Sequence[str], width: int = EXCERPT_CHARACTERS) -> str | None:
    """Return the words around the first mention, about `width` characters of whole words, or None without a mention."""
    found = _find(comparable(text), words)
    if found is None:
        return None
    first, last = _original(text, found.start()), _original(text, found.end() - 1) + 1
    room = max(width - (last - first), 0) // 2
    start, end = max(first - room, 0), min(last + room, len(text))
    if start:
        start = _at_space(text, start, first)
    if end < len(text):
        cut = text.rfind(" ", last, end)
        end = cut if cut > 0 else end
    return f"{'…' if start else ''}{text[start:end].strip()}{'…' if end < len(text) else ''}"


def _find(text: str, words: Sequence[str]) -> re.Match[str] | None:
    """Return the first match in a comparable text."""
    pattern = _compiled(tuple(words))
    found = pattern.search(text)
    while found and not _may_start(text, found.start()):
        found = pattern.search(text, found.start() + 1)
    return found


def _may_start(text: str, at: int) -> bool:
    """Return whether a word may start there: not within a word, unless its script does not separate words."""
    if at == 0 or not _in_word(text[at]):
        return True
    return not _in_word(text[at - 1]) or bool(_UNSEPARATED.match(text, at) or _UNSEPARATED.match(text, at - 1))


def _in_word(character: str) -> bool:
    kind = category(character)
    return kind[0] in _LETTERS or kind in _JOINED


def _original(text: str, place: int) -> int:
    """Return where a place in the comparable form of a text is in the text; halves what is left, so it is linear."""
    low, high, passed = 0, len(text), 0
    while high - low > 1:
        middle = (low + high) // 2
        half = text[low:middle]
        size = len(comparable(f".{half}.")) - 2  # the dots keep a space at either end
        if passed + size <= place:
            low, passed = middle, passed + size
        else:
            high = middle
    return low


def _at_space(text: str, start: int, latest: int) -> int:
    space = text.find(" ", start, latest + 1)
    return space + 1 if space >= 0 else start


@lru_cache(maxsize=8)
def _compiled(words: tuple[str, ...]) -> re.Pattern[str]:
    """Return the pattern that finds any of the words in a comparable text; blank ones are ignored."""
    known = dict.fromkeys(word for word in map(comparable, words) if word)
    return re.compile("|".join(map(re.escape, known)) or _NEVER)


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
        "excerpt": excerpt(mention.text, words) or mention.text[:EXCERPT_CHARACTERS],
        "said_at": mention.at.isoformat(),
        "conversation_url": conversation_url(app, mention.workspace, mention.conversation),
    }


def conversation_url(app: str, workspace: str | None, conversation: str) -> str:
    """Return the address at which a teammate opens a conversation."""
    if not workspace:
        return f"{app}/a/apps/{_ANY_WORKSPACE}/conversations/{quote(conversation, safe='')}"
    return f"{app}/a/inbox/{quote(workspace, safe='')}/inbox/conversation/{quote(conversation, safe='')}"
