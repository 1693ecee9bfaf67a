"""Rate limits, latency, the index's delay, and faults on demand."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from intercom_sync.sandbox import faults
from intercom_sync.sandbox.builders import contact
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_every_answer_tells_what_is_left_of_its_window(company, session):
    clock = Clock(1_750_075_203.5)
    with Sandbox(company, rate=0.3, clock=clock) as sandbox:
        left = [session.get(f"{sandbox.url}/contacts/{id}").headers["X-RateLimit-Remaining"] for id in ("c1", "x")]
        headers = session.get(f"{sandbox.url}/contacts").headers
    assert left == ["2", "1"]
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("3", "0")
    assert headers["X-RateLimit-Reset"] == "1750075210"


def test_beyond_the_allowance_comes_429_until_the_window_ends(company, session):
    clock = Clock(1_750_075_203)
    with Sandbox(company, rate=0.2, clock=clock) as sandbox:
        url = f"{sandbox.url}/contacts"
        assert [session.get(url).status_code for _ in range(3)] == [200, 200, 429]
        refused = session.get(url)
        clock.now = 1_750_075_209.9
        assert session.get(url).status_code == 429
        clock.now = 1_750_075_210
        assert session.get(url).status_code == 200
    assert refused.json()["errors"][0]["code"] == "rate_limit_exceeded"
    assert refused.json()["errors"][0]["message"] == "Exceeded rate limit of 2 in 10_seconds"
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert "Retry-After" not in refused.headers


def test_contacts_and_conversations_have_an_allowance_each(company, session):
    with Sandbox(company, rate=0.1, clock=Clock(1_750_075_203)) as sandbox:
        statuses = [
            session.get(sandbox.url + path).status_code for path in ("/contacts", "/conversations", "/contacts/c1")
        ]
    assert statuses == [200, 200, 429]


def test_the_allowance_by_default_is_the_documented_one(ask):
    assert ask("GET", "/me").headers["X-RateLimit-Limit"] == "1667"


def test_a_refused_token_uses_up_nothing(company, session):
    with Sandbox(company, rate=0.1, clock=Clock(1_750_075_203)) as sandbox:
        session.get(f"{sandbox.url}/contacts", headers={"Authorization": "Bearer wrong"})
        assert session.get(f"{sandbox.url}/contacts").status_code == 200


def test_answers_wait_side_by_side(company):
    def ask(number):
        return requests.get(f"{sandbox.url}/contacts/c1", headers={"Authorization": "Bearer x"}, timeout=10)

    with Sandbox(company, latency=0.5) as sandbox, ThreadPoolExecutor(8) as pool:
        started = time.monotonic()
        assert {answer.status_code for answer in pool.map(ask, range(8))} == {200}
        took = time.monotonic() - started
    assert 0.5 <= took < 4.0  # one after the other they would have taken four seconds


def test_the_index_shows_a_new_contact_only_after_its_delay(session):
    clock = Clock(1_750_075_200)
    company = Workspace(index_delay=180, clock=clock)
    company.put_contact(contact(id="new", name="First"))
    with Sandbox(company) as sandbox:
        assert _names(session, sandbox) == []
        assert session.get(f"{sandbox.url}/contacts/new").json()["name"] == "First"
        assert session.get(f"{sandbox.url}/contacts").json()["total_count"] == 1
        clock.now += 180
        assert _names(session, sandbox) == ["First"]


def test_the_index_shows_an_edited_contact_as_it_was_until_its_delay_is_over(session):
    clock = Clock(1_750_075_200)
    company = Workspace(clock=clock)
    company.put_contact(contact(id="c", name="First"))
    company.index_delay = 100
    with Sandbox(company) as sandbox:
        company.put_contact(contact(id="c", name="Second"))
        clock.now += 60
        company.put_contact(contact(id="c", name="Third"))
        seen = [_names(session, sandbox)]
        clock.now += 50
        seen.append(_names(session, sandbox))
        clock.now += 50
        seen.append(_names(session, sandbox))
        company.put_contact(contact(id="c", name="Fourth"))
        company.archive_contact("c")
        clock.now += 200
        seen.append(_names(session, sandbox))
    assert seen == [["First"], ["Second"], ["Third"], []]


def _names(session, sandbox):
    query = {"query": {"field": "created_at", "operator": ">", "value": 1}}
    return [item["name"] for item in session.post(f"{sandbox.url}/contacts/search", json=query).json()["data"]]


ANSWERS = {
    "rate limited": (faults.rate_limited(), 429, "rate_limit_exceeded"),
    "500": (faults.server_error(), 500, "server_error"),
    "503": (faults.unavailable(), 503, "service_unavailable"),
    "cursor refused": (faults.cursor_refused(), 400, "client_error"),
}


@pytest.mark.parametrize(("fault", "status", "code"), ANSWERS.values(), ids=ANSWERS.keys())
def test_a_fault_answers_in_place_of_the_endpoint(sandbox, ask, fault, status, code):
    sandbox.faults.add(fault, times=1)
    answer = ask("GET", "/me")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)
    assert "X-RateLimit-Reset" in answer.headers
    assert ask("GET", "/me").status_code == 200


def test_a_429_can_come_with_rate_headers_or_without(sandbox, ask):
    sandbox.faults.add(faults.rate_limited(retry_after=3), times=1)
    sandbox.faults.add(faults.rate_limited(headers=False), times=1)
    told, silent = ask("GET", "/me").headers, ask("GET", "/me").headers
    assert (told["X-RateLimit-Remaining"], told["Retry-After"]) == ("0", "3")
    assert not [name for name in silent if name.lower().startswith(("x-ratelimit", "retry"))]


def test_a_gateway_error_is_a_page_of_html(sandbox, ask):
    sandbox.faults.add(faults.bad_gateway())
    answer = ask("GET", "/me")
    assert answer.status_code == 502
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.text.startswith("<html>")


def test_an_answer_can_be_empty_or_half(sandbox, ask):
    sandbox.faults.add(faults.empty_body(), times=1)
    sandbox.faults.add(faults.truncated_json(), times=1)
    empty, half = ask("GET", "/me"), ask("GET", "/me")
    assert (empty.status_code, empty.content) == (200, b"")
    assert half.status_code == 200
    assert ask("GET", "/me").content.startswith(half.content)
    with pytest.raises(requests.JSONDecodeError):
        half.json()


@pytest.mark.parametrize("fault", [faults.reset(), faults.reset_inside_body()], ids=["before", "inside"])
def test_a_connection_can_be_reset(sandbox, ask, fault):
    sandbox.faults.add(fault, match="GET /contacts", times=1)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        ask("GET", "/contacts")
    assert sandbox.requests[-1].status == 0
    assert ask("GET", "/contacts").status_code == 200


def test_an_answer_can_stall(sandbox, ask, session):
    sandbox.faults.add(faults.stall(5), times=1)
    with pytest.raises(requests.ReadTimeout):
        session.get(f"{sandbox.url}/me", timeout=0.2)
    assert ask("GET", "/me").status_code == 200


def test_a_fault_strikes_what_it_matches_after_so_many_and_so_often(sandbox, ask):
    sandbox.faults.add(faults.server_error(), match="GET /contacts/*", after=1, times=2)
    assert [ask("GET", "/contacts/c1").status_code for _ in range(5)] == [200, 500, 500, 200, 200]
    sandbox.faults.add(faults.status(418, "teapot"), match=lambda request: request.query.get("q") == "tea")
    assert ask("GET", "/me").status_code == 200
    assert (ask("GET", "/me?q=tea").status_code, ask("GET", "/me?q=tea").text) == (418, "teapot")
    sandbox.faults.clear()
    assert ask("GET", "/me?q=tea").status_code == 200


def test_a_company_may_be_edited_while_it_answers(company, sandbox, search):
    def edit(number):
        company.put_contact(contact(id=f"e{number}", created_at=1_750_000_000 + number))

    with ThreadPoolExecutor(2) as pool:
        edits = pool.map(edit, range(300))
        counts = [search("created_at", ">", 1).json()["total_count"] for _ in range(30)]
        list(edits)
    assert counts == sorted(counts)
    assert search("created_at", ">", 1).json()["total_count"] == 307
