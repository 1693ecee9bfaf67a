"""Every setting, once: its name in the environment, its meaning, its default, and what a right value looks like.

A `.env` file in the working directory is read too; the environment wins over it. A wrong value is refused by name
before anything starts. Secrets are read here and handed on; they are never printed, stored or shown.
"""

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values

from intercom_sync.domain.rules import CANCEL_WORDS, SUBSCRIPTION_STATUSES, AttributeNames, Rules, attribute_fields
from intercom_sync.intercom.client import REGIONS

_APPS = {REGIONS["eu"]: "https://app.eu.intercom.com", REGIONS["au"]: "https://app.au.intercom.com"}


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and says what is right."""


@dataclass(frozen=True)
class Setting:
    """One setting: how it is read and how it is told."""

    name: str
    meaning: str
    default: str = ""
    secret: bool = False


SETTINGS = (
    Setting("INTERCOM_API_KEY", "Access token of the workspace.", secret=True),
    Setting("INTERCOM_REGION", "Where the workspace lives: us, eu or au.", "us"),
    Setting("INTERCOM_BASE_URL", "Address of the API, in place of the region's."),
    Setting("INTERCOM_API_VERSION", "Version of the API that is asked for.", "2.16"),
    Setting("INTERCOM_SYNC_DATABASE_URL", "PostgreSQL server, postgresql://…; none: an embedded one. DATABASE_URL "
            "is taken where this is unset.", secret=True),
    Setting("INTERCOM_SYNC_SCHEMA", "Schema of the tables.", "public"),
    Setting("INTERCOM_SYNC_HOME", "Folder of the embedded server and of Dagster's files.", "~/.intercom_sync"),
    Setting("INTERCOM_SYNC_PARTITIONS_START", "First six-hour window, a date in UTC.", "2026-01-01"),
    Setting("INTERCOM_SYNC_OVERLAP_MINUTES", "How far a window reaches back, for records the search shows late.", "60"),
    Setting("INTERCOM_SYNC_CONTACT_SEARCHES_PER_SECOND", "Most contact searches in any second.", "10"),
    Setting("SLACK_BOT_TOKEN", "Bot token for alerts; none: alerts wait in customer_alerts.", secret=True),
    Setting("SLACK_CHANNEL", "Channel for alerts.", "#customer-alerts"),
    Setting("SLACK_API_URL", "Address of Slack's API.", "https://slack.com/api/"),
    Setting("INTERCOM_SYNC_HIGH_VALUE_MRR", "Dollars a month above which a customer is of high value.", "500"),
    Setting("INTERCOM_SYNC_MRR_CHANGE_RATIO", "Share of the previous MRR by which a change is large.", "0.5"),
    Setting("INTERCOM_SYNC_CANCEL_WORDS", "Phrases that say a customer wants to leave, separated by commas.",
            ", ".join(CANCEL_WORDS)),
    Setting("INTERCOM_SYNC_SUBSCRIPTION_STATUSES", "Allowed subscription statuses, separated by commas.",
            ", ".join(SUBSCRIPTION_STATUSES)),
    Setting("INTERCOM_SYNC_ATTRIBUTES", "Names of the Stripe attributes that differ, as JSON, e.g. "
            '{"plan": "billing_plan"}. Keys: ' + ", ".join(attribute_fields()) + ".", "{}"),
    Setting("INTERCOM_SYNC_LAST_CHARGE_UNIT", "Unit of the flat last charge amount: cents or dollars.", "cents"),
    Setting("INTERCOM_SYNC_COUNT_QUANTITY", "Whether MRR multiplies a plan's amount by the quantity: true or false.",
            "true"),
)  # fmt: skip
_BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True)
class Settings:
    """All settings, read and checked. The secrets are left out of its text form.

    Attributes:
        database_is_borrowed: whether the database is that of DATABASE_URL, which other programs read too.
    """

    api_key: str = field(repr=False)
    base_url: str
    api_version: str
    database_url: str = field(repr=False)
    database_is_borrowed: bool
    schema: str
    home: Path
    partitions_start: datetime
    overlap: timedelta
    contact_searches_per_second: int
    slack_token: str = field(repr=False)
    slack_channel: str
    slack_api_url: str
    rules: Rules

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings from the environment and the `.env` file.

        Raises:
            SettingsError: a value is wrong.
        """
        read = _Reader(_environment() if environment is None else environment)
        return cls(
            api_key=read.text("INTERCOM_API_KEY"),
            base_url=_base_url(read),
            api_version=read.matching("INTERCOM_API_VERSION", r"\d+\.\d+", "a version such as 2.16"),
            database_url=_database_url(read),
            database_is_borrowed=bool(_database_url(read)) and not read.text("INTERCOM_SYNC_DATABASE_URL"),
            schema=read.matching("INTERCOM_SYNC_SCHEMA", r"[A-Za-z_][A-Za-z0-9_]{0,62}", "a plain schema name"),
            home=Path(read.text("INTERCOM_SYNC_HOME")).expanduser(),
            partitions_start=read.date("INTERCOM_SYNC_PARTITIONS_START"),
            overlap=timedelta(minutes=read.whole("INTERCOM_SYNC_OVERLAP_MINUTES", least=0)),
            contact_searches_per_second=read.whole("INTERCOM_SYNC_CONTACT_SEARCHES_PER_SECOND", least=1),
            slack_token=read.text("SLACK_BOT_TOKEN"),
            slack_channel=read.text("SLACK_CHANNEL"),
            slack_api_url=read.url("SLACK_API_URL").rstrip("/") + "/",
            rules=_rules(read),
        )

    def require_api_key(self) -> str:
        """Return the access token.

        Raises:
            SettingsError: none is set.
        """
        if not self.api_key:
            raise SettingsError(
                "INTERCOM_API_KEY is not set: give it an access token from your app in Intercom's Developer Hub "
                "(or try the sandbox: intercom-sync sandbox)."
            )
        return self.api_key


