"""What `display_as=plaintext` makes of a message: its text without HTML, links as `label (url)`.

Only for the conversation endpoint; the sync has its own idea of visible text and does not use this one.
"""

from html.parser import HTMLParser
from typing import Any

_BREAKS = frozenset(("p", "br", "div", "li", "ul", "ol", "blockquote", "h1", "h2", "h3", "h4", "pre", "table", "tr"))


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._links: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._links.append(dict(attrs).get("href"))
        elif tag in _BREAKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._links and (link := self._links.pop()):
            self.pieces.append(f" ({link})")
        elif tag in _BREAKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)


def plaintext(html: Any) -> Any:
    """The visible text of an HTML body; what is no string is left alone."""
    if not isinstance(html, str):
        return html
    parser = _Text()
    parser.feed(html)
    parser.close()
    lines = (line.strip() for line in "".join(parser.pieces).split("\n"))
    return "\n".join(line for line in lines if line)


def as_plaintext(conversation: dict[str, Any]) -> dict[str, Any]:
    """The conversation with the bodies of its messages, and its subject, as text."""
    source = conversation.get("source")
    if isinstance(source, dict):
        conversation["source"] = {
            **source,
            **{name: plaintext(source[name]) for name in ("subject", "body") if name in source},
        }
    parts = conversation.get("conversation_parts")
    listed = parts.get("conversation_parts") if isinstance(parts, dict) else None
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and "body" in each:
            each["body"] = plaintext(each["body"])
    return conversation
