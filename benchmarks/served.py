"""A sandbox Intercom in a process of its own, so that it does not share the interpreter with what is measured.

`python -m benchmarks.served` runs one until its standard input is closed. With --details exactly that many of its
conversations have parts that a first sync needs; with --bombs these, and the first pages, are answers that would fill
the memory of who unpacks, reads or keeps them all.
"""

import argparse
import gzip
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

from intercom_sync.domain.conversations import needs_parts, parse_conversation
from intercom_sync.domain.parsing import InvalidRecordError
from intercom_sync.sandbox.faults import Faults, edited, status
from intercom_sync.sandbox.generate import generate
from intercom_sync.sandbox.requests import Request
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.statistics import conversation_times, statistics_of
from intercom_sync.sandbox.workspace import Workspace

_DAY = 86_400


@contextmanager
def served(**options: float) -> Iterator[str]:
    """The URL of a sandbox that runs while the `with` block does; the options are those of the command."""
    arguments = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "benchmarks.served", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("no pipes")
        yield process.stdout.readline().strip()
        process.stdin.close()


def want_details(company: Workspace, wanted: int) -> None:
    """Change conversations until so many need their parts fetched: when their contacts replied last."""
    now = int(time.time())
    plain = [each for each in company.conversations() if _is_plain(each)]
    asking = sum(_needs_parts(each, now) for each in company.conversations())
    for each in plain:
        changed = each | (_replied(each, now) if asking < wanted else _unanswered(each))
        more = _needs_parts(changed, now) - _needs_parts(each, now)
        if more * (wanted - asking) > 0:
            company.put_conversation(changed)
            asking += more


def _is_plain(record: Any) -> bool:
    """Whether a conversation has statistics and an author, which some invalid ones of the sandbox lack."""
    if not isinstance(record, dict) or not record.get("statistics"):
        return False
    source = record.get("source")
    return isinstance(source, dict) and isinstance(source.get("author"), dict) and "type" in source["author"]


def _replied(conversation: dict[str, Any], now: int) -> dict[str, Any]:
    return {"statistics": conversation["statistics"] | {"last_contact_reply_at": now - _DAY}}


def _unanswered(conversation: dict[str, Any]) -> dict[str, Any]:
    """What Intercom shows of a conversation that nobody wrote in after its opening message."""
    created, source = conversation["created_at"], conversation["source"]
    first_reply = conversation_times(created, source, [])["first_contact_reply"]
    return {"statistics": statistics_of(created, source, []), "first_contact_reply": first_reply}


def _needs_parts(record: Any, now: int) -> bool:
    try:
        return needs_parts(parse_conversation(record), None, now)
    except InvalidRecordError:
        return False


def plant_bombs(faults: Faults) -> None:
    """Answer the first pages and every conversation with a bomb: one in five is a conversation all the same."""
    large, packed = b'{"type":"' + b" " * (256 << 20), {"Content-Encoding": "gzip"}
    spaces = gzip.compress(large, 1)
    bombs = [
        status(200, spaces, packed),
        status(200, gzip.compress(spaces), {"Content-Encoding": "gzip, gzip"}),
        status(200, gzip.compress(b"[" + b"{}," * (10 << 20) + b"{}]", 1), packed),
        status(200, gzip.compress(large[: 30 << 20], 1), packed),
        edited(lambda conversation: conversation | {"padding": "é" + "x" * (30 << 20)}),
    ]
    faults.add(bombs[0], match="POST *", times=16)
    for number, bomb in enumerate(bombs):
        faults.add(bomb, match=lambda request, number=number: _turn(request, len(bombs)) == number)  # type: ignore[misc]


def _turn(request: Request, turns: int) -> int | None:
    """Which of so many bombs a request meets, always the same; None where it is for no conversation."""
    is_one = re.fullmatch(r"/conversations/\d+", request.path)
    return crc32(request.path.encode()) % turns if is_one else None


def main() -> None:
    """Serve until standard input is closed."""
    parser = argparse.ArgumentParser("benchmarks.served", description=__doc__)
    for name in ("contacts", "conversations"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--details", type=int, help="conversations that need their parts; default: as invented")
    parser.add_argument("--rate", type=float, help="requests a second; default: the documented 10,000 a minute")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--bombs", type=int, default=0, help="1: conversations and the first pages are bombs")
    options = parser.parse_args()
    company = generate(contacts=options.contacts, conversations=options.conversations)
    if options.details is not None:
        want_details(company, options.details)
    with Sandbox(company, rate=options.rate, latency=options.latency) as sandbox:
        if options.bombs:
            plant_bombs(sandbox.faults)
        print(sandbox.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
