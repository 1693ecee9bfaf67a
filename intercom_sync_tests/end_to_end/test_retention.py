"""Words are kept for 30 days after they were written, and in no table of ours longer."""

import pytest

from intercom_sync.sandbox.builders import author, message
from intercom_sync.sandbox.faults import error
from intercom_sync_tests.end_to_end.scenario import DAY, HOUR, NOW, Scenario, at, person, talk
from intercom_sync_tests.end_to_end.stored import found

_SENTENCE = "the heron is leaving the pond"
_TABLES = {"intercom_messages", "customer_alerts", "rejected_records"}


@pytest.fixture
def planted(scenario: Scenario) -> Scenario:
    """A company in which the sentence stands wherever Intercom may have it, an hour old, after a sync."""
    broken = talk("502", "c1", f"So: {_SENTENCE}", created=NOW - HOUR)
    scenario.put(person("c1", "ada@example.com"), person("c2", "bob@example.com"))
    scenario.talks(
        talk("500", "c1", f"So: {_SENTENCE}", created=NOW - HOUR),
        talk("501", "c2", "Hello", f"So: {_SENTENCE}", created=NOW - HOUR),
        broken | {"contacts": "nobody"},
        talk("503", "c1", _SENTENCE, created=NOW - HOUR) | {"created_at": _SENTENCE},
        talk("504", "c1", _SENTENCE, created=NOW - HOUR) | {"contacts": [_SENTENCE]},
    )
    scenario.sync(full=True)
    return scenario


def test_of_a_refused_conversation_only_the_value_that_breaks_a_rule_is_kept(planted: Scenario) -> None:
    kept = planted.rows("SELECT id, field, value, payload FROM rejected_records ORDER BY id")
    assert [tuple(row.values()) for row in kept] == [
        ("502", "contacts", "nobody", None),
        ("503", "created_at", _SENTENCE, None),
        ("504", "contacts", [_SENTENCE], None),
    ]


def test_a_number_that_breaks_a_conversation_is_kept_for_a_person_to_mend(scenario: Scenario) -> None:
    scenario.put(person("c1", "ada@example.com"))
    scenario.talks(talk("500", "c1") | {"created_at": -5}, talk("501", "c1") | {"updated_at": None})
    scenario.sync(full=True)
    assert scenario.values("SELECT value FROM rejected_records WHERE id = '500'") == [-5]


@pytest.mark.parametrize("told", [True, False])
def test_after_31_days_no_table_holds_the_words(planted: Scenario, database_url: str, schema: str, told: bool) -> None:
    assert planted.values("SELECT details->>'excerpt' FROM customer_alerts") == [f"So: {_SENTENCE}"] * 2
    if told:
        planted.rows("UPDATE customer_alerts SET delivered_at = %s", NOW)
    before = planted.rows("SELECT id, kind, email, run, delivered_at FROM customer_alerts ORDER BY id")
    planted.sync(NOW + 29 * DAY)
    assert found(database_url, [schema], _SENTENCE) == _TABLES
    planted.sync(NOW + 31 * DAY)
    assert found(database_url, [schema], _SENTENCE) == set()
    assert planted.rows("SELECT id, kind, email, run, delivered_at FROM customer_alerts ORDER BY id") == before
    assert all(planted.values("SELECT details->>'conversation_url' FROM customer_alerts"))


def test_old_words_do_not_land_again_with_a_full_sync(planted: Scenario, database_url: str, schema: str) -> None:
    planted.sync(NOW + 31 * DAY, full=True)
    assert found(database_url, [schema], _SENTENCE) == set()


def test_words_go_also_when_intercom_is_away(planted: Scenario, database_url: str, schema: str) -> None:
    planted.sandbox.faults.add(error(401, "unauthorized", "Access Token Invalid"))
    assert not planted.run(NOW + 31 * DAY).result.success
    assert found(database_url, [schema], _SENTENCE) == set()


def test_no_message_older_than_30_days_stands_after_any_sync(scenario: Scenario) -> None:
    scenario.put(person("c1", "ada@example.com"))
    for day in range(0, 60, 10):
        scenario.talks(
            talk(str(500 + day), "c1", "Hello", "and more", created=NOW + day * DAY, updated_at=at(NOW + day * DAY))
        )
        scenario.sync(NOW + day * DAY + HOUR)
        oldest = scenario.values("SELECT min(created_at) FROM intercom_messages")[0]
        assert oldest >= NOW + (day - 30) * DAY + HOUR
    assert scenario.values("SELECT count(*) FROM intercom_messages") == [6]


def test_what_opened_a_conversation_long_ago_does_not_stay_for_a_new_reply(scenario: Scenario) -> None:
    scenario.put(person("c1", "ada@example.com"))
    opening = message(body=_SENTENCE, author=author("user", "c1"))
    scenario.talks(
        talk("500", "c1", "Hello", "new words", created=NOW - 40 * DAY, updated_at=at(NOW - HOUR)) | {"source": opening}
    )
    scenario.sync(full=True)
    assert scenario.values("SELECT text FROM intercom_messages WHERE text LIKE '%%heron%%'") == []
