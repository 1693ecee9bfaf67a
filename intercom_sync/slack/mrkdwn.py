"""Escape text for Slack's mrkdwn, so that customer text is shown and never interpreted.

Slack's three reserved characters become entities. Formatting and link characters get a zero-width space, because Slack
has no escape for them. Length limits apply to the escaped text, as in Slack.
"""

from urllib.parse import quote

_ZERO_WIDTH_SPACE = "\u200b"
_ESCAPES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "`": "'",
    "*": f"*{_ZERO_WIDTH_SPACE}",
    "_": f"_{_ZERO_WIDTH_SPACE}",
    "~": f"~{_ZERO_WIDTH_SPACE}",
    ":": f":{_ZERO_WIDTH_SPACE}",
    "@": f"@{_ZERO_WIDTH_SPACE}",
    "#": f"#{_ZERO_WIDTH_SPACE}",
}
_LITERAL = {char: _ESCAPES[char] for char in "&<>`"}
# Joiners and direction marks could hide or reorder the text around them.
_REMOVED = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF])


def escape_mrkdwn(text: str, max_length: int) -> str:
    """Escape customer text to one line of at most `max_length` characters; a truncated text ends in …."""
    return _escape(text, max_length, _ESCAPES)


def literal(text: str, max_length: int) -> str:
    """Escape a text that people copy, such as an email: only Slack's reserved characters and backticks are changed."""
    return _escape(text, max_length, _LITERAL)


def link(url: str, label: str) -> str:
    """Return a link with a fixed label; "" for a URL that is not HTTP."""
    if not url.startswith(("https://", "http://")):
        return ""
    return f"<{quote(url, safe=':/?#=%_-.~')}|{label}>"


def _escape(text: str, max_length: int, escapes: dict[str, str]) -> str:
    pieces: list[str] = []
    size = 0
    for char in " ".join(text.translate(_REMOVED).split()):
        piece = escapes.get(char, char)
        if size + len(piece) > max_length - 1:
            return "".join(pieces).rstrip() + "…"
        pieces.append(piece)
        size += len(piece)
    return "".join(pieces)
