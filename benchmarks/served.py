"""A sandbox Intercom in a separate process, so that it does not share the interpreter with the measured code.

`python -m benchmarks.served` runs it until standard input is closed. With --details, exactly that many conversations
need their parts in a first sync. With --bombs, the responses for these and for the first pages exhaust the memory of a
client that decompresses, parses or keeps them.
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
    """Run a sandbox for the duration of the block and yield its URL; the options are those of the command."""
    arguments = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "benchmarks.served", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("no pipes")
        yield process.stdout.readline().strip()
        process.stdin.close()


def want_details(workspace: Workspace, target: int) -> None:
    """Change the last reply times of conversations until `target` of them need their parts fetched."""
    now = int(time.time())
    editable = [each for each in workspace.conversations() if _is_plain(each)]
    count = sum(_needs_parts(each, now) for each in workspace.conversations())
    for each in editable:
        changed = each | (_replied(each, now) if count < target else _unanswered(each))
        change = _needs_parts(changed, now) - _needs_parts(each, now)
        if change * (target - count) > 0:
            workspace.put_conversation(changed)
            count += change


def _is_plain(record: Any) -> bool:
    """Return whether a conversation has statistics and an author, unlike some invalid ones of the sandbox."""
    if not isinstance(record, dict) or not record.get("statistics"):
        return False
    source = record.get("source")
    return isinstance(source, dict) and isinstance(source.get("author"), dict) and "type" in source["author"]


def _replied(conversation: dict[str, Any], now: int) -> dict[str, Any]:
    return {"statistics": conversation["statistics"] | {"last_contact_reply_at": now - _DAY}}


def _unanswered(conversation: dict[str, Any]) -> dict[str, Any]:
    """Return the derived fields of a conversation without any message after the opening one."""
    created, source = conversation["created_at"], conversation["source"]
    first_reply = conversation_times(created, source, [])["first_contact_reply"]
    return {"statistics": statistics_of(created, source, []), "first_contact_reply": first_reply}


def _needs_parts(record: Any, now: int) -> bool:
    try:
        return needs_parts(parse_conversation(record), None, now)
    except InvalidRecordError:
        return False


def plant_bombs(faults: Faults) -> None:
    """Respond to the first pages and to every conversation with a bomb; one in five is still a valid conversation."""
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
        faults.add(bomb, match=lambda request, number=number: _bomb_number(request, len(bombs)) == number)  # type: ignore[misc]


def _bomb_number(request: Request, bombs: int) -> int | None:
    """Return the bomb for the conversation of a request, always the same; None for other requests."""
    is_one = re.fullmatch(r"/conversations/\d+", request.path)
    return crc32(request.path.encode()) % bombs if is_one else None


def main() -> None:
    """Serve until standard input is closed."""
    parser = argparse.ArgumentParser("benchmarks.served", description=__doc__)
    for name in ("contacts", "conversations"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--details", type=int, help="conversations that need their parts; default: as generated")
    parser.add_argument("--rate", type=float, help="requests per second; default: the documented 10,000 per minute")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each response")
    parser.add_argument("--bombs", type=int, default=0, help="1: conversations and the first pages are bombs")
    options = parser.parse_args()
    workspace = generate(contacts=options.contacts, conversations=options.conversations)
    if options.details is not None:
        want_details(workspace, options.details)
    with Sandbox(workspace, rate=options.rate, latency=options.latency) as sandbox:
        if options.bombs:
            plant_bombs(sandbox.faults)
        print(sandbox.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
