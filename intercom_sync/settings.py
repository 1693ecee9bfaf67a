"""Every setting, once: its name in the environment, its meaning, its default, and what a right value looks like.

A `.env` file in the working directory is read too; the environment wins over it. A wrong value is refused by name
before anything starts. Secrets are read here and handed on; they are never printed, stored or shown.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from intercom_sync.domain.rules import (
    CANCEL_WORDS,
    SUBSCRIPTION_STATUSES,
    WEB_APPS,
    AttributeNames,
    Rules,
    attribute_fields,
)
from intercom_sync.intercom.client import REGIONS
from intercom_sync.setting_values import Reader, SettingsError, can_be_taken_apart, is_loopback, wrong
from intercom_sync.setting_values import environment as read_environment

__all__ = ["SETTINGS", "Setting", "Settings", "SettingsError", "secrets"]
_FIRST_START = datetime(2011, 1, 1, tzinfo=UTC)
"""Intercom began in that year; each day before would only be four windows more to list."""

_SHORTEST_SECRET = 4
_MAX_OVERLAP_MINUTES = 30 * 24 * 60
_MAX_SEARCHES_PER_SECOND = 1_000
_MAX_MRR = 1_000_000_000_000
_MAX_RATIO = 1_000_000


@dataclass(frozen=True)
class Setting:
    """One setting: how it is read and how it is told."""

    name: str
    meaning: str
    default: str = ""
    secret: bool = False


SETTINGS = (
    Setting("INTERCOM_API_KEY", "Access token of the workspace.", secret=True),
    Setting("INTERCOM_REGION", "Where the workspace lives: us, eu or au; links in alerts go by what Intercom says "
            "where it is unset.", "us"),
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
    Setting("SLACK_OPERATIONS_CHANNEL", "Channel for failed runs, failed checks and API errors; none: SLACK_CHANNEL."),
    Setting("SLACK_API_URL", "Address of Slack's API.", "https://slack.com/api/"),
    Setting("INTERCOM_SYNC_HIGH_VALUE_MRR", "Dollars a month above which a customer is of high value.", "500"),
    Setting("INTERCOM_SYNC_MRR_CHANGE_RATIO", "Share of the previous MRR by which a change is large.", "0.5"),
    Setting("INTERCOM_SYNC_CANCEL_WORDS", "Phrases that say a customer wants to leave, separated by commas.",
            ", ".join(CANCEL_WORDS)),
    Setting("INTERCOM_SYNC_SUBSCRIPTION_STATUSES", "Allowed subscription statuses, separated by commas.",
            ", ".join(SUBSCRIPTION_STATUSES)),
    Setting("INTERCOM_SYNC_ATTRIBUTES", "Names of the Stripe attributes that differ, as JSON, e.g. "
            '{"plan": "billing_plan"}. Keys: ' + ", ".join(attribute_fields()) + ".", "{}"),
    Setting("INTERCOM_SYNC_CURRENCY", "Currency of the workspace, three letters; customers in another one are listed "
            "by a check.", "usd"),
    Setting("INTERCOM_SYNC_LAST_CHARGE_UNIT", "Unit of the flat last charge amount: cents or dollars, "
            "which are minor or major units in other currencies.", "cents"),
    Setting("INTERCOM_SYNC_COUNT_QUANTITY", "Whether MRR multiplies a plan's amount by the quantity: true or false.",
            "true"),
)  # fmt: skip
_DEFAULTS = {setting.name: setting.default for setting in SETTINGS}


@dataclass(frozen=True)
class Settings:
    """All settings, read and checked. The secrets are left out of its text form.

    Attributes:
        region: that of the workspace; empty where no setting tells it, and Intercom itself must.
        database_is_borrowed: whether the database is that of DATABASE_URL, which other programs read too.
    """

    api_key: str = field(repr=False)
    base_url: str
    region: str
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
    slack_operations_channel: str
    slack_api_url: str
    rules: Rules

    @classmethod
    def load(cls, given: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings from the environment and the `.env` file.

        Raises:
            SettingsError: a value is wrong.
        """
        read = Reader(read_environment() if given is None else given, _DEFAULTS)
        return cls(
            api_key=read.token("INTERCOM_API_KEY"),
            base_url=_base_url(read),
            region=_region(read),
            api_version=read.matching(
                "INTERCOM_API_VERSION", r"[2-9]\.[0-9]{1,3}", "a version from 2.0 on, such as 2.16"
            ),
            database_url=_database_url(read),
            database_is_borrowed=bool(_database_url(read)) and not read.text("INTERCOM_SYNC_DATABASE_URL"),
            schema=_schema(read),
            home=read.folder("INTERCOM_SYNC_HOME"),
            partitions_start=read.date("INTERCOM_SYNC_PARTITIONS_START", _FIRST_START),
            overlap=timedelta(minutes=read.whole("INTERCOM_SYNC_OVERLAP_MINUTES", 0, _MAX_OVERLAP_MINUTES)),
            contact_searches_per_second=read.whole(
                "INTERCOM_SYNC_CONTACT_SEARCHES_PER_SECOND", 1, _MAX_SEARCHES_PER_SECOND
            ),
            slack_token=read.token("SLACK_BOT_TOKEN"),
            slack_channel=_channel(read, "SLACK_CHANNEL"),
            slack_operations_channel=_channel(read, "SLACK_OPERATIONS_CHANNEL"),
            slack_api_url=read.url("SLACK_API_URL").rstrip("/") + "/",
            rules=_rules(read),
        )

    def warnings(self) -> list[str]:
        """Return what is allowed and unwise: an address beyond this machine without encryption."""
        addresses = {"INTERCOM_BASE_URL": self.base_url, "SLACK_API_URL": self.slack_api_url}
        return [
            f"{name} is {address}: without https the token and customers' data can be read on the way there."
            for name, address in addresses.items()
            if address.startswith("http:") and not is_loopback(urlsplit(address).hostname or "")
        ]

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