class _Reader:
    """Reads values by name and refuses wrong ones by name."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str) -> str:
        return (self._environment.get(name) or _BY_NAME[name].default).strip()

    def matching(self, name: str, pattern: str, right: str) -> str:
        value = self.text(name)
        if not re.fullmatch(pattern, value):
            raise _wrong(name, right)
        return value

    def choice(self, name: str, choices: Mapping[str, object] | tuple[str, ...]) -> str:
        value = self.text(name).lower()
        if value not in choices:
            raise _wrong(name, f"one of {', '.join(choices)}")
        return value

    def url(self, name: str) -> str:
        value = self.text(name)
        if value and not _is_address(value):
            raise _wrong(name, "an address such as https://api.intercom.io, without a user or password")
        return value.rstrip("/")

    def whole(self, name: str, least: int) -> int:
        return int(self._number(name, int, least, f"a whole number, at least {least}"))

    def amount(self, name: str) -> Decimal:
        return Decimal(self._number(name, Decimal, 0, "a number, at least 0"))

    def _number(self, name: str, kind: Callable[[str], Any], least: int, right: str) -> Any:
        try:
            value = kind(self.text(name))
            # NaN cannot be compared, and nothing comes after infinity.
            right_value = least <= value < math.inf
        except (ValueError, InvalidOperation):
            raise _wrong(name, right) from None
        if not right_value:
            raise _wrong(name, right)
        return value

    def date(self, name: str) -> datetime:
        try:
            return datetime.strptime(self.text(name), "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise _wrong(name, "a date such as 2026-01-01") from None

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in self.text(name).split(",") if word.strip())


def _wrong(name: str, right: str) -> SettingsError:
    return SettingsError(f"{name} is not right: it must be {right}.")


def _environment() -> dict[str, str]:
    file = {name: value or "" for name, value in dotenv_values(Path.cwd() / ".env").items()}
    return file | dict(os.environ)


def secrets() -> set[str]:
    """Return the values of the secret settings, and the passwords in them, to be left out of messages."""
    given = _environment()
    values = {
        given[name] for name in (*(one.name for one in SETTINGS if one.secret), "DATABASE_URL") if given.get(name)
    }
    return values | {unquote(found) for value in values for found in re.findall(r"://[^/@]*:([^/@]+)@", value)}


def _base_url(read: _Reader) -> str:
    return read.url("INTERCOM_BASE_URL") or REGIONS[read.choice("INTERCOM_REGION", REGIONS)]


def _database_url(read: _Reader) -> str:
    name = "INTERCOM_SYNC_DATABASE_URL"
    value = read.text(name) or read._environment.get("DATABASE_URL", "").strip()
    if value and not (re.match(r"postgres(ql)?(\+\w+)?://", value) and _can_be_taken_apart(value)):
        raise _wrong(
            name,
            "a PostgreSQL address such as postgresql://user:password@host/database, with special characters of the "
            "password as %40 and the like",
        )
    return value


def _is_address(value: str) -> bool:
    if not _can_be_taken_apart(value):
        return False
    parts = urlsplit(value)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc


def _can_be_taken_apart(value: str) -> bool:
    """Whether an address has its parts where they should be: other readers' errors would repeat what they found."""
    try:
        return urlsplit(value).port != 0
    except ValueError:
        return False


def _rules(read: _Reader) -> Rules:
    return Rules(
        attributes=_attribute_names(read),
        statuses=read.words("INTERCOM_SYNC_SUBSCRIPTION_STATUSES"),
        count_quantity=read.choice("INTERCOM_SYNC_COUNT_QUANTITY", ("true", "false")) == "true",
        last_charge_unit="dollars" if _in_dollars(read) else "cents",
        cancel_words=read.words("INTERCOM_SYNC_CANCEL_WORDS"),
        high_value_mrr=read.amount("INTERCOM_SYNC_HIGH_VALUE_MRR"),
        mrr_change_ratio=read.amount("INTERCOM_SYNC_MRR_CHANGE_RATIO"),
        app=_APPS.get(_base_url(read), Rules.app),
    )


def _in_dollars(read: _Reader) -> bool:
    return read.choice("INTERCOM_SYNC_LAST_CHARGE_UNIT", ("cents", "dollars")) == "dollars"


def _attribute_names(read: _Reader) -> AttributeNames:
    name = "INTERCOM_SYNC_ATTRIBUTES"
    right = f"a JSON object of names, with keys among {', '.join(attribute_fields())}"
    try:
        given = json.loads(read.text(name))
    except ValueError:
        raise _wrong(name, right) from None
    if not isinstance(given, dict) or not set(given) <= set(attribute_fields()):
        raise _wrong(name, right)
    if not all(isinstance(value, str) and value for value in given.values()):
        raise _wrong(name, right)
    return AttributeNames(**given)
