"""Pages and cursors."""

import base64

import pytest

from intercom_sync.sandbox.builders import contact

NOON = 1_750_075_200
BY_CREATION = {"field": "created_at", "order": "ascending"}


def pages_of(search, per_page, sort, what="contacts"):
    """Every page of everything, following the cursor as a client does."""
    pages, cursor = [], None
    while True:
        pagination = {"per_page": per_page, "starting_after": cursor}
        body = search("created_at", ">", 1, what=what, sort=sort, pagination=pagination).json()
        pages.append(body)
        if "next" not in body["pages"]:
            return pages
        cursor = body["pages"]["next"]["starting_after"]


@pytest.mark.parametrize("field", ["created_at", "updated_at", "last_seen_at", "email", "id", "signed_up_at", "role"])
@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("per_page", [1, 3, 7])
def test_following_the_cursor_visits_every_record_once_in_order(search, field, order, per_page):
    pages = pages_of(search, per_page, {"field": field, "order": order})
    ids = [item["id"] for page in pages for item in page["data"]]
    whole = search("created_at", ">", 1, sort={"field": field, "order": order}).json()["data"]
    assert ids == [item["id"] for item in whole]
    assert sorted(ids) == [f"c{number}" for number in range(7)]
    assert [page["pages"]["page"] for page in pages] == list(range(1, len(pages) + 1))
    assert pages[0]["pages"]["total_pages"] == len(pages)


def test_records_of_the_same_second_are_neither_lost_nor_repeated(company, search):
    for number in range(20):
        company.put_contact(contact(id=f"twin{number}", created_at=NOON))
    ids = [item["id"] for page in pages_of(search, 4, BY_CREATION) for item in page["data"]]
    assert len(ids) == len(set(ids)) == 27


def test_the_last_page_has_no_next(search):
    assert "next" not in search("created_at", ">", 1, pagination={"per_page": 7}).json()["pages"]
    assert search("created_at", ">", 1, pagination={"per_page": 6}).json()["pages"]["next"]["page"] == 2


def test_page_sizes_by_default_are_50_20_and_10(company, search, ask):
    for number in range(60):
        company.put_contact(contact(id=f"more{number}"))
        company.put_conversation({"id": f"more{number}", "created_at": NOON, "updated_at": NOON})
    assert len(search("created_at", ">", 1).json()["data"]) == 50
    assert len(search("created_at", ">", 1, what="conversations").json()["conversations"]) == 20
    assert len(ask("GET", "/contacts").json()["data"]) == 10
    assert len(ask("GET", "/conversations").json()["conversations"]) == 20


@pytest.mark.parametrize("path", ["/contacts", "/conversations"])
def test_a_list_is_paged_by_the_url(ask, path):
    ids, cursor = [], ""
    while cursor is not None:
        body = ask("GET", f"{path}?per_page=2", params={"starting_after": cursor}).json()
        ids += [item["id"] for item in body.get("data", body.get("conversations"))]
        cursor = body["pages"].get("next", {}).get("starting_after")
    assert len(ids) == len(set(ids)) == body["total_count"]


def test_a_cursor_in_the_url_of_a_search_is_ignored(ask):
    body = {"query": {"field": "created_at", "operator": ">", "value": 1}, "pagination": {"per_page": 2}}
    first = ask("POST", "/contacts/search", json=body).json()
    cursor = first["pages"]["next"]["starting_after"]
    again = ask("POST", "/contacts/search", json=body, params={"starting_after": cursor}).json()
    assert again["data"] == first["data"]


@pytest.mark.parametrize(
    "cursor",
    ["garbage", "!!", 5, [], base64.b64encode(b"[1]").decode(), base64.b64encode(b'{"a":1}').decode()],
)
def test_garbage_for_a_cursor_is_refused(search, cursor):
    answer = search("created_at", ">", 1, pagination={"starting_after": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "client_error")


def test_a_cursor_of_another_sort_is_refused(search):
    cursor = search("created_at", ">", 1, pagination={"per_page": 2}, sort=BY_CREATION).json()
    cursor = cursor["pages"]["next"]["starting_after"]
    other = {"field": "updated_at", "order": "ascending"}
    answer = search("created_at", ">", 1, sort=other, pagination={"starting_after": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "client_error")


def test_a_record_that_moves_between_pages_is_missed_or_met_again(company, search):
    """Cursors keep no snapshot: that is why the sync sorts by what never changes."""
    newest_first = {"field": "updated_at", "order": "descending"}
    first = search("created_at", ">", 1, sort=newest_first, pagination={"per_page": 3}).json()
    company.put_contact(contact(id="c1", created_at=NOON, updated_at=NOON + 10**6))
    cursor = first["pages"]["next"]["starting_after"]
    rest = search("created_at", ">", 1, sort=newest_first, pagination={"per_page": 9, "starting_after": cursor}).json()
    assert [item["id"] for item in first["data"]] == ["c6", "c5", "c4"]
    assert [item["id"] for item in rest["data"]] == ["c3", "c2", "c0"]