def secrets() -> set[str]:
    """Return the values of the secret settings, and the passwords in them, to be left out of messages."""
    try:
        given: Mapping[str, str] = read_environment()
    except SettingsError:
        given = os.environ
    names = (*(one.name for one in SETTINGS if one.secret), "DATABASE_URL")
    values = {given[name].strip() for name in names if given.get(name)}
    passwords = {unquote(found) for value in values for found in re.findall(r"://[^/@]*:([^/@]+)@", value)}
    # A word of a few letters is in every sentence.
    return {one for one in values | passwords if len(one) >= _SHORTEST_SECRET}


def _base_url(read: Reader) -> str:
    return read.url("INTERCOM_BASE_URL") or REGIONS[read.choice("INTERCOM_REGION", REGIONS)]


def _region(read: Reader) -> str:
    """Return the region that a setting names, by its word or by the address of its API; the default names none."""
    region = read.choice("INTERCOM_REGION", REGIONS)
    if read.given("INTERCOM_REGION"):
        return region
    return next((name for name, address in REGIONS.items() if address == read.url("INTERCOM_BASE_URL")), "")


def _database_url(read: Reader) -> str:
    name = "INTERCOM_SYNC_DATABASE_URL"
    value = read.text(name) or read.given("DATABASE_URL")
    if value and not (
        re.match(r"postgres(ql)?(\+\w+)?://", value) and value.isprintable() and can_be_taken_apart(value)
    ):
        raise wrong(
            name,
            "a PostgreSQL address such as postgresql://user:password@host/database, with special characters of the "
            "password as %40 and the like",
        )
    return value


def _schema(read: Reader) -> str:
    name = "INTERCOM_SYNC_SCHEMA"
    value = read.matching(name, r"[A-Za-z_][A-Za-z0-9_]{0,62}", "a plain schema name")
    if value.lower().startswith("pg_") or value.lower() == "information_schema":
        raise wrong(name, "a schema of your own; PostgreSQL keeps pg_… and information_schema for itself")
    return value


def _channel(read: Reader, name: str) -> str:
    if not read.text(name):
        return _channel(read, "SLACK_CHANNEL")
    return read.matching(name, r"#?[^\s#@,<>]{1,80}", "one channel, by its name or id, without spaces")


def _rules(read: Reader) -> Rules:
    return Rules(
        attributes=_attribute_names(read),
        statuses=read.words("INTERCOM_SYNC_SUBSCRIPTION_STATUSES"),
        count_quantity=read.choice("INTERCOM_SYNC_COUNT_QUANTITY", ("true", "false")) == "true",
        last_charge_unit="dollars" if _in_dollars(read) else "cents",
        currency=read.matching("INTERCOM_SYNC_CURRENCY", r"[A-Za-z]{3}", "a currency code such as usd").lower(),
        cancel_words=read.phrases("INTERCOM_SYNC_CANCEL_WORDS"),
        high_value_mrr=read.amount("INTERCOM_SYNC_HIGH_VALUE_MRR", _MAX_MRR),
        mrr_change_ratio=read.amount("INTERCOM_SYNC_MRR_CHANGE_RATIO", _MAX_RATIO),
        app=WEB_APPS.get(_region(read), ""),
    )


def _in_dollars(read: Reader) -> bool:
    return read.choice("INTERCOM_SYNC_LAST_CHARGE_UNIT", ("cents", "dollars")) == "dollars"


def _attribute_names(read: Reader) -> AttributeNames:
    name = "INTERCOM_SYNC_ATTRIBUTES"
    names = AttributeNames(**read.names(name, attribute_fields()))
    if len(set(vars(names).values())) < len(attribute_fields()):
        raise wrong(name, "a JSON object that gives each attribute a name of its own, those left out included")
    return names
