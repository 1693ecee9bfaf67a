"""Answers against Intercom's official OpenAPI description of API 2.16, and against Intercom's own Python SDK.

The description is not part of this project; INTERCOM_OPENAPI names a copy of it.
"""

import os
from pathlib import Path

import pytest

from intercom_sync.sandbox.builders import contact
from intercom_sync.sandbox.generate import generate
from intercom_sync.sandbox.server import Sandbox

NOW = 1_750_075_200
# Declared as never null, yet null in Intercom's own examples or in real answers.
NULL_IN_PRACTICE = {
    "contact": {"email", "location"},
    "conversation_rating": {"rating", "remark"},
    "conversation_part": {"notified_at", "assigned_to"},
    "conversation": {"company", "ai_agent", "ticket"},
    "conversation_list_item": {"company", "ai_agent", "ticket"},
}
ENDPOINTS = {
    "/me": "admin_with_app",
    "/data_attributes?model=contact": "data_attribute_list",
    "/contacts?per_page=150": "contact_list",
    "/contacts/{contact}": "contact",
    "/contacts/{contact}?include_merge_history=true": "contact",
    "/contacts/{contact}/merge_history": "merge_history_list",
    "/contacts/find_by_external_id/account-1": "contact",
    "/conversations?per_page=150": "conversation_list",
    "/conversations/200001": "conversation",
    "/conversations/200001?display_as=plaintext": "conversation",
    "/conversations/200018": "conversation",
    "/conversations/deleted": "deleted_conversation_list",
    "/contacts/nobody": "error",
    "/contacts/{merged}": "error",
    "/conversations/nothing": "error",
    "/nowhere": "error",
}


@pytest.fixture(scope="module")
def company():
    """Below 200 records nothing is broken, and every sound case is there."""
    company = generate(contacts=180, conversations=180, now=NOW)
    company.put_contact(contact(id="c" * 24))
    company.put_contact(contact(id="d" * 24, role="lead", email=None))
    company.merge_contact("d" * 24, "c" * 24)
    company.delete_conversation("200150")
    return company


@pytest.fixture(scope="module")
def sandbox(company):
    with Sandbox(company) as running:
        yield running


@pytest.fixture(scope="module")
def schemas():
    """The description's schemas, read as JSON Schema: nullable where declared, and where practice says so."""
    path = os.environ.get("INTERCOM_OPENAPI")
    if not path:
        pytest.skip("INTERCOM_OPENAPI does not name Intercom's OpenAPI description (YAML, API 2.16)")
    import yaml

    described = yaml.load(Path(path).read_text(), Loader=yaml.CSafeLoader)["components"]["schemas"]
    for schema, fields in NULL_IN_PRACTICE.items():
        for name in fields & set(described[schema]["properties"]):
            described[schema]["properties"][name] = _or_null(described[schema]["properties"][name])
    statistics = described["conversation_statistics"]["properties"]
    statistics.update({name: _or_null(inner) for name, inner in statistics.items()})
    return described


def _or_null(schema):
    return {"anyOf": [schema, {"type": "string", "nullable": True, "enum": [None]}]}


@pytest.fixture(scope="module")
def conforms(schemas):
    """`conforms(body, schema name)` fails with the first place where the body is not as described."""
    from openapi_schema_validator import OAS30Validator
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    root = {"components": {"schemas": schemas}}
    registry = Registry().with_resource("", DRAFT202012.create_resource(root))

    def conforms(body, name):
        validator = OAS30Validator({"$ref": f"#/components/schemas/{name}", **root}, registry=registry)
        error = next(validator.iter_errors(body), None)
        assert error is None, f"{name}: {list(error.absolute_path)}: {error.message[:300]}"

    return conforms


@pytest.mark.parametrize(("path", "schema"), ENDPOINTS.items(), ids=ENDPOINTS.keys())
def test_every_endpoint_answers_as_intercom_describes(conforms, session, sandbox, path, schema):
    answer = session.get(sandbox.url + path.format(contact="c" * 24, merged="d" * 24))
    assert (answer.status_code < 400) is (schema != "error")
    conforms(answer.json(), schema)


@pytest.mark.parametrize("what", ["contact", "conversation"])
@pytest.mark.parametrize("per_page", [1, 150])
def test_searches_answer_as_intercom_describes(conforms, session, sandbox, what, per_page):
    body = {
        "query": {"field": "created_at", "operator": ">", "value": 1},
        "pagination": {"per_page": per_page},
    }
    answer = session.post(f"{sandbox.url}/{what}s/search", json=body).json()
    assert len(answer.get("data", answer.get("conversations"))) == per_page
    conforms(answer, f"{what}_list")


def test_every_conversation_of_the_company_is_as_intercom_describes(conforms, company):
    for each in company.conversations():
        conforms(each, "conversation")


@pytest.mark.parametrize(("token", "status"), [("wrong", 401), ("forbidden", 403), ("good", 400)])
def test_refusals_are_as_intercom_describes(conforms, session, sandbox, token, status):
    answer = session.post(f"{sandbox.url}/contacts/search", json={}, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status
    conforms(answer.json(), "error")


def test_the_description_is_strict_enough_to_notice_a_wrong_answer(conforms):
    with pytest.raises(AssertionError, match="contact_list"):
        conforms({"type": "list", "data": [{"type": "contact", "created_at": "yesterday"}]}, "contact_list")


@pytest.fixture(scope="module")
def sdk(sandbox):
    intercom = pytest.importorskip("intercom", reason="Intercom's SDK (python-intercom) is not installed")
    import httpx

    with httpx.Client(follow_redirects=True) as client:
        yield intercom.Intercom(token="sandbox", base_url=sandbox.url, httpx_client=client)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("what", ["contacts", "conversations"])
def test_intercoms_own_sdk_lists_to_the_end(sdk, company, what):
    expected = sorted(each["id"] for each in getattr(company, what)())
    assert sorted(each.id for each in getattr(sdk, what).list(per_page=50)) == expected


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("what", ["contacts", "conversations"])
def test_intercoms_own_sdk_searches_to_the_end(sdk, company, what):
    """Its search pager (5.0.1) forgets the cursor and repeats page one, so the cursor is handed on here."""
    from intercom import SingleFilterSearchRequest, StartingAfterPaging

    every = SingleFilterSearchRequest(field="created_at", operator=">", value=1)
    paging, ids = StartingAfterPaging(per_page=50), []
    while paging is not None:
        page = getattr(sdk, what).search(query=every, pagination=paging)
        ids += [each.id for each in page.items]
        following = page.response.pages.next
        paging = following and StartingAfterPaging(per_page=50, starting_after=following.starting_after)
    assert sorted(ids) == sorted(each["id"] for each in getattr(company, what)())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_intercoms_own_sdk_reads_a_conversation_and_an_error(sdk):
    from intercom.core.api_error import ApiError

    assert sdk.conversations.find("200001").id == "200001"
    with pytest.raises(ApiError) as refusal:
        sdk.contacts.find("nobody")
    assert refusal.value.status_code == 404
