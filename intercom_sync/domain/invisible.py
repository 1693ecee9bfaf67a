"""Characters that a reader does not see: white space, and marks that only control how other characters are shown.

One list for emails, messages and words, so that they are compared in the same way everywhere.
"""

import re

# Unicode's Default_Ignorable_Code_Point, without the two Hangul fillers that are as wide as a letter.
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Soft hyphens, zero-width, byte-order and direction marks, variation selectors: ranges for a character class."""

BLANK = "\u2800\u3164\uffa0"
"""Characters that are no white space by Unicode, though all that a reader sees of them is room."""

_UNSEEN = re.compile(rf"\A[\s{BLANK}{INVISIBLE}]*")


def trim(text: str) -> str:
    """Return the text without white space and invisible characters at both ends."""
    return _UNSEEN.sub("", _UNSEEN.sub("", text)[::-1])[::-1]
