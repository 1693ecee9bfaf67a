"""Who may ask, and what every endpoint but the searches answers."""

import pytest

from intercom_sync.sandbox.builders import contact, conversation, message, part
from intercom_sync.sandbox.server import Sandbox

RATE_HEADERS = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


def code(answer):
    return answer.status_code, answer.json()["errors"][0]["code"]


@pytest.mark.parametrize("token", ["wrong", "an-invalid-one", "bad", "revoked-1", "Expired"])
def test_a_token_that_says_it_is_no_good_is_refused_without_rate_headers(ask, token):
    answer = ask("GET", "/me", headers={"Authorization": f"Bearer {token}"})
    assert code(answer) == (401, "unauthorized")
    assert answer.json()["errors"][0]["message"] == "Access Token Invalid"
    assert not RATE_HEADERS & set(answer.headers)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc"])
def test_no_bearer_token_is_refused(ask, header):
    assert code(ask("GET", "/me", headers={"Authorization": header})) == (401, "missing_authorization")


def test_a_token_without_rights_is_forbidden(ask):
    assert code(ask("GET", "/me", headers={"Authorization": "Bearer forbidden"})) == (403, "api_plan_restricted")


def test_a_sandbox_with_a_token_takes_only_that(company, session):
    with Sandbox(company, token="the-one") as sandbox:
        assert session.get(f"{sandbox.url}/me").status_code == 401
        assert session.get(f"{sandbox.url}/me", headers={"Authorization": "Bearer the-one"}).status_code == 200


def test_unknown_paths_and_wrong_methods_are_told_apart(ask):
    assert code(ask("GET", "/tickets")) == (404, "not_found")
    assert code(ask("GET", "/contacts/c1/notes")) == (404, "not_found")
    assert code(ask("GET", "/contacts/search")) == (405, "method_not_allowed")
    assert code(ask("DELETE", "/contacts/c1")) == (405, "method_not_allowed")


@pytest.mark.parametrize("version", ["latest", "9.9", "", "2.16.1"])
def test_a_version_that_is_not_spoken_is_refused(ask, version):
    assert code(ask("GET", "/me", headers={"Intercom-Version": version})) == (400, "intercom_version_invalid")


def test_a_client_that_takes_no_json_is_refused(ask):
    assert code(ask("GET", "/me", headers={"Accept": "text/html"})) == (406, "not_acceptable")


def test_me_tells_the_timezone_of_the_workspace(company, ask):
    company.timezone = "Europe/Dublin"
    assert ask("GET", "/me").json()["app"]["timezone"] == "Europe/Dublin"


def test_data_attributes_are_those_that_contacts_carry(company, ask):
    company.put_contact(contact(custom_attributes={"stripe_last_charge_at": 1, "stripe_delinquent": False, "x": None}))
    listed = ask("GET", "/data_attributes?model=contact").json()["data"]
    types = {each["full_name"]: each["data_type"] for each in listed}
    assert types["custom_attributes.stripe_last_charge_at"] == "date"
    assert types["custom_attributes.stripe_delinquent"] == "boolean"
    assert types["created_at"] == "date"
    assert "custom_attributes.x" not in types
    assert code(ask("GET", "/data_attributes?model=conversation")) == (422, "parameter_invalid")


def test_an_archived_contact_is_gone_everywhere(company, ask, found):
    company.archive_contact("c1")
    assert code(ask("GET", "/contacts/c1")) == (404, "not_found")
    assert "c1" not in found("created_at", ">", 1)
    assert "c1" not in [item["id"] for item in ask("GET", "/contacts").json()["data"]]
    assert "c1" not in [item["id"] for item in company.contacts()]


def test_a_merged_contact_points_to_where_it_went(company, ask, found):
    company.merge_contact("c1", "c2")
    company.merge_contact("c2", "c3")
    answer = ask("GET", "/contacts/c1")
    assert code(answer) == (410, "contact_merged")
    assert answer.headers["Link"] == '</contacts/c3>; rel="canonical"'
    assert not {"c1", "c2"} & set(found("created_at", ">", 1))


def test_a_link_follows_at_most_three_merges(company, ask):
    for number in range(4):
        company.merge_contact(f"c{number}", f"c{number + 1}")
    assert ask("GET", "/contacts/c0").headers["Link"] == '</contacts/c3>; rel="canonical"'


def test_the_conversations_of_a_merged_contact_are_the_targets(company, ask, found):
    company.merge_contact("c1", "c2")
    assert sorted(found("contact_ids", "=", "c2", what="conversations")) == ["1", "2"]
    whole = ask("GET", "/conversations/1").json()
    assert whole["contacts"]["contacts"][0]["id"] == whole["source"]["author"]["id"] == "c2"


def test_merging_or_archiving_what_is_not_there_is_an_error(company):
    with pytest.raises(KeyError):
        company.archive_contact("nobody")
    with pytest.raises(KeyError):
        company.merge_contact("c1", "nobody")
    with pytest.raises(KeyError):
        company.merge_contact("c1", "c1")
    assert len(company.contacts()) == 7


