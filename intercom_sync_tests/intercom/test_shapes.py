"""Answers with status 200 that are not what was asked for: they are asked for again, and never taken for an end."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from intercom_sync.intercom.errors import IntercomError, ServiceUnavailableError, TruncatedSearchError
from intercom_sync.intercom.http.retry import RETRIES
from intercom_sync.intercom.search_pages import parse_page
from intercom_sync.intercom.streams import CONTACTS, CONVERSATIONS, Stream
from intercom_sync.sandbox import faults
from intercom_sync.sandbox.builders import author, conversation, part
from intercom_sync.sandbox.faults import Fault
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync_tests.intercom.scenario import DAY, NOW, client_of, company_of, ids, reading, talks_of

URL = "https://api.intercom.io/contacts/search?page=2"
NO_CURSOR = {
    "a URL": URL,
    "a list": ["x"],
    "a number": 2,
    "true": True,
    "false": False,
    "an empty text": "",
    "an empty object": {},
    "a page number": {"page": 2},
    "an empty cursor": {"starting_after": ""},
    "a null cursor": {"starting_after": None},
    "a number for a cursor": {"starting_after": 7},
    "a list for a cursor": {"starting_after": ["x"]},
}
CHANGES: dict[str, Callable[[Any], Any]] = {
    **{
        f"next is {name}": lambda page, value=value: page | {"pages": {"next": value}}
        for name, value in NO_CURSOR.items()
    },
    **{f"pages is {value!r}": lambda page, value=value: page | {"pages": value} for value in ("", "x", [], 7, False)},
    **{
        f"type is {value!r}": lambda page, value=value: page | {"type": value}
        for value in ("error.list", "contact", 7, [])
    },
    "errors beside records": lambda page: page | {"errors": [{"code": "server_error"}]},
    "no records": lambda page: {key: value for key, value in page.items() if key not in ("data", "conversations")},
    "null records": lambda page: page | {"data": None, "conversations": None},
    "an object of records": lambda page: page | {"data": {"0": {}}, "conversations": {"0": {}}},
    "a list": lambda page: [page],
    "a number": lambda _: 7,
    "a text": json.dumps,
    "null": lambda _: None,
}
STREAMS = {CONTACTS: company_of, CONVERSATIONS: talks_of}


def spread(number: int) -> list[int]:
    return [NOW - 400 * DAY + each * 400 * DAY // number for each in range(number)]


def company(stream: Stream, number: int = 250) -> Workspace:
    return STREAMS[stream](spread(number))


def search(stream: Stream) -> str:
    return f"POST {stream.path}"


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.value)
@pytest.mark.parametrize("name", CHANGES)
def test_a_page_of_another_shape_is_asked_for_again_and_then_an_error(name: str, stream: Stream) -> None:
    with reading(company(stream)) as (sandbox, reader):
        sandbox.faults.add(faults.edited(CHANGES[name]), match=search(stream), times=RETRIES)
        assert len(set(ids(reader.full_scan(stream)))) == 250
        sandbox.faults.add(faults.edited(CHANGES[name]), match=search(stream))
        for pages in (reader.full_scan(stream), reader.incremental_scan(stream, NOW - 300 * DAY, NOW)):
            with pytest.raises(ServiceUnavailableError, match="unknown shape"):
                ids(pages)


@pytest.mark.parametrize("kind", ["list", None])
def test_a_list_by_any_name_is_a_list(kind: str | None) -> None:
    with reading(company(CONTACTS)) as (sandbox, reader):
        sandbox.faults.add(faults.edited(lambda page: page | {"type": kind, "errors": None}))
        assert len(set(ids(reader.full_scan(CONTACTS)))) == 250


@pytest.mark.parametrize("count", [None, -1, "250", 2.5, True, [], 3_000_000_000, 10**30])
def test_a_count_that_is_none_decides_nothing_and_fits_the_database(count: Any) -> None:
    body = json.dumps({"data": [], "total_count": count, "pages": None}).encode()
    total = parse_page(CONTACTS, orjson.loads(body) if count != 10**30 else json.loads(body)).total
    assert total is None or (type(count) is int and 0 <= total < 2**31)
    with reading(company(CONTACTS)) as (sandbox, reader):
        sandbox.faults.add(faults.edited(lambda page: page | {"total_count": count if count != 10**30 else 10**18}))
        assert len(set(ids(reader.full_scan(CONTACTS)))) == 250


# An end that the search's own count contradicts.


def without_pages(page: Any) -> Any:
    return page | {"pages": None}


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.value)
def test_full_pages_that_name_no_next_one_are_gone_on_from(stream: Stream) -> None:
    with reading(company(stream, 1_000), workers=1) as (sandbox, reader):
        sandbox.faults.add(faults.edited(without_pages), match=search(stream))
        assert len(set(ids(reader.full_scan(stream)))) == 1_000
        assert len(set(ids(reader.incremental_scan(stream, NOW - 400 * DAY, NOW)))) == 1_000


@pytest.mark.parametrize("whole", [True, False])
def test_full_pages_that_name_no_next_one_and_cannot_be_gone_on_from_are_an_error(whole: bool) -> None:
    """All on one day: by day there is no position between them to go on from."""
    with reading(company_of([NOW - 40 * DAY] * 250)) as (sandbox, reader):
        sandbox.faults.add(faults.edited(without_pages))
        with pytest.raises(TruncatedSearchError, match="150 records though it counts 250"):
            ids(reader.full_scan(CONTACTS) if whole else reader.incremental_scan(CONTACTS, NOW - 50 * DAY, NOW))


def test_a_short_last_page_is_asked_for_once_more_when_the_count_says_more() -> None:
    with reading(company(CONTACTS), workers=1) as (sandbox, reader):
        sandbox.faults.add(faults.edited(lambda page: page | {"data": page["data"][:100], "pages": None}), times=1)
        assert len(set(ids(reader.full_scan(CONTACTS)))) == 250
        sandbox.faults.clear()
        sandbox.requests.clear()
        sandbox.faults.add(faults.overcounted(1))
        assert len(set(ids(reader.full_scan(CONTACTS)))) == 250
        complete = reader.scan_counts(CONTACTS)
        assert (complete.total_at_start, len(sandbox.requests)) == (251, 3)


# Bytes that are no JSON, or that are JSON in another dress.


def page_of(records: list[Any]) -> bytes:
    return orjson.dumps({"type": "list", "data": records, "total_count": len(records), "pages": None})


TWO = page_of([{"id": 17, "created_at": 5, "name": "Zoë"}, {"id": "b", "created_at": 6.0}])
READABLE = {
    "a byte-order mark": faults.status(200, b"\xef\xbb\xbf" + TWO),
    "three byte-order marks": faults.status(200, b"\xef\xbb\xbf" * 3 + TWO),
    "UTF-16": faults.status(200, TWO.decode().encode("utf-16")),
    "UTF-16 without a mark": faults.status(200, TWO.decode().encode("utf-16-be")),
    "UTF-32": faults.status(200, TWO.decode().encode("utf-32")),
    "a wrong charset": faults.status(200, TWO, {"Content-Type": "application/json; charset=iso-8859-1"}),
    "an unknown charset": faults.status(200, TWO, {"Content-Type": "text/html; charset=x-nothing"}),
    "gzip": faults.status(200, gzip.compress(TWO), {"Content-Encoding": "gzip"}),
    "gzip in two members": faults.status(
        200, gzip.compress(TWO[:50]) + gzip.compress(TWO[50:]), {"Content-Encoding": "gzip"}
    ),
}
PASSING = {
    "HTML": faults.status(200, "<html>", {"Content-Type": "text/html"}),
    "no UTF-8": faults.status(200, TWO.decode().encode("latin-1")),
    "half an UTF-16": faults.status(200, TWO.decode().encode("utf-16")[:-1]),
    "no gzip": faults.garbled(),
    "half a gzip": faults.status(200, gzip.compress(TWO)[:-20], {"Content-Encoding": "gzip"}),
    "an unknown packing": faults.status(200, b"?", {"Content-Encoding": "br"}),
    "201": faults.status(201, TWO),
    "202": faults.status(202),
    "204": faults.status(204),
    "206": faults.status(206, TWO[:30]),
    "304": faults.status(304),
    "a key twice, the second null": faults.status(200, TWO[:-1] + b',"data":null}'),
}


@pytest.mark.parametrize("name", READABLE)
def test_json_is_read_whatever_it_is_dressed_in(name: str) -> None:
    with reading(company(CONTACTS)) as (sandbox, reader):
        sandbox.faults.add(READABLE[name])
        (page,) = reader.full_scan(CONTACTS)
        assert page.records == orjson.loads(TWO)["data"]
        assert len(sandbox.requests) == 1


@pytest.mark.parametrize("name", PASSING)
def test_what_is_no_answer_at_all_is_asked_for_again(name: str) -> None:
    with reading(company(CONTACTS)) as (sandbox, reader):
        sandbox.faults.add(PASSING[name], times=RETRIES)
        assert len(set(ids(reader.full_scan(CONTACTS)))) == 250
        sandbox.faults.add(PASSING[name])
        with pytest.raises(IntercomError):
            ids(reader.full_scan(CONTACTS))


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("elsewhere", [True, False])
def test_no_redirect_is_followed(code: int, elsewhere: bool) -> None:
    with reading(Workspace()) as (other, _), reading(company(CONTACTS)) as (sandbox, reader):
        target = (other if elsewhere else sandbox).url
        sandbox.faults.add(faults.status(code, headers={"Location": f"{target}/contacts/search"}))
        with pytest.raises(IntercomError, match="INTERCOM_BASE_URL"):
            ids(reader.full_scan(CONTACTS))
        assert (other.requests, len(sandbox.requests)) == ([], 1)


# Single conversations.


DETAILS: dict[str, Callable[[Any], Any]] = {
    "no parts": lambda one: {key: value for key, value in one.items() if key != "conversation_parts"},
    "null parts": lambda one: one | {"conversation_parts": None},
    "null in the parts": lambda one: one | {"conversation_parts": {"conversation_parts": None, "total_count": 1}},
    "a text for parts": lambda one: one | {"conversation_parts": "none"},
    "another conversation": lambda one: one | {"id": "999"},
    "an error list": lambda one: one | {"type": "error.list"},
    "errors": lambda one: one | {"errors": [{"code": "server_error"}]},
    "a list": lambda one: [one],
}


def one_talk(sort: Fault) -> tuple[dict[str, Any], int]:
    talks = Workspace()
    said = part(body="<p>Hello</p>", author=author("user", "c1"), created_at=NOW)
    talks.put_conversation(conversation(id="1000", created_at=NOW - DAY, updated_at=NOW, parts=[said]))
    with reading(talks) as (sandbox, _), client_of(sandbox.url) as client:
        sandbox.faults.add(sort, times=RETRIES)
        return client.conversation("1000"), len(sandbox.requests)


@pytest.mark.parametrize("name", DETAILS)
def test_a_conversation_without_its_parts_is_asked_for_again(name: str) -> None:
    found, requests = one_talk(faults.edited(DETAILS[name]))
    assert (len(found["conversation_parts"]["conversation_parts"]), requests) == (1, RETRIES + 1)


def test_a_plain_list_of_parts_and_a_number_for_an_id_are_fine() -> None:
    found, requests = one_talk(faults.edited(lambda one: one | {"id": 1000, "conversation_parts": []}))
    assert (found["conversation_parts"], requests) == ([], 1)
