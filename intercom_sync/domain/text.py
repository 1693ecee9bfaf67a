"""What a person sees of a message's HTML, as one line of plain text.

Reads hostile markup in linear time: every pass moves forward only, and what never closes is not looked for again. Which
words matter in the text belongs in `cancel`.
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

from intercom_sync.domain.records import clean_text

_BLOCK_NAMES = """
    address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe legend li main menu nav ol optgroup option p pre
    script search section style summary table tbody td tfoot th thead title tr ul
"""
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_UNSEEN = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in ("script", "style", "title")}
_OPENING = re.compile(r"<(?:(?P<comment>!--)|(?P<other>[!?]|/(?![a-zA-Z]))|(?P<name>/?[a-zA-Z][^\s/>]{0,30}))")
# A tag ends at the first > outside of a quoted attribute value; possessive, so that a failure is found in one pass.
_TAG_REST = re.compile(r"(?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')?+)*+>")
_COMMENT_END = re.compile("--!?>")
_APOSTROPHES = re.compile("[\u2019\u2018\u02bc\uff07`\u00b4\u2032]")
# Soft hyphens, zero-width and direction marks: nobody sees them, and they would cut a word in two.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
# `unescape` would turn the digits into an int, which is slow or refused where there are thousands.
_LONG_REFERENCE = re.compile("&#([0-9]{8,})")


class _Markup(NamedTuple):
    start: int
    end: int
    name: str  # lower-case, with a leading / where it closes; "" for comments and declarations


def visible_text(html: str) -> str:
    """Return the text that a reader of the message sees, on one line.

    Tags are gone, block tags being breaks and inline tags nothing; entities are decoded; blockquotes (what an email
    quotes), scripts, styles and comments are left out, to the end where they never close. Any white space is one space,
    every form of apostrophe is ', and invisible marks inside words are gone. A tag that never closes is text, since it
    may be a customer's plain <.
    """
    return fold("".join(_pieces(clean_text(html))))


def fold(text: str) -> str:
    """Return plain text with one kind of apostrophe and of space, as texts and words are compared."""
    text = _APOSTROPHES.sub("'", text)
    if not text.isascii():
        text = _INVISIBLE.sub("", text)
    return " ".join(text.split())


def _pieces(html: str) -> Iterator[str]:
    """Yield what is seen between the markup, and a space for each break."""
    at = quoted = 0
    for markup in _markup(html):
        if not quoted:
            yield _decoded(html[at : markup.start])
        at, name = markup.end, markup.name
        if name == "blockquote" and html[at - 2] != "/":
            quoted += 1
        elif name == "/blockquote" and quoted:
            quoted -= 1
        if name.removeprefix("/") in _BLOCKS:
            yield " "
    if not quoted:
        yield _decoded(html[at:])


def _decoded(text: str) -> str:
    if "&" not in text:
        return text
    return unescape(_LONG_REFERENCE.sub(lambda found: f"&#{found[1].lstrip('0')[:8] or '0'}", text))


def _markup(html: str) -> Iterator[_Markup]:
    """Yield tags, comments and declarations; a script's or style's content belongs to its tag."""
    at, quotes_close = 0, True
    while opening := _OPENING.search(html, at):
        name = (opening["name"] or "").lower()
        at = _end(html, opening, quotes_close)
        if at < 0 and name and quotes_close:
            quotes_close = False
            at = _end(html, opening, quotes_close)
        if at < 0:
            return
        if name in _UNSEEN:
            closing = _UNSEEN[name].search(html, at)
            at = closing.start() if closing else len(html)
        yield _Markup(opening.start(), at, name)


def _end(html: str, opening: re.Match[str], quotes_close: bool) -> int:
    """Return where the markup ends, or -1 where it never does."""
    if opening["comment"]:
        closing = _COMMENT_END.search(html, opening.end() - 2)
        return closing.end() if closing else len(html)
    if opening["name"] and quotes_close:
        rest = _TAG_REST.match(html, opening.end())
        return rest.end() if rest else -1
    return html.find(">", opening.end()) + 1 or -1
