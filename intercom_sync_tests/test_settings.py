"""What the settings take, refuse and keep to themselves."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from intercom_sync.settings import SETTINGS, Settings, SettingsError

_SECRET_FIELDS = [field for field in Settings.model_fields.values() if not field.repr]


def test_everything_has_a_default_that_is_right() -> None:
    settings = Settings.load({})
    assert settings.base_url == "https://api.intercom.io"
    assert (settings.schema_name, settings.overlap) == ("public", timedelta(hours=1))
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
        ("INTERCOM_API_KEY", "hush\r\nX-Other: 1"),
        ("INTERCOM_API_KEY", "hush\u2028more"),
        ("INTERCOM_API_KEY", "hush–more"),
        ("SLACK_BOT_TOKEN", "xoxb-hush\n1"),
        ("SLACK_BOT_TOKEN", "xoxb-hüsh"),
        ("INTERCOM_API_VERSION", "1.4"),
        ("INTERCOM_API_VERSION", "2.16\nx"),
        ("INTERCOM_API_VERSION", "2.٣"),
        ("INTERCOM_BASE_URL", "https://api. intercom.io"),
        ("INTERCOM_BASE_URL", "https://api.inter\ncom.io"),
        ("INTERCOM_BASE_URL", "https://api.intercom.io?a=b"),
        ("INTERCOM_BASE_URL", "https://api.intercom.io:99999"),
        ("INTERCOM_SYNC_DATABASE_URL", "postgresql://ada:hush@host/d\nb"),
        ("INTERCOM_SYNC_SCHEMA", "pg_catalog"),
        ("INTERCOM_SYNC_SCHEMA", "PG_MINE"),
        ("INTERCOM_SYNC_SCHEMA", "pg_toast"),
        ("INTERCOM_SYNC_SCHEMA", "information_schema"),
        ("INTERCOM_SYNC_SCHEMA", "a" * 64),
        ("INTERCOM_SYNC_HOME", "~no_such_user_here/x"),
        ("INTERCOM_SYNC_HOME", "data\0b"),
        ("INTERCOM_SYNC_PARTITIONS_START", f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"),
        ("INTERCOM_SYNC_PARTITIONS_START", "9999-12-31"),
        ("INTERCOM_SYNC_PARTITIONS_START", "0000-01-01"),
        ("INTERCOM_SYNC_PARTITIONS_START", "0001-01-01"),
        ("INTERCOM_SYNC_PARTITIONS_START", "2010-12-31"),
        ("INTERCOM_SYNC_PARTITIONS_START", "2026-01-01T00"),
        ("INTERCOM_SYNC_OVERLAP_MINUTES", "43201"),
        ("INTERCOM_SYNC_OVERLAP_MINUTES", "9" * 5000),
        ("INTERCOM_SYNC_OVERLAP_MINUTES", "1e3"),
        ("INTERCOM_SYNC_CONTACT_SEARCHES_PER_SECOND", "1001"),
        ("INTERCOM_SYNC_CONTACT_SEARCHES_PER_SECOND", "2.5"),
        ("INTERCOM_SYNC_HIGH_VALUE_MRR", "1e400"),
        ("INTERCOM_SYNC_HIGH_VALUE_MRR", "1e13"),
        ("INTERCOM_SYNC_HIGH_VALUE_MRR", "sNaN"),
        ("INTERCOM_SYNC_HIGH_VALUE_MRR", "-0.01"),
        ("INTERCOM_SYNC_HIGH_VALUE_MRR", "1e-400"),
        ("INTERCOM_SYNC_HIGH_VALUE_MRR", "$500"),
        ("INTERCOM_SYNC_MRR_CHANGE_RATIO", "-0.5"),
        ("INTERCOM_SYNC_MRR_CHANGE_RATIO", "50%"),
        ("INTERCOM_SYNC_MRR_CHANGE_RATIO", "1e9"),
        ("INTERCOM_SYNC_ATTRIBUTES", '{"plan": "a", "plan": "b"}'),
        ("INTERCOM_SYNC_ATTRIBUTES", '{"plan": "a", "plan_price": "a"}'),
        ("INTERCOM_SYNC_ATTRIBUTES", '{"plan": "stripe_id"}'),
        ("INTERCOM_SYNC_ATTRIBUTES", '{"plan": " "}'),
        ("INTERCOM_SYNC_ATTRIBUTES", '{"plan": 1}'),
        ("INTERCOM_SYNC_ATTRIBUTES", '{"plan": {"a": "b"}}'),
        ("INTERCOM_SYNC_ATTRIBUTES", '{"plan": "a\\u0000"}'),
        ("INTERCOM_SYNC_ATTRIBUTES", "[" * 100_000),
        ("INTERCOM_SYNC_ATTRIBUTES", '["plan"]'),
        ("INTERCOM_SYNC_CANCEL_WORDS", ","),
        ("INTERCOM_SYNC_CANCEL_WORDS", "cancel, a"),
        ("INTERCOM_SYNC_CANCEL_WORDS", "cancel, !?"),
        ("INTERCOM_SYNC_CANCEL_WORDS", "c" * 201),
        ("INTERCOM_SYNC_SUBSCRIPTION_STATUSES", ","),
        ("INTERCOM_SYNC_SUBSCRIPTION_STATUSES", "active; paused"),
        ("SLACK_CHANNEL", "#customer alerts"),
        ("SLACK_CHANNEL", "#a,#b"),
        ("SLACK_CHANNEL", "#"),
        ("INTERCOM_REGION", "eu\nx"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_not_repeated_where_it_may_be_secret(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is not right: ") as refused:
        Settings.load({name: value})
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("name", [setting.name for setting in SETTINGS])
@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_an_empty_value_is_the_default(name: str, value: str) -> None:
    assert Settings.load({name: value}) == Settings.load({})


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("INTERCOM_API_KEY", "  tok\n", "api_key", "tok"),
        ("INTERCOM_SYNC_HOME", "data", "home", Path("data")),
        ("INTERCOM_SYNC_PARTITIONS_START", "2011-01-01", "partitions_start", datetime(2011, 1, 1, tzinfo=UTC)),
        ("INTERCOM_SYNC_OVERLAP_MINUTES", "0", "overlap", timedelta(0)),
        ("SLACK_CHANNEL", "C0123456789", "slack_channel", "C0123456789"),
        ("SLACK_CHANNEL", "#kündigungen", "slack_channel", "#kündigungen"),
        ("INTERCOM_API_VERSION", "2.9", "api_version", "2.9"),
    ],
)
def test_an_unusual_value_that_is_right_is_taken(name: str, value: str, field: str, expected: object) -> None:
    assert getattr(Settings.load({name: value}), field) == (
        expected.absolute() if isinstance(expected, Path) else expected
    )


def test_phrases_may_be_of_any_script_and_on_several_lines() -> None:
    rules = Settings.load({"INTERCOM_SYNC_CANCEL_WORDS": "解, 解約,\nrésilier"}).rules
    assert rules.cancel_words == ("解", "解約", "résilier")


@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("http://api.example.com", True),
        ("http://0.0.0.0:80", True),
        ("http://10.0.0.1", True),
        ("http://[fe80::1]:80", True),
        ("http://localhost.example.com", True),
        ("http://127.0.0.1:8787", False),
        ("http://127.9.9.9", False),
        ("http://LOCALHOST:1", False),
        ("http://sandbox.localhost", False),
        ("http://[::1]:80", False),
        ("https://api.example.com", False),
    ],
)
@pytest.mark.parametrize("name", ["INTERCOM_BASE_URL", "SLACK_API_URL"])
def test_an_address_beyond_this_machine_without_encryption_is_warned_of(name: str, address: str, warned: bool) -> None:
    said = Settings.load({name: address}).warnings()
    assert [line.startswith(f"{name} is http://") for line in said] == [True] * warned


def test_secrets_are_left_out_of_the_text_form() -> None:
    secrets = {str(field.validation_alias): f"postgresql://hidden-{at}" for at, field in enumerate(_SECRET_FIELDS)}
    assert len(secrets) == 4
    assert "hidden-" not in repr(Settings.load(secrets))


def test_the_environment_wins_over_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("INTERCOM_API_KEY=from the file\nINTERCOM_SYNC_HIGH_VALUE_MRR=9.5\n")
    assert Settings.load().api_key == "from the file"
    monkeypatch.setenv("INTERCOM_API_KEY", "from the environment")
    settings = Settings.load()
    assert (settings.api_key, settings.rules.high_value_mrr) == ("from the environment", Decimal("9.5"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xef\xbb\xbfINTERCOM_API_KEY=tok\r\nSLACK_CHANNEL=#one\r\n", ("tok", "#one")),
        (b"INTERCOM_API_KEY=tok\rSLACK_CHANNEL='#one'", ("tok", "#one")),
        (b'export INTERCOM_API_KEY="tok"\n# a note\n\nSLACK_CHANNEL=\n', ("tok", "#customer-alerts")),
    ],
)
def test_an_env_file_of_any_editor_is_read(content: bytes, expected: tuple[str, str]) -> None:
    Path(".env").write_bytes(content)
    settings = Settings.load()
    assert (settings.api_key, settings.slack_channel) == expected


def test_an_env_file_that_is_no_text_is_refused_by_name() -> None:
    Path(".env").write_bytes("INTERCOM_API_KEY=hush".encode("utf-16"))
    with pytest.raises(SettingsError, match=r"\.env in .* is not UTF-8 text") as refused:
        Settings.load()
    assert "hush" not in str(refused.value)


def test_an_env_file_that_may_not_be_read_is_refused_by_name() -> None:
    """The memory of a process that has ended: a file that opens for nobody, not even for root."""
    Path(".env").symlink_to("/proc/self/mem")
    with pytest.raises(SettingsError, match=r"\.env in .* cannot be read \("):
        Settings.load()


def test_a_folder_named_env_is_none_of_ours() -> None:
    Path(".env").mkdir()
    assert Settings.load() == Settings.load({})


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
    assert not [field for field in _SECRET_FIELDS if field.default]
