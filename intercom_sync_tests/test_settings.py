"""What the settings take, refuse and keep to themselves."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from intercom_sync.settings import SETTINGS, Settings, SettingsError


def test_everything_has_a_default_that_is_right() -> None:
    settings = Settings.load({})
    assert settings.base_url == "https://api.intercom.io"
    assert (settings.schema, settings.overlap) == ("public", timedelta(hours=1))
    assert settings.partitions_start == datetime(2026, 1, 1, tzinfo=UTC)
    assert settings.rules.high_value_mrr == 500


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INTERCOM_REGION", "moon"),
        ("INTERCOM_BASE_URL", "api.intercom.io"),
        ("INTERCOM_BASE_URL", "ftp://api.intercom.io"),
        ("INTERCOM_API_VERSION", "latest"),
        ("INTERCOM_SYNC_DATABASE_URL", "mysql://ada:hush@host/db"),
        ("INTERCOM_SYNC_DATABASE_URL", "postgresql://ada:hu[sh@host/db"),
        ("INTERCOM_SYNC_DATABASE_URL", "postgresql://ada:hu/sh@host/db"),
        ("INTERCOM_BASE_URL", "https://ada:hush@api.intercom.io"),
        ("SLACK_API_URL", "http://["),
        ("INTERCOM_SYNC_SCHEMA", "drop table;"),
        ("INTERCOM_SYNC_PARTITIONS_START", "yesterday"),
        ("INTERCOM_SYNC_OVERLAP_MINUTES", "-1"),
        ("INTERCOM_SYNC_OVERLAP_MINUTES", "an hour"),
        ("INTERCOM_SYNC_CONTACT_SEARCHES_PER_SECOND", "0"),
        ("INTERCOM_SYNC_HIGH_VALUE_MRR", "NaN"),
        ("INTERCOM_SYNC_HIGH_VALUE_MRR", "Infinity"),
        ("INTERCOM_SYNC_MRR_CHANGE_RATIO", "half"),
        ("INTERCOM_SYNC_ATTRIBUTES", "{"),
        ("INTERCOM_SYNC_ATTRIBUTES", '{"colour": "x"}'),
        ("INTERCOM_SYNC_ATTRIBUTES", '{"plan": ""}'),
        ("INTERCOM_SYNC_ATTRIBUTES", "[]"),
        ("INTERCOM_SYNC_LAST_CHARGE_UNIT", "euros"),
        ("INTERCOM_SYNC_COUNT_QUANTITY", "maybe"),
        ("SLACK_API_URL", "slack.com"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_not_repeated_where_it_may_be_secret(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is not right: ") as refused:
        Settings.load({name: value})
    assert "hush" not in str(refused.value)


def test_secrets_are_left_out_of_the_text_form() -> None:
    secrets = {setting.name: f"postgresql://hidden-{at}" for at, setting in enumerate(SETTINGS) if setting.secret}
    assert len(secrets) == 3
    assert "hidden-" not in repr(Settings.load(secrets))


def test_the_environment_wins_over_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("INTERCOM_API_KEY=from the file\nINTERCOM_SYNC_HIGH_VALUE_MRR=9.5\n")
    assert Settings.load().api_key == "from the file"
    monkeypatch.setenv("INTERCOM_API_KEY", "from the environment")
    settings = Settings.load()
    assert (settings.api_key, settings.rules.high_value_mrr) == ("from the environment", Decimal("9.5"))


def test_a_hosts_own_name_for_the_database_is_taken_where_ours_is_unset() -> None:
    hosts = {"DATABASE_URL": "postgres://ada@host/one"}
    assert Settings.load(hosts).database_url == "postgres://ada@host/one"
    ours = hosts | {"INTERCOM_SYNC_DATABASE_URL": "postgresql+psycopg2://ada@host/two"}
    assert Settings.load(ours).database_url == "postgresql+psycopg2://ada@host/two"
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        Settings.load({"DATABASE_URL": "sqlite:///x"})


def test_every_setting_has_a_meaning_and_a_name_of_its_own() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
    assert all(setting.meaning.endswith(".") for setting in SETTINGS)
    assert not [setting for setting in SETTINGS if setting.secret and setting.default]
