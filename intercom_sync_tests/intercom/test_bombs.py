"""Answers that would fill the memory: packed, endless, dense, or many at once. Bytes are counted here, never time."""

import gc
import gzip
import os
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from intercom_sync.intercom.allocation import return_freed_memory
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.intercom.errors import (
    CancelledError,
    ClientError,
    IntercomError,
    ResponseTooLargeError,
    ServiceUnavailableError,
    UnauthorizedError,
)
from intercom_sync.intercom.fetch_by_id import MAX_CONSECUTIVE_FAILURES
from intercom_sync.intercom.http import responses
from intercom_sync.intercom.http.byte_budget import Budget
from intercom_sync.intercom.http.decompression import CHUNK_BYTES, BodyTooLargeError, decompress
from intercom_sync.intercom.reader import Reader
from intercom_sync.intercom.search_pages import PageSize
from intercom_sync.intercom.streams import CONTACTS, search
from intercom_sync.pipeline.stream_result import batches
from intercom_sync.sandbox import faults
from intercom_sync.sandbox.builders import contact, conversation, part
from intercom_sync.sandbox.faults import Fault
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace
from intercom_sync_tests.intercom.scenario import NOW, HandClock, client_of, company_of, ids, talks_of, wait_until_quiet

MB = 2**20
BODY = search("created_at", descending=False)
SPACES = b'{"type":"' + b" " * 64 * MB + b'"}'


def _raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


PACKED: dict[str, bytes] = {
    "gzip": gzip.compress(SPACES),
    "x-gzip": gzip.compress(SPACES),
    "deflate": zlib.compress(SPACES),
    "Deflate": _raw_deflate(SPACES),
    "gzip, gzip": gzip.compress(gzip.compress(SPACES)),
    "deflate,gzip": gzip.compress(zlib.compress(SPACES)),
    "gzip,identity, x-gzip , deflate": zlib.compress(gzip.compress(gzip.compress(SPACES))),
}


