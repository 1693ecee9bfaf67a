"""Read the value of a setting, and refuse a wrong one by name with what is right; wrong values are not repeated.

Which settings there are and what is right for each is in `settings`.
"""

import json
import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values

from intercom_sync.domain.errors import FatalError

_MAX_PHRASE_LENGTH = 200


class SettingsError(FatalError):
    """A setting is missing or wrong; the message names it and says what is right."""


def environment() -> dict[str, str]:
    """Return the environment over what the `.env` file of the working directory says.

    Raises:
        SettingsError: the file is there and cannot be read as text.
    """
    try:
        # Editors on Windows begin a file with a byte-order mark, which would be part of the first name.
        file = dotenv_values(Path.cwd() / ".env", encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"The file .env in {Path.cwd()} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise SettingsError(f"The file .env in {Path.cwd()} is not UTF-8 text: save it as UTF-8.") from None
    return {name: value or "" for name, value in file.items()} | dict(os.environ)


class Reader:
    """Reads values by name.

    Args:
        values: the environment.
        defaults: the value of each setting that is not given.
    """

    def __init__(self, values: Mapping[str, str], defaults: Mapping[str, str]) -> None:
        self._values = values
        self._defaults = defaults

    def given(self, name: str) -> str:
        """Return what the environment says, also of a name that is no setting of ours; empty where it is not set."""
        return (self._values.get(name) or "").strip()

    def text(self, name: str, *, lines: bool = False) -> str:
        """Return a value; of several lines only where that is said."""
        value = self.given(name) or self._defaults[name]
        allowed = "\r\n\t" if lines else ""
        if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} and char not in allowed for char in value):
            raise wrong(name, "one line without control characters")
        return value

    def token(self, name: str) -> str:
        """Return a secret that travels in a header."""
        value = self.text(name)
        if not value.isascii():
            raise wrong(name, "the token as it was issued, which has none but ASCII characters")
        return value

    def matching(self, name: str, pattern: str, right: str) -> str:
        """Return a value of a form."""
        value = self.text(name)
        if not re.fullmatch(pattern, value):
            raise wrong(name, right)
        return value

    def choice(self, name: str, choices: Mapping[str, object] | tuple[str, ...]) -> str:
        """Return one of some words, in any case."""
        value = self.text(name).lower()
        if value not in choices:
            raise wrong(name, f"one of {', '.join(choices)}")
        return value

    def url(self, name: str) -> str:
        """Return an address of HTTP, without the slash at its end."""
        value = self.text(name)
        if value and not _is_address(value):
            raise wrong(
                name, "an address such as https://api.intercom.io, without spaces, a user, a password or a query"
            )
        return value.rstrip("/")

    def folder(self, name: str) -> Path:
        """Return a folder's absolute path; whether it can be used shows when it is."""
        try:
            return Path(self.text(name)).expanduser().absolute()
        except RuntimeError:
            raise wrong(name, "a folder; there is no user of that name") from None

    def whole(self, name: str, least: int, most: int) -> int:
        """Return a whole number."""
        return int(self._number(name, int, least, most, f"a whole number from {least:,} to {most:,}"))

    def amount(self, name: str, most: int) -> Decimal:
        """Return a number with at most six decimals."""
        right = f"a number from 0 to {most:,} with at most 6 decimals"
        value = Decimal(self._number(name, Decimal, 0, most, right))
        if value != round(value, 6):
            raise wrong(name, right)
        return value

    def _number(self, name: str, kind: Callable[[str], Any], least: int, most: int, right: str) -> Any:
        try:
            value = kind(self.text(name))
            # NaN cannot be compared.
            is_right = least <= value <= most
        except (ValueError, InvalidOperation):
            raise wrong(name, right) from None
        if not is_right:
            raise wrong(name, right)
        return value

    def date(self, name: str, first: datetime) -> datetime:
        """Return the begin of a day in UTC, from a first one to the present one."""
        right = f"a date from {first:%Y-%m-%d} to today, such as 2026-01-01"
        try:
            value = datetime.strptime(self.text(name), "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise wrong(name, right) from None
        if not first <= value <= datetime.now(UTC):
            raise wrong(name, right)
        return value

    def phrases(self, name: str) -> tuple[str, ...]:
        """Return phrases to search for, at least one; each says enough not to be found everywhere."""
        found = self._list(name)
        if not found or not all(_is_phrase(one) for one in found):
            raise wrong(
                name,
                f"one or more phrases separated by commas, each of 2 to {_MAX_PHRASE_LENGTH} characters that are not "
                "punctuation alone",
            )
        return found

    def words(self, name: str) -> tuple[str, ...]:
        """Return words of small letters and underscores, at least one."""
        found = self._list(name)
        if not found or not all(re.fullmatch(r"[a-z_]+", word) for word in found):
            raise wrong(name, "one or more words of small letters and underscores, separated by commas")
        return found

    def _list(self, name: str) -> tuple[str, ...]:
        return tuple(one.strip() for one in self.text(name, lines=True).split(",") if one.strip())

    def names(self, name: str, keys: tuple[str, ...]) -> dict[str, str]:
        """Return a JSON object that gives names to some keys, each key once."""
        right = f"a JSON object of names, each key once, with keys among {', '.join(keys)}"
        try:
            pairs = json.loads(self.text(name, lines=True), object_pairs_hook=tuple)
        except (ValueError, RecursionError):
            raise wrong(name, right) from None
        if not isinstance(pairs, tuple):
            raise wrong(name, right)
        given = dict(pairs)
        if len(given) < len(pairs) or not set(given) <= set(keys):
            raise wrong(name, right)
        if not all(isinstance(value, str) and value.strip() and value.isprintable() for value in given.values()):
            raise wrong(name, right)
        return given


def wrong(name: str, right: str) -> SettingsError:
    """Return the refusal of a setting's value."""
    return SettingsError(f"{name} is not right: it must be {right}.")


def can_be_taken_apart(value: str) -> bool:
    """Whether an address has its parts where they should be: other readers' errors would repeat what they found."""
    try:
        return urlsplit(value).port != 0
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, so that nothing said to it travels."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_address(value: str) -> bool:
    if not can_be_taken_apart(value) or re.search(r"[\s?#\\]", value):
        return False
    parts = urlsplit(value)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc


def _is_phrase(text: str) -> bool:
    """Whether a phrase is more than one letter or punctuation; one character is a word in Chinese and the like."""
    long_enough = len(text) >= 2 or unicodedata.east_asian_width(text) in "WF"
    return long_enough and len(text) <= _MAX_PHRASE_LENGTH and any(char.isalnum() for char in text)
