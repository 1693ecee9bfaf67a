"""Whether a text says that a customer wants to leave.

Works on visible text as `text.visible_text` gives it. Which messages count (whose, since when) belongs in `support`.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from intercom_sync.domain.text import fold

_NEVER = r"[^\s\S]"
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$#&~-]")
EXCERPT_WIDTH = 160


def mention_pattern(words: Sequence[str]) -> str:
    """Return a pattern that finds any of the words at the start of a word, in any case, whatever follows.

    The pattern means the same to Python's `re` and to the Rust engine of polars. Words are folded like the text; blank
    ones are ignored, and without any word the pattern finds nothing.
    """
    folded = dict.fromkeys(word for word in map(fold, words) if word)
    if not folded:
        return _NEVER
    return rf"(?i)(?:^|\W)(?:{'|'.join(_SPECIAL.sub(_escaped, word) for word in folded)})"


def mentions_cancel(text: str, words: Sequence[str]) -> bool:
    """Return whether the visible text says one of the words."""
    return _compiled(tuple(words)).search(text) is not None


def excerpt(text: str, words: Sequence[str], width: int = EXCERPT_WIDTH) -> str | None:
    """Return the words around the first mention, about `width` characters of whole words, or None without a mention."""
    found = _compiled(tuple(words)).search(text)
    if found is None:
        return None
    room = max(width - (found.end() - found.start()), 0) // 2
    start, end = max(found.start() - room, 0), min(found.end() + room, len(text))
    if start:
        start = _at_space(text, start, found.start())
    if end < len(text):
        cut = text.rfind(" ", found.end(), end)
        end = cut if cut > 0 else end
    return f"{'…' if start else ''}{text[start:end].strip()}{'…' if end < len(text) else ''}"


def _at_space(text: str, start: int, latest: int) -> int:
    space = text.find(" ", start, latest + 1)
    return space + 1 if space >= 0 else start


def _escaped(found: re.Match[str]) -> str:
    return "\\" + found[0]


@lru_cache(maxsize=8)
def _compiled(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(mention_pattern(words))