@contextmanager
def struck(
    fault: Fault | None = None, company: Workspace | None = None, **options: Any
) -> Iterator[tuple[Sandbox, IntercomClient]]:
    """A client that reads a megabyte of an answer at most, and a sandbox that answers with a fault."""
    with Sandbox(company or Workspace()) as sandbox, client_of(sandbox.url, max_response_bytes=MB, **options) as client:
        if fault:
            sandbox.faults.add(fault)
        yield sandbox, client
        assert client.budget.used == 0


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """Python allocates no more bytes at any moment inside."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packing", PACKED)
def test_a_packed_bomb_is_unpacked_no_further_than_an_answer_may_be_large(packing: str) -> None:
    bomb = faults.status(200, PACKED[packing], {"Content-Encoding": packing})
    with struck(bomb) as (_, client):
        with (
            at_most(8 * MB),
            pytest.raises(ResponseTooLargeError, match=r"GET /me: a response of more than 1 MB") as caught,
        ):
            client.me()
        assert client.budget.peak <= MB
        assert "    " not in str(caught.value)


ANSWERS: dict[str, tuple[int, dict[str, str], type[IntercomError]]] = {
    "a refused token": (401, {}, UnauthorizedError),
    "a refused request": (400, {}, ClientError),
    "a broken server": (500, {}, ServiceUnavailableError),
    "too many requests": (429, {}, ServiceUnavailableError),
    "another success": (202, {}, ServiceUnavailableError),
    "a redirect": (302, {"Location": "/elsewhere"}, ClientError),
    "a redirect to another host": (307, {"Location": "http://127.0.0.1:9/me"}, ClientError),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_of_any_answer_but_a_200_only_some_words_are_read(kind: str) -> None:
    status, headers, error = ANSWERS[kind]
    bomb = faults.status(status, PACKED["gzip"], headers | {"Content-Encoding": "gzip"})
    clock = HandClock()
    with struck(bomb, clock=clock, sleep=clock.sleep) as (_, client):
        with at_most(4 * MB), pytest.raises(error, match=r"unknown|status|redirect"):
            client.me()
        assert client.budget.peak <= 5 * CHUNK_BYTES


def test_pages_shrink_down_to_one_record_while_they_are_too_large() -> None:
    company = Workspace()
    for number in range(20):
        company.put_contact(contact(id=f"{number:024x}", name="n" * 600_000, created_at=NOW + number))
    with struck(company=company) as (sandbox, client):
        assert len(set(ids(Reader(client, clock=lambda: NOW + 99).full_scan(CONTACTS)))) == 20
        assert client.request_stats.errors == 0
        sizes = [request.json["pagination"]["per_page"] for request in sandbox.requests]
    assert {150, 75, 37, 18, 9, 4, 2, 1} == set(sizes)


def test_a_record_that_is_too_large_alone_is_an_error_that_names_it_and_costs_only_itself() -> None:
    company = talks_of([NOW, NOW + 1])
    secret = part(body="<p>" + "secret " * 200_000 + "</p>", created_at=NOW)
    company.put_conversation(conversation(id="1001", created_at=NOW, updated_at=NOW, parts=[secret]))
    with struck(company=company) as (sandbox, client):
        found = {one.id: one.answer for one in Reader(client).conversation_details(["1000", "1001"])}
        assert isinstance(found["1000"], dict)
        assert isinstance(found["1001"], ResponseTooLargeError)
        assert "GET /conversations/1001: a response of more than 1 MB" in str(found["1001"])
        assert "secret" not in str(found["1001"])
        assert len(sandbox.requests) == 1 + 4


DENSE: dict[str, Callable[[int], bytes]] = {
    "empty objects": lambda n: b"[" + b"{}," * (n // 3) + b"{}]",
    "objects": lambda n: b"[" + b'{"a":1},' * (n // 8) + b"{}]",
    "keys": lambda n: b"{" + b",".join(b'"%x":1' % one for one in range(n // 10)) + b"}",
    "keys and texts": lambda n: b"{" + b",".join(b'"%x":"%x"' % (one, one) for one in range(n // 14)) + b"}",
    "lists": lambda n: b"[" + b"[1]," * (n // 4) + b"1]",
    "numbers": lambda n: b"[" + b"1.5," * (n // 4) + b"1]",
    "texts": lambda n: b"[" + b'"ab",' * (n // 5) + b"1]",
    "a wide text": lambda n: b'["' + b"x" * n + "😀".encode() + b'"]',
    "a wide text in escapes": lambda n: b'["' + b"x" * n + rb'\ud83d\ude00"]',
    "half a pair": lambda n: b'["' + b"x" * n + rb'\ud83d"]',
}


@pytest.mark.parametrize("kind", DENSE)
def test_the_memory_of_an_answer_is_not_thought_less_than_it_is(kind: str) -> None:
    body = DENSE[kind](MB)
    tracemalloc.start()
    try:
        found = responses.decode(body)
        assert tracemalloc.get_traced_memory()[0] <= responses.estimate_memory(body)
        assert found
    finally:
        tracemalloc.stop()


def test_an_answer_within_its_size_that_takes_too_much_memory_is_not_read() -> None:
    dense = faults.status(200, DENSE["empty objects"](MB // 2))
    with struck(dense) as (_, client), at_most(8 * MB), pytest.raises(ResponseTooLargeError, match="5 MB of memory"):
        client.me()


def test_what_is_packed_to_nothing_is_read_no_further_either() -> None:
    """Members without a byte: what they are packed in is as large as any bomb, what they hold is nothing."""
    bomb = gzip.compress(gzip.compress(b"") * 100_000)
    with pytest.raises(BodyTooLargeError):
        list(decompress(iter([bomb]), "gzip, gzip", MB))
    empty = b"\x00\x00\x00\xff\xff" * 300_000
    with pytest.raises(BodyTooLargeError):
        list(decompress((empty[at : at + CHUNK_BYTES] for at in range(0, len(empty), CHUNK_BYTES)), "deflate", MB))


@pytest.mark.parametrize("packing", ["gzip", "deflate", "Deflate", "gzip, gzip"])
@pytest.mark.parametrize("size", [1, 7, CHUNK_BYTES, MB])
def test_what_is_packed_comes_whole_in_small_pieces(packing: str, size: int) -> None:
    body = b"".join(b"%d," % (n * n) for n in range(6_000)) + b"z" * MB
    packed = {
        "gzip": gzip.compress(body[:1000]) + gzip.compress(body[1000:]) + b"\0\0",
        "deflate": zlib.compress(body),
        "Deflate": _raw_deflate(body),
        "gzip, gzip": gzip.compress(gzip.compress(body)),
    }[packing]
    pieces = list(decompress((packed[at : at + size] for at in range(0, len(packed), size)), packing, 2 * MB))
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) <= CHUNK_BYTES


@contextmanager
def endless(head: bytes, start: bytes, chunk: bytes) -> Iterator[str]:
    """A server whose only answer has no end."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection, suppress(OSError):
                    connection.recv(2**16)
                    connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + start)
                    while True:
                        connection.sendall(chunk)

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(60)


