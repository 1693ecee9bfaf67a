"""The code location: several workspaces can be built in one process, and none of their secrets is a definition."""

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap

from intercom_sync import definitions
from intercom_sync.definitions import build_definitions
from intercom_sync.settings import Settings, SettingsError

_SECRETS = {
    "INTERCOM_API_KEY": "an-intercom-secret",
    "SLACK_BOT_TOKEN": "xoxb-a-slack-secret",
    "INTERCOM_SYNC_DATABASE_URL": "postgresql://ada:a-database-secret@127.0.0.1:9/none",
}


@pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`")  # read by Dagster itself
def test_no_secret_is_in_what_dagster_stores_and_shows_of_a_code_location() -> None:
    made = build_definitions(Settings.load(_SECRETS))
    stored = dg.serialize_value(RepositorySnap.from_def(made.get_repository_def()))
    assert "unified_customers" in stored
    assert "secret" not in stored
    assert "secret" not in "".join(f"{name} {resource}" for name, resource in (made.resources or {}).items())


def test_workspaces_of_one_process_have_their_own_partitions_and_rules() -> None:
    starts = ("2026-01-01", "2026-03-01")
    made = [build_definitions(Settings.load({"INTERCOM_SYNC_PARTITIONS_START": start})) for start in starts]
    key = dg.AssetKey("unified_customers")
    partitions = [one.resolve_asset_graph().get(key).partitions_def for one in made]
    assert [one and one.get_first_partition_key() for one in partitions] == [f"{start}T00" for start in starts]


def test_the_environment_is_read_when_the_code_location_is_loaded_and_not_at_import(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INTERCOM_REGION", "moon")
    with pytest.raises(SettingsError, match=r"^INTERCOM_REGION is not right"):
        definitions.defs()
