"""Words of customers as Slack's mrkdwn, so that they are shown and never obeyed.

Slack's own three characters become entities; what would format or link gets a zero-width space, since Slack knows no
escape for it. Lengths are those of the result, as Slack counts them.
"""

from urllib.parse import quote

_GAP = "\u200b"
_INERT = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "`": "'",
    "*": f"*{_GAP}",
    "_": f"_{_GAP}",
    "~": f"~{_GAP}",
    ":": f":{_GAP}",
    "@": f"@{_GAP}",
    "#": f"#{_GAP}",
}
_LITERAL = {char: _INERT[char] for char in "&<>`"}
# What joins characters or turns their direction could hide or reorder the words around it.
_UNSEEN = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF])


def escape_mrkdwn(text: str, most: int) -> str:
    """Return a customer's words on one line, at most so many characters of mrkdwn; what is cut off ends in …."""
    return _pieces(text, most, _INERT)


def literal(text: str, most: int) -> str:
    """Return something that people copy, like an email: only what Slack would read as markup of its own is changed."""
    return _pieces(text, most, _LITERAL)


def link(url: str, words: str) -> str:
    """Return a link on words of our own; an address that is none of http is left out."""
    if not url.startswith(("https://", "http://")):
        return ""
    return f"<{quote(url, safe=':/?#=%_-.~')}|{words}>"


def _pieces(text: str, most: int, replaced: dict[str, str]) -> str:
    pieces: list[str] = []
    size = 0
    for char in " ".join(text.translate(_UNSEEN).split()):
        piece = replaced.get(char, char)
        if size + len(piece) > most - 1:
            return "".join(pieces).rstrip() + "…"
        pieces.append(piece)
        size += len(piece)
    return "".join(pieces)
