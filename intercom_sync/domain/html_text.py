"""Convert a message's HTML to the visible text of its author, without quoted mail.

Runs in linear time on hostile markup too: each element is opened and closed at most once, and an end tag without an
open element costs nothing.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from html import unescape

from intercom_sync.domain.markup import BLOCKS, VOID, Markup, markup
from intercom_sync.domain.parsing import clean_text
from intercom_sync.domain.quoted_mail import QUOTE, Kind, kind_of, own_lines
from intercom_sync.domain.text_folding import without_invisible

# `unescape` converts the digits to an int, which is slow or an error for thousands of digits.
_LONG_REFERENCE = re.compile("&#([0-9]{8,})")
_LINE_END = re.compile("\r\n?")
_BREAK, _NEW_LINE = "\n", "\r"
_FRAME = frozenset({"html", "head", "body"})


def visible_text(html: str) -> str:
    """Return the author's own visible text on one line.

    Block tags become breaks, inline tags disappear, entities are decoded. Quoted mail, hidden elements, scripts, styles
    and comments are removed, up to the end of the text when they never close. White space becomes single spaces,
    apostrophes become ', and invisible characters are removed. An unterminated tag is text: it may be a plain <.
    """
    lines = (" ".join(line.split()) for line in _lines(clean_text(html)))
    return " ".join(own_lines([line for line in lines if line]))


@dataclass(slots=True)
class _Element:
    """Represent an open element.

    Attributes:
        name: name of its tag.
        kind: its effect on the text in it.
        is_answered: whether its quoted content has ended, so that the rest of it is the author's text.
    """

    name: str
    kind: Kind | None
    is_answered: bool = False


class _Reader:
    """Collect the text of a document; `hidden_depth` counts the open elements whose text is left out."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.has_blocks = False
        self.hidden_depth = 0
        self._open: list[_Element] = []
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._excluded: list[_Element] = []
        self._preformatted = 0

    def text(self, text: str) -> None:
        if self.hidden_depth or not text:
            return
        text = _LINE_END.sub("\n", _decoded(text))
        self.pieces.append(text if self._preformatted else text.replace("\n", _NEW_LINE))

    def tag(self, tag: Markup) -> bool:
        """Open or close an element; return False when everything after it is quoted."""
        name = tag.name.removeprefix("/")
        if name in BLOCKS:
            self.pieces.append(_BREAK)
            self.has_blocks = self.has_blocks or name not in _FRAME
        if name != tag.name:
            if self._counts[name]:
                self._close(name)
            return True
        kind = kind_of(name, tag.rest)
        if kind is Kind.REST_QUOTED and not self.hidden_depth:
            return False
        if name not in VOID and not tag.rest.endswith("/"):
            self._enter(name, kind)
        return True

    def _enter(self, name: str, kind: Kind | None) -> None:
        if name in BLOCKS and self._counts["p"]:
            self._close("p")  # a paragraph ends where another block starts
        # Other inline elements have no effect, so they are not tracked.
        if not (kind or name in BLOCKS or self._counts[name]):
            return
        element = _Element(name, kind)
        self._open.append(element)
        self._counts[name] += 1
        if kind is Kind.PREFORMATTED:
            self._preformatted += 1
        elif kind and kind is not Kind.REST_QUOTED:
            if kind is not Kind.HIDDEN and not self.hidden_depth:
                self.pieces.append(f"{_BREAK}{QUOTE}{_BREAK}")
            self._excluded.append(element)
            self.hidden_depth += 1

    def _close(self, name: str) -> None:
        """Close the innermost open element of this name, and every element still open in it."""
        closed = ""
        while closed != name:
            element = self._open.pop()
            closed = element.name
            self._counts[closed] -= 1
            if element.kind is Kind.PREFORMATTED:
                self._preformatted -= 1
            elif element.kind and element.kind is not Kind.REST_QUOTED:
                self._leave(element)

    def _leave(self, element: _Element) -> None:
        self._excluded.pop()
        self.hidden_depth -= not element.is_answered
        parent = self._excluded[-1] if self._excluded else None
        if parent and not parent.is_answered and _is_quote_of(element, parent):
            parent.is_answered = True
            self.hidden_depth -= 1


def _is_quote_of(element: _Element, parent: _Element) -> bool:
    """Return whether an element is the whole quoted content of its parent."""
    if element.name == "blockquote":
        return parent.kind in (Kind.CONTAINER, Kind.OUTER_CONTAINER)
    return element.kind is Kind.CONTAINER and parent.kind is Kind.OUTER_CONTAINER


def _lines(html: str) -> list[str]:
    """Return the visible text, split at breaks; new lines count as breaks only in a text without block elements."""
    reader = _Reader()
    at, continues = 0, True
    for tag in markup(html):
        reader.text(html[at : tag.start])
        at, continues = tag.end, reader.tag(tag)
        if not continues:
            break
    if continues:
        reader.text(html[at:])
    text = without_invisible("".join(reader.pieces))
    return text.replace(_NEW_LINE, " " if reader.has_blocks else _BREAK).split(_BREAK)


def _decoded(text: str) -> str:
    if "&" not in text:
        return text
    return unescape(_LONG_REFERENCE.sub(lambda found: f"&#{found[1].lstrip('0')[:8] or '0'}", text))
