"""Tags of HTML and their attributes, found in linear time whatever the text.

Every pass moves forward only, and what never closes is not looked for again. What a tag means for the reader belongs in
`text`.
"""

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
# Their content is no markup, and nobody sees it.
_RAW = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("iframe", "noembed", "noframes", "script", "style", "title")
}
_OPENING = re.compile(r"<(?:(?P<comment>!--)|(?P<other>[!?]|/(?![a-zA-Z]))|(?P<name>/?[a-zA-Z][^\s/>]{0,30}))")
# A tag ends at the first > outside of a quoted attribute value; possessive, so that a failure is found in one pass.
_TAG_REST = re.compile(r"(?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')?+)*+>")
_COMMENT_END = re.compile("--!?>")
# A name always matches where one starts, so no character is looked at from more than one start.
_ATTRIBUTE = re.compile(r"([^\s\"'>/=]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>]++)))?+")


class Markup(NamedTuple):
    """A tag, comment or declaration.

    Attributes:
        start: where it starts in the HTML.
        end: where it ends; a script's or style's content belongs to its tag.
        name: lower-case, with a leading / where it closes; "" for comments and declarations.
        rest: what follows the name in an opening tag.
    """

    start: int
    end: int
    name: str
    rest: str


def markup(html: str) -> Iterator[Markup]:
    """Yield the tags, comments and declarations in order; a tag that never closes is none."""
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
    """Return a tag's attributes in lower case; of one that comes twice, the first."""
    found: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(rest.lower()):
        found.setdefault(name, next(filter(None, values), ""))
    return found


def _end(html: str, opening: re.Match[str], quotes_close: bool) -> int:
    """Return where the markup ends, or -1 where it never does."""
    if opening["comment"]:
        closing = _COMMENT_END.search(html, opening.end() - 2)
        return closing.end() if closing else len(html)
    if opening["name"] and quotes_close:
        rest = _TAG_REST.match(html, opening.end())
        return rest.end() if rest else -1
    return html.find(">", opening.end()) + 1 or -1
