"""Plain text of messages for `display_as=plaintext`: HTML removed, links as `label (url)`.

Only the conversation endpoint uses this; the sync extracts visible text with different rules.
"""

from html.parser import HTMLParser
from typing import Any

_BLOCK_TAGS = frozenset(
    ("p", "br", "div", "li", "ul", "ol", "blockquote", "h1", "h2", "h3", "h4", "pre", "table", "tr")
)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.chunks: list[str] = []
        self._links: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._links.append(dict(attrs).get("href"))
        elif tag in _BLOCK_TAGS:
            self.chunks.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._links and (link := self._links.pop()):
            self.chunks.append(f" ({link})")
        elif tag in _BLOCK_TAGS:
            self.chunks.append("\n")

    def handle_data(self, data: str) -> None:
        self.chunks.append(data)


def plaintext(html: Any) -> Any:
    """Return the visible text of an HTML body; other types are returned unchanged."""
    if not isinstance(html, str):
        return html
    parser = _Text()
    parser.feed(html)
    parser.close()
    lines = (line.strip() for line in "".join(parser.chunks).split("\n"))
    return "\n".join(line for line in lines if line)


def as_plaintext(conversation: dict[str, Any]) -> dict[str, Any]:
    """Convert the subject and the message bodies of a conversation to text."""
    source = conversation.get("source")
    if isinstance(source, dict):
        conversation["source"] = {
            **source,
            **{name: plaintext(source[name]) for name in ("subject", "body") if name in source},
        }
    parts = conversation.get("conversation_parts")
    items = parts.get("conversation_parts") if isinstance(parts, dict) else None
    for each in items if isinstance(items, list) else []:
        if isinstance(each, dict) and "body" in each:
            each["body"] = plaintext(each["body"])
    return conversation
