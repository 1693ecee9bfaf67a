"""Every request that a sync makes, against Intercom's own description of its API."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from intercom_sync.domain.window import Window
from intercom_sync.sandbox.requests import Request
from intercom_sync_tests.end_to_end.scenario import DAY, NOW, Scenario, person, talk


@pytest.fixture
def requests(scenario: Scenario) -> list[Request]:
    """What a full sync, a window, a catch-up and a full sync that misses some ask for: several pages, and parts."""
    scenario.put(*(person(f"c{n:03}", f"p{n}@example.com", updated=NOW - n * DAY / 24) for n in range(320)))
    scenario.talks(*(talk(f"5{n:03}", "c001", "Hello", "Thanks", created=NOW - n * DAY / 24) for n in range(170)))
    scenario.sync(full=True)
    scenario.sync(window=Window(NOW - 20 * DAY, NOW))
    scenario.sync(NOW + DAY)
    scenario.company.archive_contact("c002")
    scenario.company.delete_conversation("5003")
    scenario.sync(NOW + 2 * DAY, full=True)
    return list(scenario.sandbox.requests)


def _operation(described: Any, request: Request) -> tuple[str, Any]:
    """The operation that a request calls; literal paths before templates, as OpenAPI has it."""
    templates = sorted(described["paths"], key=lambda path: path.count("{"))
    for template in templates:
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), request.path):
            return template, described["paths"][template][request.method.lower()]
    raise AssertionError(f"{request.method} {request.path} is not in Intercom's description")


def _parameters(described: Any, operation: Any) -> Iterator[Any]:
    for given in operation.get("parameters", []):
        name = given.get("$ref", "").rpartition("/")[2]
        yield described["components"]["parameters"][name] if name else given


def test_every_request_is_one_that_intercom_describes(described: Any, requests: list[Request]) -> None:
    from openapi_schema_validator import OAS30Validator
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    root = {"components": described["components"]}
    registry = Registry().with_resource("", DRAFT202012.create_resource(root))
    called = set()
    for request in requests:
        template, operation = _operation(described, request)
        called.add(f"{request.method} {template}")
        parameters = {one["name"]: one for one in _parameters(described, operation)}
        assert set(request.query) <= set(parameters)
        version = parameters["Intercom-Version"]["schema"]
        name = version["$ref"].rpartition("/")[2]
        assert request.headers["intercom-version"] in described["components"]["schemas"][name]["enum"]
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            error = next(OAS30Validator({**schema, **root}, registry=registry).iter_errors(request.json), None)
            assert error is None, f"{request.json}: {list(error.absolute_path)}: {error.message[:300]}"
    assert called == {
        "POST /contacts/search",
        "GET /contacts/{contact_id}",
        "POST /conversations/search",
        "GET /conversations/{conversation_id}",
        "GET /conversations/deleted",
        "GET /me",
    }


def test_every_request_says_who_asks_what_it_takes_and_what_it_sends(requests: list[Request]) -> None:
    for request in requests:
        assert request.headers["authorization"] == "Bearer an invented token"
        assert request.headers["accept"] == "application/json"
        assert request.headers["intercom-version"] == "2.16"
        if request.method == "POST":
            assert request.headers["content-type"].startswith("application/json")
        assert request.status == (404 if request.path == "/contacts/c002" else 200)


def test_every_search_obeys_what_the_documentation_says_beyond_the_schema(requests: list[Request]) -> None:
    """Dates by `<`, `>` and `=` only; at most 150 a page, 15 filters in 2 levels; the cursor in the body; a sort."""

    def filters(query: Any, level: int = 0) -> Iterator[Any]:
        assert level <= 2
        if "field" in query:
            yield query
        else:
            assert 0 < len(query["value"]) <= 15
            for inner in query["value"]:
                yield from filters(inner, level + 1)

    searches = [request for request in requests if request.path.endswith("/search")]
    assert any("starting_after" in request.json["pagination"] for request in searches)
    for request in searches:
        wanted = {"include_merge_history": "true"} if request.path == "/contacts/search" else {}
        assert request.query == wanted
        assert 0 < request.json["pagination"]["per_page"] <= 150
        assert request.json["sort"]["order"] in {"ascending", "descending"}
        for one in filters(request.json["query"]):
            assert one["field"] in {"created_at", "updated_at", "role"}
            assert one["operator"] in {"<", ">", "="}
