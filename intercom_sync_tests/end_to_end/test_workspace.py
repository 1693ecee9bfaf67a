"""One set of tables holds one workspace: a key of another one is refused before anything is written."""

import json
from collections.abc import Callable

import pytest

from intercom_sync.commands.doctor import doctor
from intercom_sync.sandbox.faults import Fault, error
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync.settings import Settings
from intercom_sync_tests.end_to_end.scenario import DAY, NOW, Scenario, person, talk, why

_TABLES = (
    "unified_customers", "intercom_contacts", "intercom_conversations", "intercom_messages", "customer_alerts",
    "sync_runs", "sync_state", "sync_extractions", "sync_stream_stats", "rejected_records", "contact_merges",
)  # fmt: skip


def _dump(scenario: Scenario) -> dict[str, list[str]]:
    return {name: sorted(scenario.values(f"SELECT t::text FROM {name} t")) for name in _TABLES}


def _fill(scenario: Scenario) -> None:
    scenario.put(*(person(f"c{number}", f"n{number}@example.com") for number in range(5)))
    scenario.talks(talk("500", "c1", "please cancel"))


@pytest.fixture
def foreign(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Sandbox]:
    """Points the key at another workspace."""
    opened: list[Sandbox] = []

    def point(id: str) -> Sandbox:
        company = Workspace(workspace_id=id)
        company.put_contact(person("f1", "foreign@example.com", updated=NOW - DAY))
        company.put_conversation(talk("900", "f1", "cancel"))
        opened.append(Sandbox(company).__enter__())
        monkeypatch.setenv("INTERCOM_BASE_URL", opened[-1].url)
        return opened[-1]

    yield point
    for one in opened:
        one.__exit__(None, None, None)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("upgraded", [True, False])
@pytest.mark.parametrize("hidden", [True, False])
def test_another_workspace_is_refused_by_a_sentence_that_names_both(
    scenario: Scenario, foreign: Callable[[str], Sandbox], full: bool, upgraded: bool, hidden: bool
) -> None:
    """Also where the tables were filled before the id was stored, and where the token may not read /me."""
    _fill(scenario)
    scenario.sync(full=True)
    if upgraded:
        scenario.rows("DELETE FROM sync_state WHERE name = 'workspace_id'")
    before = _dump(scenario)
    other = foreign("abroad9")
    if hidden:
        other.faults.add(error(403, "api_plan_restricted", "no"), match="GET /me")
    refused = scenario.run(NOW + DAY, full=full)
    assert not refused.result.success
    sentence = why(refused.result)
    assert "abroad9" in sentence
    assert "sandbox1" in sentence
    assert "INTERCOM_SYNC_SCHEMA" in sentence
    assert _dump(scenario) == before


def test_the_doctor_says_that_a_key_is_of_another_workspace(
    scenario: Scenario, foreign: Callable[[str], Sandbox], capsys: pytest.CaptureFixture[str]
) -> None:
    _fill(scenario)
    scenario.sync(full=True)
    before = _dump(scenario)
    assert doctor(Settings.load()) == 0
    assert "another schema" not in capsys.readouterr().out
    foreign("abroad9")
    assert doctor(Settings.load()) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAIL")]
    assert line.startswith("FAIL  workspace: INTERCOM_API_KEY is of workspace abroad9, but the tables hold")
    assert "sandbox1" in line
    assert _dump(scenario) == before


def test_the_id_is_stored_by_the_first_sync_and_by_the_first_after_an_upgrade(scenario: Scenario) -> None:
    _fill(scenario)
    stored = "SELECT value FROM sync_state WHERE name = 'workspace_id'"
    scenario.sync(full=True)
    assert scenario.values(stored) == ["sandbox1"]
    scenario.rows("DELETE FROM sync_state")
    scenario.sync(NOW + DAY)
    assert scenario.values(stored) == ["sandbox1"]


def test_a_database_that_a_foreign_key_had_added_to_belongs_to_most_of_its_contacts(
    scenario: Scenario, foreign: Callable[[str], Sandbox]
) -> None:
    """As the version before let it: the right key goes on, the foreign one does not."""
    _fill(scenario)
    scenario.put(person("f1", "foreign@example.com", workspace_id="abroad9"))
    scenario.sync(full=True)
    scenario.rows("DELETE FROM sync_state")
    url = scenario.sandbox.url
    foreign("abroad9")
    assert not scenario.run(NOW + DAY, full=True).result.success
    assert scenario.values("SELECT count(*) FROM unified_customers WHERE intercom_deleted_at IS NULL") == [6]
    assert url


def test_a_first_key_that_brought_nothing_does_not_bind(
    scenario: Scenario, foreign: Callable[[str], Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = scenario.sandbox.url
    other = foreign("abroad9")
    other.faults.add(error(403, "forbidden", "no"), match="POST *")
    assert not scenario.run(full=True).result.success
    monkeypatch.setenv("INTERCOM_BASE_URL", url)
    _fill(scenario)
    scenario.sync(full=True)
    assert len(scenario.emails()) == 5


@pytest.mark.parametrize("app", [None, {}, {"id_code": None}, {"id_code": 7}, [], "app"])
def test_an_answer_that_names_no_workspace_leaves_it_to_the_contacts(scenario: Scenario, app: object) -> None:
    _fill(scenario)
    scenario.sandbox.faults.add(
        Fault(status=200, body=json.dumps({"type": "admin", "app": app}).encode()), match="GET /me"
    )
    synced = scenario.run(full=True)
    if app == {"id_code": 7}:
        assert "carry workspace sandbox1" in why(synced.result)
    else:
        assert synced.result.success
        assert scenario.values("SELECT value FROM sync_state WHERE name = 'workspace_id'") == ["sandbox1"]
        assert synced.row["errors"] == 0


def test_neither_the_token_nor_any_contact_names_the_workspace(scenario: Scenario) -> None:
    scenario.put(person("c1", "ada@example.com", workspace_id=None), person("c2", "bob@example.com", workspace_id=7.5))
    scenario.sandbox.faults.add(error(401, "unauthorized", "no"), match="GET /me")
    synced = scenario.sync(full=True)
    assert scenario.emails() == ["ada@example.com", "bob@example.com"]
    assert synced.row["errors"] == 0


def test_single_contacts_that_carry_another_workspace_are_no_reason(scenario: Scenario) -> None:
    _fill(scenario)
    scenario.put(person("c9", "nine@example.com", workspace_id="elsewhere"))
    scenario.sync(full=True)
    assert "nine@example.com" in scenario.emails()


def test_contacts_of_another_workspace_than_the_token_are_refused(scenario: Scenario) -> None:
    _fill(scenario)
    scenario.sync(full=True)
    before = scenario.emails()
    scenario.put(person("c9", "nine@example.com", updated=NOW + DAY, workspace_id="elsewhere"))
    refused = scenario.run(NOW + 2 * DAY)
    assert "elsewhere" in why(refused.result)
    assert "sandbox1" in why(refused.result)
    assert scenario.emails() == before
