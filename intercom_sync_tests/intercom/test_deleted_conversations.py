"""The list of deleted conversations: page by page, newest first, back to an instant, and always at our own host."""

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest

from intercom_sync.intercom.errors import IntercomError, ServiceUnavailableError
from intercom_sync.intercom.fetch_by_id import iter_deleted_conversations
from intercom_sync.intercom.http.retry import RETRIES
from intercom_sync.sandbox.builders import conversation
from intercom_sync.sandbox.faults import Fault, error, status
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync_tests.intercom.scenario import NOW, client_of

_PATH = "/conversations/deleted"
_COUNT = 150


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A company that deleted 150 conversations, a minute apart; number 149 last."""
    moment = [NOW]
    company = Workspace(clock=lambda: moment[0])
    for number in range(_COUNT):
        moment[0] = NOW + 60 * number
        company.put_conversation(conversation(id=str(number)))
        company.delete_conversation(str(number))
    with Sandbox(company) as running:
        yield running


def _listed(sandbox: Sandbox, since: int | None = None, version: str = "2.16") -> list[list[str]]:
    with client_of(sandbox.url, version=version) as client:
        return list(iter_deleted_conversations(client, since))


def test_the_list_is_read_newest_first_to_its_end(sandbox: Sandbox) -> None:
    pages = _listed(sandbox)
    assert [len(page) for page in pages] == [60, 60, 30]
    assert list(chain(*pages)) == [str(number) for number in reversed(range(_COUNT))]


def test_it_is_read_no_further_than_the_page_that_reaches_beyond_the_instant(sandbox: Sandbox) -> None:
    assert len(_listed(sandbox, since=NOW + 60 * (_COUNT - 60) - 1)) == 2
    assert len(_listed(sandbox, since=NOW + 60 * (_COUNT - 60) + 1)) == 1
    assert len(sandbox.requests) == 3


def test_an_empty_list_costs_one_request() -> None:
    with Sandbox(Workspace()) as sandbox:
        assert _listed(sandbox) == []
        assert len(sandbox.requests) == 1


@pytest.mark.parametrize("version", ["2.15", "Preview"])
def test_a_version_without_the_list_is_not_asked_for_it(sandbox: Sandbox, version: str) -> None:
    assert _listed(sandbox, version=version) == []
    assert sandbox.requests == []


@pytest.mark.parametrize("answer", [error(404, "not_found", "?"), error(400, "intercom_version_invalid", "no such")])
def test_where_there_is_no_such_list_nothing_is_said_or_counted(sandbox: Sandbox, answer: Fault) -> None:
    sandbox.faults.add(answer, match=f"GET {_PATH}")
    with client_of(sandbox.url) as client:
        assert list(iter_deleted_conversations(client, None)) == []
        assert client.request_stats.errors == 0


@pytest.mark.parametrize("answer", [error(500, "server_error", "?"), error(400, "parameter_invalid", "page")])
def test_a_page_that_stays_refused_is_counted_and_told_after_the_pages_before_it(
    sandbox: Sandbox, answer: Fault
) -> None:
    sandbox.faults.add(answer, match=f"GET {_PATH}", after=1)
    with client_of(sandbox.url) as client:
        pages = iter_deleted_conversations(client, None)
        assert len(next(pages)) == 60
        with pytest.raises(IntercomError):
            next(pages)
        assert client.request_stats.errors == 1


def _answer(*names: str, **more: Any) -> Fault:
    items = [{"type": "conversation", "id": name, "deleted_at": NOW} for name in names]
    return status(200, json.dumps({"type": "conversations.list", "conversations": items, **more}))


def test_the_next_page_is_asked_of_our_own_host_whatever_the_answer_names(sandbox: Sandbox) -> None:
    with Sandbox(Workspace()) as elsewhere:
        sandbox.faults.add(_answer("7", pages={"next": f"{elsewhere.url}{_PATH}?page=9"}), times=1)
        assert _listed(sandbox)[0] == ["7"]
        assert elsewhere.requests == []
    assert [request.query["page"] for request in sandbox.requests] == ["1", "2", "3"]


def test_a_page_that_comes_again_and_again_ends_the_list(sandbox: Sandbox) -> None:
    sandbox.faults.add(_answer("7", "8", pages={"next": "https://api.intercom.io/again"}))
    assert _listed(sandbox) == [["7", "8"]]


@pytest.mark.parametrize("pages", [None, {}, {"next": None}])
def test_any_form_of_no_next_page_ends_the_list(sandbox: Sandbox, pages: Any) -> None:
    sandbox.faults.add(_answer("7", pages=pages))
    assert _listed(sandbox, since=NOW - 1) == [["7"]]
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("pages", ["none", [], 7, {"next": ""}, {"next": {}}, {"next": {"page": 2}}, {"next": 2}])
def test_what_is_no_url_of_a_next_page_is_no_end_of_the_list(sandbox: Sandbox, pages: Any) -> None:
    sandbox.faults.add(_answer("7", pages=pages), times=RETRIES)
    assert [len(page) for page in _listed(sandbox)] == [60, 60, 30]
    sandbox.faults.add(_answer("7", pages=pages))
    with pytest.raises(ServiceUnavailableError):
        _listed(sandbox)


def test_what_cannot_be_read_of_it_is_passed_over(sandbox: Sandbox) -> None:
    listed = ["7", None, {"id": None, "deleted_at": NOW}, {"id": "8", "deleted_at": "yesterday"}, {"id": 9}]
    sandbox.faults.add(status(200, json.dumps({"conversations": listed})))
    assert _listed(sandbox, since=NOW) == [["8", "9"]]