def test_merge_history_is_paged_and_only_for_users(company, ask):
    company.put_contact(contact(id="lead", role="lead"))
    for number in (1, 2, 3):
        company.merge_contact(f"c{number}", "c0")
    first = ask("GET", "/contacts/c0/merge_history?per_page=2").json()
    rest = ask("GET", "/contacts/c0/merge_history", params={"cursor": first["next_cursor"]}).json()
    assert (first["has_more"], rest["has_more"], rest["next_cursor"]) == (True, False, None)
    sources = [item["source_contact_id"] for item in first["data"] + rest["data"]]
    assert sorted(sources) == ["c1", "c2", "c3"]
    assert code(ask("GET", "/contacts/lead/merge_history")) == (404, "not_found")
    asked = ask("GET", "/contacts/c0?include_merge_history=true").json()
    assert len(asked["merge_history"]) == 3


@pytest.mark.parametrize("merged", [False, True])
def test_a_search_asked_for_merges_tells_them_of_every_user_and_of_no_lead(company, ask, merged):
    company.put_contact(contact(id="lead", role="lead", custom_attributes={"role": "user"}))
    company.put_contact(contact(id="odd", custom_attributes={"role": "lead"}))
    if merged:
        company.merge_contact("c1", "c0")
    body = {"query": {"field": "created_at", "operator": ">", "value": 1}, "pagination": {"per_page": 150}}
    plain = {one["id"]: one for one in ask("POST", "/contacts/search", json=body).json()["data"]}
    listed = ask("POST", "/contacts/search?include_merge_history=true", json=body).json()["data"]
    histories = {one["id"]: one.pop("merge_history", None) for one in listed}
    assert [one["source_contact_id"] for one in histories.pop("c0")] == (["c1"] if merged else [])
    assert {id: history for id, history in histories.items() if history != []} == {"lead": None}
    assert {one["id"]: one for one in listed} == plain


def test_external_ids_find_users_only(company, ask):
    company.put_contact(contact(id="u", external_id="a/b 7"))
    company.put_contact(contact(id="l", role="lead", external_id="lead-7"))
    assert ask("GET", "/contacts/find_by_external_id/a%2Fb%207").json()["id"] == "u"
    assert code(ask("GET", "/contacts/find_by_external_id/lead-7")) == (404, "not_found")


def test_a_contact_by_id_carries_more_than_in_a_list(ask):
    assert "referrer" in ask("GET", "/contacts/c1").json()
    assert "referrer" not in ask("GET", "/contacts").json()["data"][0]


def test_a_long_conversation_comes_with_its_newest_500_parts(company, ask):
    parts = [part(id=str(number), created_at=1_700_000_000 + number) for number in range(620)]
    company.put_conversation(conversation(id="77", parts=parts))
    listed = ask("GET", "/conversations/77").json()["conversation_parts"]["conversation_parts"]
    assert [listed[0]["id"], listed[-1]["id"], len(listed)] == ["120", "619", 500]
    assert len(company.conversations()[-1]["conversation_parts"]["conversation_parts"]) == 620


def test_plaintext_is_text_without_html_and_entities(company, ask):
    body = "<p>I won&#39;t renew</p><p>see <a href='https://x.example'>this</a></p>"
    company.put_conversation(
        conversation(id="5", source=message(body=body), parts=[part(body="<b>a</b>b"), part(body=None)])
    )
    plain = ask("GET", "/conversations/5?display_as=plaintext").json()
    assert plain["source"]["body"] == "I won't renew\nsee this (https://x.example)"
    assert [each["body"] for each in plain["conversation_parts"]["conversation_parts"]] == ["ab", None]
    assert ask("GET", "/conversations/5").json()["source"]["body"] == body


def test_deleted_conversations_are_gone_and_listed(company, ask, found):
    for id in ("0", "1", "2"):
        company.delete_conversation(id)
    assert code(ask("GET", "/conversations/1")) == (404, "conversation_not_found")
    assert found("created_at", ">", 1, what="conversations") == []
    first = ask("GET", "/conversations/deleted?per_page=2").json()
    assert first["pages"]["next"].startswith("http")
    rest = ask("GET", first["pages"]["next"][first["pages"]["next"].index("/conversations") :]).json()
    assert {item["id"] for item in first["conversations"] + rest["conversations"]} == {"0", "1", "2"}
    assert "next" not in rest["pages"]
    assert code(ask("GET", "/conversations/deleted?per_page=61")) == (400, "parameter_invalid")


def test_what_is_put_again_replaces_what_was_there(company, ask):
    company.archive_contact("c1")
    company.put_contact(contact(id="c1", name="Back"))
    company.put_contact(contact(id="c2", name="New"))
    assert [ask("GET", f"/contacts/{id}").json()["name"] for id in ("c1", "c2")] == ["Back", "New"]
    assert len(company.contacts()) == 7


def test_the_log_keeps_what_was_asked_and_answered(sandbox, ask, search):
    ask("GET", "/me?x=1")
    search("shoe_size", "=", 1)
    first, second = sandbox.requests
    assert (first.method, first.path, first.query, first.json, first.status) == ("GET", "/me", {"x": "1"}, None, 200)
    assert (second.json["query"]["field"], second.status) == ("shoe_size", 400)
    assert first.received <= second.received
    assert second.headers["intercom-version"] == "2.16"
    sandbox.requests.clear()
    assert sandbox.requests == []
