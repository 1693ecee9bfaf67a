"""What each kind of answer leads to: another try, an error that says what to do, or a value."""

import gc
import logging
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from intercom_sync.intercom.client import REGIONS, IntercomClient
from intercom_sync.intercom.errors import (
    ClientError,
    ConnectionFailedError,
    IntercomError,
    NotFoundError,
    ServiceUnavailableError,
    UnauthorizedError,
    without_personal_data,
)
from intercom_sync.intercom.http import responses
from intercom_sync.intercom.http.retry import MAX_WAIT_SECONDS, RETRIES, THROTTLED_RETRIES, backoff, throttled_wait
from intercom_sync.intercom.search_pages import PageSize
from intercom_sync.intercom.streams import CONTACTS, CONVERSATIONS, search
from intercom_sync.sandbox import faults
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync_tests.growth import is_linear
from intercom_sync_tests.intercom.scenario import TOKEN, HandClock, brief, client_of, company_of, talks_of

BODY = search("created_at", descending=False)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(company_of([1_700_000_000, 1_700_000_001])) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[IntercomClient]:
    with client_of(sandbox.url) as made:
        yield made


def first_page(client: IntercomClient) -> dict[str, Any]:
    return client.search(CONTACTS, BODY, PageSize())


PASSING = {
    "500": faults.server_error(),
    "502 in HTML": faults.bad_gateway(),
    "503": faults.unavailable(),
    "504": faults.status(504),
    "408": faults.error(408, "request_timeout", "too slow"),
    "200 without a body": faults.empty_body(),
    "200 in HTML": faults.status(200, "<html>"),
    "200 of another shape": faults.status(200, "[]"),
    "200 with an error list": faults.status(200, '{"type":"error.list","errors":[]}'),
    "half of a JSON": faults.truncated_json(),
    "a connection cut before": faults.reset(),
    "a connection cut inside": faults.reset_inside_body(),
}


@pytest.mark.parametrize("kind", PASSING)
def test_what_may_pass_is_tried_again_and_no_page_is_lost(kind: str, sandbox: Sandbox, client: IntercomClient) -> None:
    sandbox.faults.add(PASSING[kind], times=RETRIES)
    assert len(first_page(client)["data"]) == 2
    assert (client.request_stats.requests, client.request_stats.retries, client.request_stats.errors) == (
        RETRIES + 1,
        RETRIES,
        0,
    )


@pytest.mark.parametrize("kind", PASSING)
def test_what_does_not_pass_is_given_up_after_three_retries(
    kind: str, sandbox: Sandbox, client: IntercomClient
) -> None:
    sandbox.faults.add(PASSING[kind])
    with pytest.raises((ServiceUnavailableError, ConnectionFailedError)):
        first_page(client)
    assert len(sandbox.requests) == RETRIES + 1
    assert client.request_stats.errors == 1


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_token_stops_at_once_and_says_what_to_do(
    status: int, sandbox: Sandbox, client: IntercomClient
) -> None:
    sandbox.faults.add(faults.error(status, "unauthorized", "Access Token Invalid"))
    with pytest.raises(UnauthorizedError, match="INTERCOM_API_KEY") as caught:
        client.me()
    assert len(sandbox.requests) == 1
    assert str(status) in str(caught.value)


@pytest.mark.parametrize("status", [400, 405, 406, 409, 415, 422])
def test_a_refused_request_is_never_sent_twice(status: int, sandbox: Sandbox, client: IntercomClient) -> None:
    sandbox.faults.add(faults.error(status, "parameter_invalid", "ada@example.com is not 'Ada' 123456"))
    with pytest.raises(ClientError) as caught:
        first_page(client)
    assert len(sandbox.requests) == 1
    assert (caught.value.status, caught.value.code) == (status, "parameter_invalid")
    assert not any(word in str(caught.value) for word in ("ada", "Ada", "123456"))


def test_an_error_without_a_body_is_an_error_all_the_same(sandbox: Sandbox, client: IntercomClient) -> None:
    sandbox.faults.add(faults.status(400))
    with pytest.raises(ClientError, match="400 unknown"):
        first_page(client)


def test_a_429_waits_its_turn_more_often_than_a_failure_is_retried(sandbox: Sandbox) -> None:
    clock = HandClock()
    sandbox.faults.add(faults.rate_limited(headers=False), times=RETRIES + 2)
    sandbox.faults.add(faults.server_error(), times=RETRIES)
    with client_of(sandbox.url, clock=clock, sleep=clock.sleep) as client:
        assert len(first_page(client)["data"]) == 2


