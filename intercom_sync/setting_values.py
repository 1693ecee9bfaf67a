"""Parsers of the values of settings. A `ValueError` of a parser says what is right and never repeats the value.

Which settings there are is in `settings`.
"""

import json
import re
import unicodedata
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from intercom_sync.domain.rules import AttributeNames, attribute_fields

_FIRST_START = datetime(2011, 1, 1, tzinfo=UTC)
"""Intercom was founded in that year; each day before would only add four windows to every list."""
_MAX_PHRASE_LENGTH = 200


def parse_token(text: str) -> str:
    """Accept a secret that is sent in a header."""
    if not _printable(text).isascii():
        raise ValueError("the token as it was issued, which has none but ASCII characters")
    return text


def parse_url(text: str) -> str:
    """Return an HTTP address without the slash at its end."""
    if text and not _is_address(_printable(text)):
        raise ValueError("an address such as https://api.intercom.io, without spaces, a user, a password or a query")
    return text.rstrip("/")


def parse_database_url(text: str) -> str:
    """Accept an address of PostgreSQL."""
    is_postgres = re.match(r"postgres(ql)?(\+\w+)?://", text) and text.isprintable() and _is_parsable(text)
    if text and not is_postgres:
        raise ValueError(
            "a PostgreSQL address such as postgresql://user:password@host/database, with special characters of the "
            "password as %40 and the like"
        )
    return text


def parse_schema(text: str) -> str:
    """Accept the name of a schema that PostgreSQL does not reserve."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", text):
        raise ValueError("a plain schema name")
    if text.lower().startswith("pg_") or text.lower() == "information_schema":
        raise ValueError("a schema of your own; PostgreSQL keeps pg_… and information_schema for itself")
    return text


def parse_channel(text: str) -> str:
    """Accept the name or the id of a Slack channel."""
    if text and not re.fullmatch(r"#?[^\s#@,<>]{1,80}", _printable(text)):
        raise ValueError("one channel, by its name or id, without spaces")
    return text


def parse_folder(text: str) -> Path:
    """Return the absolute path of a folder; whether it is usable shows when it is used."""
    try:
        return Path(_printable(text)).expanduser().absolute()
    except RuntimeError:
        raise ValueError("a folder; there is no user of that name") from None


def parse_start(text: str) -> datetime:
    """Return the beginning of a day in UTC, not later than today."""
    right = f"a date from {_FIRST_START:%Y-%m-%d} to today, such as 2026-01-01"
    try:
        start = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(right) from None
    if not _FIRST_START <= start <= datetime.now(UTC):
        raise ValueError(right)
    return start


def parse_phrases(text: str) -> tuple[str, ...]:
    """Return phrases to search for, at least one; none so short that it is found everywhere."""
    phrases = _items(text)
    if not phrases or not all(map(_is_phrase, phrases)):
        raise ValueError(
            f"one or more phrases separated by commas, each of 2 to {_MAX_PHRASE_LENGTH} characters that are not "
            "punctuation alone"
        )
    return phrases


def parse_words(text: str) -> tuple[str, ...]:
    """Return words of lower-case letters and underscores, at least one."""
    words = _items(text)
    if not words or not all(re.fullmatch(r"[a-z_]+", word) for word in words):
        raise ValueError("one or more words of small letters and underscores, separated by commas")
    return words


def parse_attribute_names(text: str) -> AttributeNames:
    """Return the names of the Stripe attributes from a JSON object that has those that differ."""
    keys = attribute_fields()
    right = f"a JSON object of names, each key once, with keys among {', '.join(keys)}"
    try:
        pairs = json.loads(_printable(text, several_lines=True), object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        raise ValueError(right) from None
    if not isinstance(pairs, tuple) or not all(_is_name(value) for _, value in pairs):
        raise ValueError(right)
    given = dict(pairs)
    if len(given) < len(pairs) or not set(given) <= set(keys):
        raise ValueError(right)
    names = AttributeNames(**given)
    if len(set(vars(names).values())) < len(keys):
        raise ValueError("a JSON object that gives each attribute a name of its own, those left out included")
    return names


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, so that no traffic to it leaves the machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _printable(text: str, *, several_lines: bool = False) -> str:
    allowed = "\r\n\t" if several_lines else ""
    if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} and char not in allowed for char in text):
        raise ValueError("one line without control characters")
    return text


def _items(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in _printable(text, several_lines=True).split(",") if one.strip())


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _is_parsable(address: str) -> bool:
    """Whether `urlsplit` can parse an address; the errors of other parsers would repeat it."""
    try:
        return urlsplit(address).port != 0
    except ValueError:
        return False


def _is_address(value: str) -> bool:
    if not _is_parsable(value) or re.search(r"[\s?#\\]", value):
        return False
    parts = urlsplit(value)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc


def _is_phrase(text: str) -> bool:
    """Whether a phrase is more than one letter or punctuation; one character is a word in Chinese and the like."""
    long_enough = len(text) >= 2 or unicodedata.east_asian_width(text) in "WF"
    return long_enough and len(text) <= _MAX_PHRASE_LENGTH and any(char.isalnum() for char in text)
