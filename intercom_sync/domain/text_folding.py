"""Normalize text for comparison: invisible characters, white space, apostrophes, case.

Emails, messages and phrases use the same rules.
"""

import re
from unicodedata import combining, normalize

# Unicode's Default_Ignorable_Code_Point, without the two Hangul fillers that are as wide as a letter.
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Soft hyphens, zero-width, byte-order and direction marks, variation selectors: ranges for a character class."""

BLANK = "\u2800\u3164\uffa0"
"""Characters that look blank and are no white space by Unicode."""

_LEADING_BLANKS = re.compile(rf"\A[\s{BLANK}{INVISIBLE}]*")


def trim(text: str) -> str:
    """Strip white space and invisible characters from both ends."""
    return _LEADING_BLANKS.sub("", _LEADING_BLANKS.sub("", text)[::-1])[::-1]


_APOSTROPHES = re.compile(
    "[\u2018\u2019\u201b\u02b9\u02bb\u02bc\u055a\u2032\u2035\ua78c\uff07\uff40`\u00b4\u1fef\u1ffd]"
)
_HYPHENS = re.compile("[\u2010\u2011]")
_DOTTED = re.compile("i\u0307+|\u0131")
_BLANK = re.compile(f"[{BLANK}]")
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_MAX_MARKS = 30
_MARKS = re.compile(rf"[^\w\s]{{{_MAX_MARKS + 1},}}")


def fold(text: str) -> str:
    """Return the text on one line, with one kind of apostrophe, single spaces and no invisible characters."""
    return " ".join(without_invisible(text).split())


def without_invisible(text: str) -> str:
    """Return the text with one kind of apostrophe and no invisible characters; line breaks stay."""
    text = _APOSTROPHES.sub("'", text)
    if text.isascii():
        return text
    return _BLANK.sub(" ", _INVISIBLE.sub("", text))


def comparable(text: str) -> str:
    """Return a normal form that is equal for texts that look the same to a reader.

    NFKC and case folding alternate until the text no longer changes, because each can produce input for the other.
    Apostrophes are unified before, because NFKC decomposes an acute accent, and after, because NFKC produces new ones.
    Dotted and dotless i become one letter, because case folding does not handle Turkish.
    """
    text = fold(text)
    if text.isascii():
        return text.lower()
    text = _MARKS.sub(_fewer_marks, text)
    while (folded := normalize("NFKC", _DOTTED.sub("i", text.casefold()))) != text:
        text = folded
    return fold(_HYPHENS.sub("-", text))


def _fewer_marks(run: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for character in run[0]:
        marks = marks + 1 if combining(character) else 0
        if marks <= _MAX_MARKS:
            kept.append(character)
    return "".join(kept)