def test_a_429_without_end_is_given_up(sandbox: Sandbox) -> None:
    clock = HandClock()
    sandbox.faults.add(faults.rate_limited(headers=False))
    with (
        client_of(sandbox.url, clock=clock, sleep=clock.sleep) as client,
        pytest.raises(ServiceUnavailableError, match="429"),
    ):
        first_page(client)
    assert len(sandbox.requests) == THROTTLED_RETRIES + 1


def test_a_429_waits_as_long_as_the_answer_says_and_no_longer_than_a_minute() -> None:
    assert 7 <= throttled_wait({"Retry-After": "7", "X-RateLimit-Reset": "1030"}, 0, 1000.0) <= 8
    assert 9 <= throttled_wait({"X-RateLimit-Reset": "1009"}, 0, 1000.0) <= 10
    assert throttled_wait({"Retry-After": "86400"}, 0, 1000.0) == MAX_WAIT_SECONDS
    assert 0 < throttled_wait({"X-RateLimit-Reset": "5", "Retry-After": "soon"}, 0, 1000.0) <= 2
    assert all(0 < backoff(attempt) <= MAX_WAIT_SECONDS for attempt in range(50))


def test_a_slow_search_is_asked_for_smaller_pages_until_it_answers(sandbox: Sandbox) -> None:
    sandbox.faults.add(faults.stall(5), times=2)
    size = PageSize()
    with client_of(sandbox.url, timeouts=(5, 0.2)) as client:
        client.search(CONTACTS, BODY, size)
    asked = [request.json["pagination"]["per_page"] for request in sandbox.requests]
    assert asked == [150, 75, 37]
    for _ in range(100):
        size.grow()
    assert size.current == 150


def test_pages_never_shrink_to_nothing() -> None:
    size = PageSize()
    for _ in range(20):
        size.shrink()
    assert size.current == 10


def test_every_call_names_its_version_and_asks_for_json(sandbox: Sandbox, client: IntercomClient) -> None:
    first_page(client)
    sent = sandbox.requests[0].headers
    assert sent["intercom-version"] == "2.16"
    assert sent["accept"] == sent["content-type"] == "application/json"
    assert sent["accept-encoding"] == "gzip"
    assert sent["authorization"] == f"Bearer {TOKEN}"


