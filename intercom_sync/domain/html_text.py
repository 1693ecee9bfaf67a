"""What a person reads of a message's HTML as its author's own words, as one line of plain text.

Reads hostile markup in linear time: each element is opened and closed at most once, and tags that close nothing cost
nothing. Which words matter in the text belongs in `cancel`.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from html import unescape

from intercom_sync.domain.markup import BLOCKS, VOID, Markup, markup
from intercom_sync.domain.parsing import clean_text
from intercom_sync.domain.quoted_mail import QUOTE, Kind, kind_of, own_lines
from intercom_sync.domain.text_folding import without_invisible

# `unescape` would turn the digits into an int, which is slow or refused where there are thousands.
_LONG_REFERENCE = re.compile("&#([0-9]{8,})")
_LINE_END = re.compile("\r\n?")
_BREAK, _NEW_LINE = "\n", "\r"
_FRAME = frozenset({"html", "head", "body"})


def visible_text(html: str) -> str:
    """Return what a reader of the message sees of its author's own words, on one line.

    Tags are gone, block tags being breaks and inline tags nothing; entities are decoded; quoted mail, what is hidden,
    scripts, styles and comments are left out, to the end where they never close. Any white space is one space, every
    form of apostrophe is ', and invisible characters are gone. A tag that never closes is text, since it may be a
    customer's plain <.
    """
    lines = (" ".join(line.split()) for line in _lines(clean_text(html)))
    return " ".join(own_lines([line for line in lines if line]))


@dataclass(slots=True)
class _Element:
    """An element that is open.

    Attributes:
        name: of its tag.
        kind: what it means for the text in it.
        is_answered: what it quotes has ended; what follows in it is the author's own.
    """

    name: str
    kind: Kind | None
    is_answered: bool = False


class _Reader:
    """Collects the text of a document; `silent` counts the open elements whose text is left out."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.has_blocks = False
        self.silent = 0
        self._open: list[_Element] = []
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._left_out: list[_Element] = []
        self._preformatted = 0

    def text(self, text: str) -> None:
        if self.silent or not text:
            return
        text = _LINE_END.sub("\n", _decoded(text))
        self.pieces.append(text if self._preformatted else text.replace("\n", _NEW_LINE))

    def tag(self, tag: Markup) -> bool:
        """Open or close an element; return False where everything that follows is quoted."""
        name = tag.name.removeprefix("/")
        if name in BLOCKS:
            self.pieces.append(_BREAK)
            self.has_blocks = self.has_blocks or name not in _FRAME
        if name != tag.name:
            if self._counts[name]:
                self._close(name)
            return True
        kind = kind_of(name, tag.rest)
        if kind is Kind.REST_QUOTED and not self.silent:
            return False
        if name not in VOID and not tag.rest.endswith("/"):
            self._enter(name, kind)
        return True

    def _enter(self, name: str, kind: Kind | None) -> None:
        if name in BLOCKS and self._counts["p"]:
            self._close("p")  # a paragraph ends where another block starts
        # Other inline elements need not be known: nothing follows from them.
        if not (kind or name in BLOCKS or self._counts[name]):
            return
        element = _Element(name, kind)
        self._open.append(element)
        self._counts[name] += 1
        if kind is Kind.PREFORMATTED:
            self._preformatted += 1
        elif kind and kind is not Kind.REST_QUOTED:
            if kind is not Kind.HIDDEN and not self.silent:
                self.pieces.append(f"{_BREAK}{QUOTE}{_BREAK}")
            self._left_out.append(element)
            self.silent += 1

    def _close(self, name: str) -> None:
        """Close the innermost element of the name, which is open, and what was left open in it."""
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
        self._left_out.pop()
        self.silent -= not element.is_answered
        around = self._left_out[-1] if self._left_out else None
        if around and not around.is_answered and _is_quote_of(element, around):
            around.is_answered = True
            self.silent -= 1


def _is_quote_of(element: _Element, around: _Element) -> bool:
    """Whether an element is all that the one around it quotes."""
    if element.name == "blockquote":
        return around.kind in (Kind.CONTAINER, Kind.OUTER_CONTAINER)
    return element.kind is Kind.CONTAINER and around.kind is Kind.OUTER_CONTAINER


def _lines(html: str) -> list[str]:
    """Return what is seen, cut at breaks; at new lines only where they are shown as such."""
    reader = _Reader()
    at, goes_on = 0, True
    for tag in markup(html):
        reader.text(html[at : tag.start])
        at, goes_on = tag.end, reader.tag(tag)
        if not goes_on:
            break
    if goes_on:
        reader.text(html[at:])
    text = without_invisible("".join(reader.pieces))
    return text.replace(_NEW_LINE, " " if reader.has_blocks else _BREAK).split(_BREAK)


def _decoded(text: str) -> str:
    if "&" not in text:
        return text
    return unescape(_LONG_REFERENCE.sub(lambda found: f"&#{found[1].lstrip('0')[:8] or '0'}", text))
