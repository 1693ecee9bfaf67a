"""Every setting, once: its name in the environment, its meaning, its default, and which values are right.

`Settings.load` reads the environment and a `.env` file in the working directory; the environment wins. Only the edge
calls it: `definitions` and the command line. Everything below receives the settings. A wrong value is refused by name
before anything starts. Secrets are never printed, stored or shown.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from intercom_sync import setting_values as values
from intercom_sync.domain.errors import FatalError
from intercom_sync.domain.rules import (
    CANCEL_WORDS,
    SUBSCRIPTION_STATUSES,
    WEB_APPS,
    AttributeNames,
    Rules,
    attribute_fields,
)
from intercom_sync.intercom.client import REGIONS
from intercom_sync.redaction import hide_secrets

_ENV_FILE = ".env"
_MAX_OVERLAP_MINUTES = 30 * 24 * 60
_MAX_SEARCHES_PER_SECOND = 1_000
_MAX_MRR = 1_000_000_000_000
_MAX_RATIO = 1_000_000
_DECIMALS = 6

_Token = Annotated[str, AfterValidator(values.parse_token)]
_Url = Annotated[str, AfterValidator(values.parse_url)]
_Channel = Annotated[str, AfterValidator(values.parse_channel)]
_LOWER_CASE = BeforeValidator(str.lower)


class SettingsError(FatalError):
    """A setting is missing or wrong; the message names it and says what is right."""


def _setting(name: str, meaning: str, default: str = "", *, right: str = "", secret: bool = False) -> Any:
    """Declare a setting.

    Args:
        name: its name in the environment.
        meaning: a sentence for the documentation; a setting without one is read but not documented.
        default: the value where it is unset or empty.
        right: which values are right, where the type checks them rather than a parser.
        secret: whether it must not be shown.
    """
    return Field(
        default,
        validation_alias=name,
        description=meaning,
        validate_default=True,
        json_schema_extra={"right": right},
        repr=not secret,
        exclude=secret,
    )


def _one_of(*choices: str) -> str:
    return f"one of {', '.join(choices)}"


def _number_to(most: int) -> str:
    return f"a number from 0 to {most:,} with at most {_DECIMALS} decimals"


class Settings(BaseSettings):
    """All settings of one workspace, parsed and checked. `load` makes them."""

    model_config = SettingsConfigDict(
        # Editors on Windows begin a file with a byte-order mark, which would be part of the first name.
        env_file=_ENV_FILE, env_file_encoding="utf-8-sig", extra="ignore", frozen=True, case_sensitive=True,
        enable_decoding=False, hide_input_in_errors=True,
    )  # fmt: skip

    api_key: _Token = _setting("INTERCOM_API_KEY", "Access token of the workspace.", secret=True)
    given_region: Annotated[Literal["us", "eu", "au"], _LOWER_CASE] = _setting(
        "INTERCOM_REGION", "Region of the workspace: us, eu or au; unset: alert links use the region that Intercom "
        "reports.", "us", right=_one_of(*REGIONS),
    )  # fmt: skip
    given_base_url: _Url = _setting("INTERCOM_BASE_URL", "Address of the API, in place of the region's.")
    api_version: Annotated[str, Field(pattern=r"^[2-9]\.[0-9]{1,3}$")] = _setting(
        "INTERCOM_API_VERSION", "API version to request.", "2.16",
        right="a version from 2.0 on, such as 2.16",
    )  # fmt: skip
    own_database_url: Annotated[str, AfterValidator(values.parse_database_url)] = _setting(
        "INTERCOM_SYNC_DATABASE_URL", "PostgreSQL URL; unset: DATABASE_URL, else an embedded server.", secret=True,
    )  # fmt: skip
    host_database_url: str = _setting("DATABASE_URL", "", secret=True)
    schema_name: Annotated[str, AfterValidator(values.parse_schema)] = _setting(
        "INTERCOM_SYNC_SCHEMA", "Schema of the tables.", "public"
    )
    home: Annotated[Path, BeforeValidator(values.parse_folder)] = _setting(
        "INTERCOM_SYNC_HOME", "Folder of the embedded server and of Dagster's files.", "~/.intercom_sync"
    )
    partitions_start: Annotated[datetime, BeforeValidator(values.parse_start)] = _setting(
        "INTERCOM_SYNC_PARTITIONS_START", "First six-hour window, a date in UTC.", "2026-01-01"
    )
    overlap_minutes: Annotated[int, Field(ge=0, le=_MAX_OVERLAP_MINUTES)] = _setting(
        "INTERCOM_SYNC_OVERLAP_MINUTES", "How far a window reaches back, for records the search shows late.", "60",
        right=f"a whole number from 0 to {_MAX_OVERLAP_MINUTES:,}",
    )  # fmt: skip
    contact_searches_per_second: Annotated[int, Field(ge=1, le=_MAX_SEARCHES_PER_SECOND)] = _setting(
        "INTERCOM_SYNC_CONTACT_SEARCHES_PER_SECOND", "Most contact searches in any second.", "10",
        right=f"a whole number from 1 to {_MAX_SEARCHES_PER_SECOND:,}",
    )  # fmt: skip
    slack_token: _Token = _setting(
        "SLACK_BOT_TOKEN", "Bot token for alerts; none: alerts wait in customer_alerts.", secret=True
    )
    slack_channel: _Channel = _setting("SLACK_CHANNEL", "Channel for alerts.", "#customer-alerts")
    slack_operations_channel: _Channel = _setting(
        "SLACK_OPERATIONS_CHANNEL", "Channel for failed runs, failed checks and API errors; none: SLACK_CHANNEL."
    )
    slack_api_url: Annotated[_Url, AfterValidator(lambda url: f"{url}/")] = _setting(
        "SLACK_API_URL", "Address of Slack's API.", "https://slack.com/api/"
    )
    high_value_mrr: Annotated[Decimal, Field(ge=0, le=_MAX_MRR, decimal_places=_DECIMALS)] = _setting(
        "INTERCOM_SYNC_HIGH_VALUE_MRR", "Dollars a month above which a customer is of high value.", "500",
        right=_number_to(_MAX_MRR),
    )  # fmt: skip
    mrr_change_ratio: Annotated[Decimal, Field(ge=0, le=_MAX_RATIO, decimal_places=_DECIMALS)] = _setting(
        "INTERCOM_SYNC_MRR_CHANGE_RATIO", "Share of the previous MRR by which a change is large.", "0.5",
        right=_number_to(_MAX_RATIO),
    )  # fmt: skip
    cancel_words: Annotated[tuple[str, ...], BeforeValidator(values.parse_phrases)] = _setting(
        "INTERCOM_SYNC_CANCEL_WORDS", "Phrases that say a customer wants to leave, separated by commas.",
        ", ".join(CANCEL_WORDS),
    )  # fmt: skip
    statuses: Annotated[tuple[str, ...], BeforeValidator(values.parse_words)] = _setting(
        "INTERCOM_SYNC_SUBSCRIPTION_STATUSES", "Allowed subscription statuses, separated by commas.",
        ", ".join(SUBSCRIPTION_STATUSES),
    )  # fmt: skip
    attributes: Annotated[AttributeNames, BeforeValidator(values.parse_attribute_names)] = _setting(
        "INTERCOM_SYNC_ATTRIBUTES", "Names of the Stripe attributes that differ, as JSON, e.g. "
        '{"plan": "billing_plan"}. Keys: ' + ", ".join(attribute_fields()) + ".", "{}",
    )  # fmt: skip
    currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$"), AfterValidator(str.lower)] = _setting(
        "INTERCOM_SYNC_CURRENCY", "Currency of the workspace, three letters; customers in another one are listed "
        "by a check.", "usd", right="a currency code such as usd",
    )  # fmt: skip
    last_charge_unit: Annotated[Literal["cents", "dollars"], _LOWER_CASE] = _setting(
        "INTERCOM_SYNC_LAST_CHARGE_UNIT", "Unit of the flat last charge amount: cents or dollars, "
        "which are minor or major units in other currencies.", "cents", right=_one_of("cents", "dollars"),
    )  # fmt: skip
    count_quantity: Annotated[Literal["true", "false"], _LOWER_CASE] = _setting(
        "INTERCOM_SYNC_COUNT_QUANTITY", "Whether MRR multiplies a plan's amount by the quantity: true or false.",
        "true", right=_one_of("true", "false"),
    )  # fmt: skip

    @classmethod
    def load(cls, given: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings from the environment and the `.env` file, or from the given values alone.

        Raises:
            SettingsError: a value is wrong, or the file cannot be read.
        """
        try:
            return cls() if given is None else cls(**_all_given(given))
        except ValidationError as error:
            raise SettingsError("\n".join(_refusals(error))) from None
        except OSError as error:
            raise SettingsError(f"The file .env in {Path.cwd()} cannot be read ({error.strerror}).") from None
        except UnicodeDecodeError:
            raise SettingsError(f"The file .env in {Path.cwd()} is not UTF-8 text: save it as UTF-8.") from None

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Use the default for an empty value. An empty variable of the environment also hides the one in `.env`."""
        stripped = {name: str(value or "").strip() for name, value in given.items()}
        return {name: value for name, value in stripped.items() if value}

    @field_validator("host_database_url")
    @classmethod
    def _check_where_used(cls, url: str, others: ValidationInfo) -> str:
        """Check DATABASE_URL only where it is used: other programs read it too."""
        return url if others.data.get("own_database_url") else values.parse_database_url(url)

    @field_validator("slack_operations_channel")
    @classmethod
    def _or_slack_channel(cls, channel: str, others: ValidationInfo) -> str:
        return channel or str(others.data.get("slack_channel", ""))

    def model_post_init(self, _: Any) -> None:
        """Keep the secrets out of the text of unexpected errors."""
        urls = (self.own_database_url, self.host_database_url)
        passwords = (unquote(one) for url in urls for one in re.findall(r"://[^/@]*:([^/@]+)@", url))
        hide_secrets(self.api_key, self.slack_token, *urls, *passwords)

    @property
    def region(self) -> str:
        """The region by INTERCOM_REGION, else by INTERCOM_BASE_URL; empty when neither determines it."""
        if "given_region" in self.model_fields_set:
            return self.given_region
        return next((name for name, address in REGIONS.items() if address == self.given_base_url), "")

    @property
    def base_url(self) -> str:
        """The address of Intercom's API."""
        return self.given_base_url or REGIONS[self.given_region]

    @property
    def database_url(self) -> str:
        """The address of the database; empty for an embedded one."""
        return self.own_database_url or self.host_database_url

    @property
    def database_is_borrowed(self) -> bool:
        """Whether the database is that of DATABASE_URL, which other programs read too."""
        return bool(self.host_database_url) and not self.own_database_url

    @property
    def overlap(self) -> timedelta:
        """How far a window reaches back."""
        return timedelta(minutes=self.overlap_minutes)

    @cached_property
    def rules(self) -> Rules:
        """The rules by which records become customers."""
        return Rules(
            attributes=self.attributes,
            statuses=self.statuses,
            count_quantity=self.count_quantity == "true",
            last_charge_unit=self.last_charge_unit,
            currency=self.currency,
            cancel_words=self.cancel_words,
            high_value_mrr=self.high_value_mrr,
            mrr_change_ratio=self.mrr_change_ratio,
            app=WEB_APPS.get(self.region, ""),
        )

    def warnings(self) -> list[str]:
        """Return a warning for each address outside this machine that does not use encryption."""
        addresses = {"INTERCOM_BASE_URL": self.base_url, "SLACK_API_URL": self.slack_api_url}
        return [
            f"{name} is {address}: without https the token and customers' data can be read on the way there."
            for name, address in addresses.items()
            if address.startswith("http:") and not values.is_loopback(urlsplit(address).hostname or "")
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


@dataclass(frozen=True)
class Setting:
    """One documented setting."""

    name: str
    meaning: str
    default: str


SETTINGS = tuple(
    Setting(str(field.validation_alias), field.description, field.default)
    for field in Settings.model_fields.values()
    if field.description
)
_FIELDS = {str(field.validation_alias): field for field in Settings.model_fields.values()}


def _all_given(given: Mapping[str, str]) -> dict[str, Any]:
    """Return a value for every setting, empty where none is given, so that the environment adds nothing."""
    return {"_env_file": None} | {name: given.get(name, "") for name in _FIELDS}


def _refusals(error: ValidationError) -> Iterator[str]:
    """Yield a sentence for each wrong setting, without its value."""
    for one in error.errors(include_url=False, include_input=False):
        name = str(one["loc"][0])
        extra: Any = _FIELDS[name].json_schema_extra
        right = one["ctx"]["error"] if one["type"] == "value_error" else extra["right"]
        yield f"{name} is not right: it must be {right}."