_PACKER = zlib.compressobj(wbits=-zlib.MAX_WBITS)
_BLOCKS = _PACKER.compress(b" " * MB) + _PACKER.flush(zlib.Z_FULL_FLUSH)
ENDLESS = {
    "chunks": (b"Transfer-Encoding: chunked\r\n", b"", b"10000\r\n" + b" " * 2**16 + b"\r\n"),
    "no length": (b"", b"", b" " * 2**16),
    "a length": (b"Content-Length: 99999999999\r\n", b"", b" " * 2**16),
    "packed": (b"Content-Encoding: gzip\r\n", gzip.compress(b"")[:10], _BLOCKS),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_body_without_end_is_read_no_further_than_an_answer_may_be_large(kind: str) -> None:
    with endless(*ENDLESS[kind]) as url, client_of(url, max_response_bytes=MB) as client:
        with at_most(8 * MB), pytest.raises(ResponseTooLargeError):
            client.me()
        assert client.budget.peak <= MB


# All answers together.


def large_talks(count: int, size: int) -> Workspace:
    company = Workspace()
    for number in range(count):
        said = part(body="x" * size, created_at=NOW)
        company.put_conversation(conversation(id=str(1000 + number), created_at=NOW, updated_at=NOW, parts=[said]))
    return company


def test_many_large_answers_at_once_take_turns_and_all_come() -> None:
    size, total = MB // 2, 2 * MB
    with Sandbox(large_talks(60, size)) as sandbox, client_of(sandbox.url, budget=Budget(total)) as client:
        details = Reader(client, workers=30).conversation_details(str(1000 + number) for number in range(60))
        found = [one.answer["id"] for one in details if isinstance(one.answer, dict)]
        assert len(set(found)) == 60
        assert size < client.budget.peak <= total + 3 * size
        assert client.budget.used == 0


def test_a_budget_of_nothing_is_slow_and_no_deadlock() -> None:
    company = company_of(NOW + number for number in range(1_000))
    for each in talks_of(NOW + number for number in range(100)).conversations():
        company.put_conversation(each)
    with Sandbox(company) as sandbox, client_of(sandbox.url, budget=Budget(0)) as client:
        reader = Reader(client, clock=lambda: NOW + 9_999)
        assert len(set(ids(reader.full_scan(CONTACTS)))) == 1_000
        assert len(list(reader.conversation_details(str(1000 + number) for number in range(100)))) == 100
        assert client.budget.used == 0


def test_to_ask_whether_others_are_answered_needs_no_memory_of_the_answers_that_wait() -> None:
    """More fail in a row than others are asked for, while answers that came wait with all the memory there is."""
    with Sandbox(talks_of([NOW] * 100)) as sandbox, client_of(sandbox.url, budget=Budget(0)) as client:
        failing = {f"/conversations/{1000 + number}" for number in range(MAX_CONSECUTIVE_FAILURES + 5)}
        sandbox.faults.add(faults.server_error(), match=lambda request: request.path in failing)
        details = Reader(client, workers=40).conversation_details([str(1000 + n) for n in range(100)], lambda: ["1099"])
        assert sum(isinstance(one.answer, dict) for one in details) == 100 - len(failing)


@pytest.mark.parametrize("failing", [True, False])
def test_a_read_that_is_broken_off_gives_back_what_it_held_though_its_error_is_kept(failing: bool) -> None:
    company = company_of(NOW + number for number in range(3_000))
    gc.disable()
    try:
        with Sandbox(company) as sandbox, client_of(sandbox.url, budget=Budget(0)) as client:
            pages = Reader(client, clock=lambda: NOW + 9_999).full_scan(CONTACTS)
            next(pages)
            kept = None
            if failing:
                sandbox.faults.add(faults.error(422, "parameter_invalid", "no"))
                with pytest.raises(ClientError) as kept:
                    list(pages)
            pages.close()
            wait_until_quiet()
            assert client.budget.used == 0
            assert (kept is not None) == failing
            details = Reader(client).conversation_details(str(n) for n in range(50))
            next(details, None)
            details.close()
            wait_until_quiet()
            assert client.budget.used == 0
    finally:
        gc.enable()


def test_a_wait_for_memory_ends_when_the_read_is_stopped() -> None:
    budget, stop = Budget(10), threading.Event()
    first, second = budget.share(), budget.share()
    first.hold(10)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second.hold, 5, stop)
        stop.set()
        with pytest.raises(CancelledError):
            waiting.result()
    second.release()
    first.hold(100)  # it grows for the longest time, and no other share holds anything
    assert (budget.used, budget.peak) == (100, 100)