def test_a_netrc_entry_does_not_replace_the_token(
    sandbox: Sandbox, client: IntercomClient, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    client.me()
    assert sandbox.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_the_proxy_that_the_environment_names_is_used_and_its_exceptions_are_kept(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", sandbox.url)
    with IntercomClient(TOKEN, base_url="http://intercom.invalid") as client:
        assert client.me()["type"] == "admin"
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with IntercomClient(TOKEN, base_url=sandbox.url) as client:
        assert client.me()["type"] == "admin"


def test_a_certificate_bundle_that_the_environment_names_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with (
        IntercomClient(TOKEN, base_url="https://127.0.0.1:9", sleep=brief) as client,
        pytest.raises(OSError, match=r"missing\.pem"),
    ):
        client.me()


def test_a_redirect_is_not_followed_so_the_token_stays_with_its_host(sandbox: Sandbox, client: IntercomClient) -> None:
    with Sandbox(Workspace()) as elsewhere:
        sandbox.faults.add(faults.status(302, headers={"Location": f"{elsewhere.url}/me"}))
        with pytest.raises(ClientError, match="INTERCOM_BASE_URL"):
            client.me()
        assert elsewhere.requests == []


def test_a_host_that_cannot_be_reached_names_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with client_of(url) as client, pytest.raises(ConnectionFailedError, match="INTERCOM_BASE_URL"):
            client.me()


def test_neither_token_nor_address_nor_body_reaches_an_error_or_the_log(
    sandbox: Sandbox, client: IntercomClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    texts = []
    for fault in (
        faults.status(500, "ada@example.com"),
        faults.reset(),
        faults.error(401, "unauthorized", f"{TOKEN} ada@"),
        faults.error(422, "parameter_invalid", f"not with {TOKEN} ada@"),
    ):
        sandbox.faults.clear()
        sandbox.faults.add(fault)
        with pytest.raises(IntercomError) as caught:
            first_page(client)
        texts.append("".join(traceback.format_exception(caught.value)))
    assert not any(TOKEN in str(text) or "ada@" in text for text in [*texts, caplog.text])
    assert without_personal_data("no contact ada@example.com") == "no contact …"


def test_half_a_surrogate_pair_is_left_out() -> None:
    assert responses.decode(rb'{"name":"Ada \ud83d","whole":"\ud83d\ude00"}') == {"name": "Ada ", "whole": "😀"}
    with pytest.raises(ValueError, match=r".+"):
        responses.decode(b'{"name":')


def test_json_without_a_bottom_costs_only_what_has_none() -> None:
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    read = responses.decode(b'[{"id":"]","deep":' + deep + b',"b":[1]},{"id":"good"}]')
    assert (read[0]["id"], read[0]["b"], read[1]) == ("]", [1], {"id": "good"})
    with pytest.raises(ValueError, match=r".+"):
        responses.decode(b"[" * 100_000)


CUT = {
    "in a long body": lambda n: b'{"source":{"body":"' + b'<a href=\\"x\\">' * n,
    "in an escape": lambda n: b'{"body":"' + b'\\"' * n + b"\\",
    "after half a surrogate": lambda n: b'["\\ud83d",' + b'"",' * n,
    "in nested lists": lambda n: b"[" * n,
    "in a number": lambda n: b"[" + b"9" * n,
    "between quotes": lambda n: b'"' * n,
    "in spaces": lambda n: b"[" + b" " * n,
}


@pytest.mark.parametrize("cut", CUT)
def test_an_answer_that_is_cut_short_is_read_in_linear_time(cut: str) -> None:
    def read(body: bytes) -> None:
        with suppress(ValueError, RecursionError):
            responses.decode(body)

    assert is_linear(read, CUT[cut], 10_000)


def test_a_long_error_text_of_an_answer_is_masked_in_linear_time() -> None:
    assert is_linear(without_personal_data, lambda n: "a1234" * n + "\"'" * n, 10_000)
    assert (
        without_personal_data("id 65f0a1b2c3d4 of 'ada' \"x@y\" 123456 a@b " + "x" * 40)
        == "id 65f0a1b2c3d4 of … … … … …"
    )


def test_a_deleted_conversation_is_gone_and_no_error() -> None:
    company = talks_of([1_700_000_000])
    company.delete_conversation("1000")
    with Sandbox(company) as sandbox, client_of(sandbox.url) as client:
        with pytest.raises(NotFoundError):
            client.conversation("1000")
        assert client.request_stats.errors == 0


def test_a_merged_contact_names_the_one_it_was_merged_into() -> None:
    link = {"Link": '</contacts/00000000000000000000000a>; rel="canonical"'}
    with pytest.raises(NotFoundError) as caught:
        responses.parse_response(410, link, b'{"errors":[{"code":"contact_merged"}]}', lambda _: True)
    assert caught.value.merged_into == "00000000000000000000000a"


def test_an_id_cannot_lead_to_another_path(sandbox: Sandbox, client: IntercomClient) -> None:
    with pytest.raises(NotFoundError):
        client.conversation("../contacts?x=1")
    assert len(sandbox.requests) == 1


def test_a_conversation_comes_as_html_with_its_parts() -> None:
    with Sandbox(talks_of([1_700_000_000])) as sandbox, client_of(sandbox.url) as client:
        found = client.conversation("1000")
        assert "<p>" in found["source"]["body"]
        assert "conversation_parts" in found
        assert len(client.search(CONVERSATIONS, BODY, PageSize())["conversations"]) == 1
        assert "display_as" not in sandbox.requests[0].query


def test_the_workspace_tells_its_zone_and_its_attributes(client: IntercomClient) -> None:
    assert client.me()["app"]["timezone"] == "UTC"
    assert all("full_name" in each for each in client.data_attributes())


def test_there_is_a_host_for_every_region() -> None:
    assert set(REGIONS) == {"us", "eu", "au"}
    assert all(host.startswith("https://api.") for host in REGIONS.values())


def test_many_threads_share_one_client(sandbox: Sandbox, client: IntercomClient) -> None:
    threads = [threading.Thread(target=first_page, args=(client,)) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.request_stats.requests == len(sandbox.requests) == 30
    assert orjson.dumps(sandbox.requests[0].json)


def test_a_closed_client_leaves_no_connection_open_also_after_one_was_cut(sandbox: Sandbox) -> None:
    """Its error refers to the connections until the garbage is collected, and they must not wait for that."""
    before = _sockets()
    gc.disable()
    try:
        with client_of(sandbox.url) as client:
            sandbox.faults.add(faults.reset(), times=1)
            first_page(client)
            assert _sockets() > before
        end = time.monotonic() + 60
        while _sockets() > before and time.monotonic() < end:
            time.sleep(0.01)  # the sandbox's side, in this process too
        assert _sockets() == before
    finally:
        gc.enable()


def _sockets() -> int:
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found += str(descriptor.readlink()).startswith("socket:")
    return found
