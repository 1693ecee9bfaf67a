"""Detect quoted mail by the elements that mail programs put around it, and by its lines.

The customer's own text above, between and below quotes is kept.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto

from intercom_sync.domain.markup import attributes

QUOTE = "\0"
"""A line that represents a quoted element. It cannot occur in a text, because NUL is removed before."""


class Kind(Enum):
    """Name the effect of an element on the text in it."""

    QUOTED = auto()
    # Gmail's block around attribution and blockquote: people reply below the blockquote, inside the block.
    CONTAINER = auto()
    # Old Gmail's block around that block.
    OUTER_CONTAINER = auto()
    REST_QUOTED = auto()  # quotes everything after it: Outlook only marks the start of the quoted mail
    HIDDEN = auto()
    PREFORMATTED = auto()


_BY_MARK = {
    "gmail_quote": Kind.CONTAINER,
    "gmail_quote_container": Kind.CONTAINER,
    "gmail_extra": Kind.OUTER_CONTAINER,
    "gmail_attr": Kind.QUOTED,
    "moz-cite-prefix": Kind.QUOTED,
    "moz-forward-container": Kind.QUOTED,
    "protonmail_quote": Kind.QUOTED,
    "zmail_extra": Kind.QUOTED,
    "mail-editor-reference-message-container": Kind.QUOTED,
    "messagereplysection": Kind.QUOTED,
    "divrplyfwdmsg": Kind.REST_QUOTED,
    "appendonsend": Kind.REST_QUOTED,
    "stopspelling": Kind.REST_QUOTED,
    "outlookmessageheader": Kind.REST_QUOTED,
}
_YAHOO = "yahoo_quoted"  # part of a longer generated name
_OUTLOOK_HEADERS = ("border-top:solid#e1e1e1", "border-top:solid#b5c4df")
_BY_NAME = {
    "blockquote": Kind.QUOTED,
    "template": Kind.HIDDEN,
    "pre": Kind.PREFORMATTED,
    "textarea": Kind.PREFORMATTED,
}
_SIGNIFICANT = re.compile("|".join((*_BY_MARK, _YAHOO, "hidden", "none", "mso-hide", "border-top", "white-space")))


def kind_of(name: str, attributes_text: str) -> Kind | None:
    """Classify an element by its name and the text of its attributes; None for an ordinary one."""
    kind = _BY_NAME.get(name)
    if kind is Kind.QUOTED or not _SIGNIFICANT.search(attributes_text.lower()):
        return kind
    return _by_attributes(attributes(attributes_text)) or kind


def _by_attributes(attrs: Mapping[str, str]) -> Kind | None:
    marks = f"{attrs.get('class', '')} {attrs.get('id', '')} {attrs.get('name', '')}"
    # Outlook prefixes the marks with x_ in quoted mail.
    found = {_BY_MARK.get(mark.removeprefix("x_")) for mark in marks.split()}
    for kind in (Kind.REST_QUOTED, Kind.QUOTED, Kind.OUTER_CONTAINER, Kind.CONTAINER):
        if kind in found:
            return kind
    return Kind.QUOTED if _YAHOO in marks else _by_style(attrs)


def _by_style(attrs: Mapping[str, str]) -> Kind | None:
    style = "".join(attrs.get("style", "").split())
    if any(header in style for header in _OUTLOOK_HEADERS):
        return Kind.REST_QUOTED
    if "hidden" in attrs or "display:none" in style or "mso-hide:all" in style:
        return Kind.HIDDEN
    return Kind.PREFORMATTED if "white-space:pre" in style else None


_MAX_LINES = 3  # lines of a wrapped attribution
_MAX_CHARACTERS = 400
_ATTRIBUTIONS = re.compile(
    r"on\b.*\bwrote ?:|(?=.*\d)(?:am\b.*\bschrieb\b(?! ich\b).*|le\b.*\ba écrit ?|el\b.*\bescribió ?"
    r"|il\b.*\bha scritto ?|em\b.*\bescreveu ?|op\b.*\bschreef\b.*):",
    re.IGNORECASE,
)
# In any other language: a time of day, and an address in angle brackets at the end.
_TIME = re.compile(r"\d\d?[:.h]\d\d")
_ADDRESS_AT_END = re.compile(r"<[^<>]*@[^<>]*>[^<>]{0,20}[:：]$")
_SEPARATORS = re.compile(
    r"[-_]{2,} ?(?:original message|forwarded message|ursprüngliche nachricht|originalnachricht"
    r"|weitergeleitete nachricht|message d'origine|message original|message transféré|mensaje original"
    r"|mensaje reenviado|messaggio originale|oorspronkelijk bericht|mensagem original) ?[-_]{2,}"
    r"|begin forwarded message:",
    re.IGNORECASE,
)
_HEADER_LINES = 8
_HEADERS = {
    "from": "from|von|de|da|van",
    "sent": "sent|gesendet|envoyé|enviado|enviado el|enviada|enviada em|inviato|verzonden",
    "date": "date|datum|fecha|data",
    "to": "to|an|à|para|a|aan",
    "subject": "subject|betreff|objet|asunto|assunto|oggetto|onderwerp",
}
_HEADER = re.compile(
    rf"(?:^|(?<=\s))\*{{0,2}}(?:{'|'.join(f'(?P<{name}>{labels})' for name, labels in _HEADERS.items())})\*{{0,2}} ?:",
    re.IGNORECASE,
)


def own_lines(lines: list[str]) -> list[str]:
    """Return the author's own lines.

    Lines that start with > are quoted, and so is everything after an attribution ("On … wrote:"), a header block or a
    separator. When quoted lines or a quoted element follow one of these, the quote ends after them instead.

    Args:
        lines: trimmed lines, none of them empty.
    """
    own: list[str] = []
    at = 0
    while at < len(lines):
        introduction = 0 if _is_quoted(lines[at]) else _introduction_length(lines, at)
        if introduction and not _is_quoted(*lines[at + introduction : at + introduction + 1]):
            break
        if not introduction and not _is_quoted(lines[at]):
            own.append(lines[at])
        at += introduction or 1
    return own


def _is_quoted(line: str = QUOTE) -> bool:
    return line.startswith((">", "＞", QUOTE))


def _introduction_length(lines: list[str], at: int) -> int:
    """Return how many lines at this position introduce a quote; 0 when none does."""
    if _SEPARATORS.fullmatch(lines[at][:_MAX_CHARACTERS]):
        return 1
    return _attribution_length(lines, at) or _header_block_length(lines, at)


def _attribution_length(lines: list[str], at: int) -> int:
    joined = ""
    for number, line in enumerate(lines[at : at + _MAX_LINES], 1):
        joined = f"{joined} {line[:_MAX_CHARACTERS]}".strip()
        if _is_quoted(line) or len(joined) >= _MAX_CHARACTERS:
            return 0
        if joined[-1] not in ":：":
            continue
        if _ATTRIBUTIONS.fullmatch(joined) and (number == 1 or any(map(str.isdigit, joined))):
            return number
        if _ADDRESS_AT_END.search(joined) and _TIME.search(lines[at][:_MAX_CHARACTERS]):
            return number
    return 0


def _header_block_length(lines: list[str], at: int) -> int:
    """Return the number of lines of a header block at this position: sender, date, and recipient or subject."""
    if not _HEADER.match(lines[at][:_MAX_CHARACTERS]):
        return 0
    found: set[str] = set()
    length = 0
    for number, line in enumerate(lines[at : at + _HEADER_LINES], 1):
        labels = {label.lastgroup or "" for label in _HEADER.finditer(line[:_MAX_CHARACTERS])}
        found |= labels
        length = number if labels else length
    is_block = {"from", "sent"} < found and found & {"to", "subject"}
    return length if is_block or {"from", "date", "to", "subject"} <= found else 0
