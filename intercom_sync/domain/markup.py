"""Scan HTML for tags and attributes in linear time, also on hostile text: every pass only moves forward."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_VOID_NAMES = "area base br col embed hr img input link meta param source track wbr"
VOID = frozenset(_VOID_NAMES.split())
_BLOCK_NAMES = """
    address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe legend li main menu nav ol optgroup option p pre
    script search section style summary table tbody td textarea tfoot th thead title tr ul
"""
BLOCKS = frozenset(_BLOCK_NAMES.split())
# Elements whose content is neither markup nor visible.
_RAW = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("iframe", "noembed", "noframes", "script", "style", "title")
}
_OPENING = re.compile(r"<(?:(?P<comment>!--)|(?P<other>[!?]|/(?![a-zA-Z]))|(?P<name>/?[a-zA-Z][^\s/>]{0,30}))")
# A tag ends at the first > outside of a quoted attribute value. Possessive, so that a mismatch takes one pass.
_TAG_REST = re.compile(r"(?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')?+)*+>")
_COMMENT_END = re.compile("--!?>")
# Each name starts where the last match ended, so no character is scanned twice.
_ATTRIBUTE = re.compile(r"([^\s\"'>/=]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>]++)))?+")


class Markup(NamedTuple):
    """Represent a tag, comment or declaration.

    Attributes:
        start: its start in the HTML.
        end: its end; the content of a script or style belongs to its tag.
        name: lower-case, with a leading / for end tags; "" for comments and declarations.
        rest: the text after the name in a start tag.
    """

    start: int
    end: int
    name: str
    rest: str


def markup(html: str) -> Iterator[Markup]:
    """Yield the tags, comments and declarations in order; an unterminated tag is text."""
    at, quotes_close = 0, True
    while opening := _OPENING.search(html, at):
        name = (opening["name"] or "").lower()
        at = _end(html, opening, quotes_close)
        if at < 0 and name and quotes_close:
            quotes_close = False
            at = _end(html, opening, quotes_close)
        if at < 0:
            return
        rest = html[opening.end() : at - 1] if name and name[0] != "/" else ""
        if name in _RAW:
            closing = _RAW[name].search(html, at)
            at = closing.start() if closing else len(html)
        yield Markup(opening.start(), at, name, rest)


def attributes(rest: str) -> dict[str, str]:
    """Return a tag's attributes in lower case; the first one wins when a name occurs twice."""
    found: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(rest.lower()):
        found.setdefault(name, next(filter(None, values), ""))
    return found


def _end(html: str, opening: re.Match[str], quotes_close: bool) -> int:
    """Return the end of the markup, or -1 when it is unterminated."""
    if opening["comment"]:
        closing = _COMMENT_END.search(html, opening.end() - 2)
        return closing.end() if closing else len(html)
    if opening["name"] and quotes_close:
        rest = _TAG_REST.match(html, opening.end())
        return rest.end() if rest else -1
    return html.find(">", opening.end()) + 1 or -1