@pytest.mark.parametrize("body", [b'{"type":"list","x":"' + b"x" * (MB - 99) + b'"}', b'{"x":"' + b"x" * (MB - 99)])
def test_an_error_that_is_kept_does_not_keep_the_answer(body: bytes) -> None:
    with struck(faults.status(200, body)) as (_, client):
        kept: list[Any] = []
        gc.collect()
        tracemalloc.start()
        try:
            with pytest.raises(ServiceUnavailableError) as caught:
                client.search(CONTACTS, BODY, PageSize())
            kept.append(caught.value)
            assert tracemalloc.get_traced_memory()[0] < MB
        finally:
            tracemalloc.stop()


def test_records_of_some_tens_of_megabytes_come() -> None:
    one = conversation(id="1", created_at=NOW, updated_at=NOW, parts=[part(body="é" + "x" * 30 * MB, created_at=NOW)])
    packed = faults.status(200, gzip.compress(orjson.dumps(one), 1), {"Content-Encoding": "gzip"})
    with Sandbox(Workspace()) as sandbox, client_of(sandbox.url) as client:
        sandbox.faults.add(packed)
        (found,) = client.conversation("1")["conversation_parts"]["conversation_parts"]
        assert len(found["body"]) > 30 * MB


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not return_freed_memory(), reason="not glibc, or its user set it otherwise")
def test_threads_that_read_large_answers_keep_no_memory_of_them() -> None:
    def read(_: int) -> None:
        for _ in range(3):
            block = bytearray()
            for _ in range(20 * MB // CHUNK_BYTES):
                block += bytes(CHUNK_BYTES)
            text = block.decode()
            pinned.append([bytearray(5_000), len(text)])
            barrier.wait()

    pinned: list[Any] = []
    barrier, before = threading.Barrier(6), resident()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(read, range(6)))
        assert resident() - before < 60 * MB


def test_large_records_land_in_smaller_batches() -> None:
    class One:
        size = 6 * MB

    assert [len(batch) for batch in batches([One()] * 7, 10)] == [3, 3, 1]
