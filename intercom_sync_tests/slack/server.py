"""A local Slack server: accepts and records chat.postMessage, and fails on request.

It rejects what Slack rejects: more than 50 blocks, more than 3,000 characters per section, an empty text.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import create_connection
from typing import Any
from urllib.parse import parse_qs

TOKEN = "xoxb-test"


class LocalSlack:
    """A Slack workspace with one channel; `trouble` chooses the failure of each message.

    `wrong` has failures of other methods by name: a Slack error code, an HTTP status or ("wait", seconds).

    `trouble(message)` returns None, or one of: a Slack error code; an HTTP status; ("wait", seconds); "lost" (the
    message is accepted and the connection closed before the response); "cut" (closed before it is accepted).
    """

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.trouble: Callable[[dict[str, Any]], Any] = lambda message: None
        self.channels: list[dict[str, Any]] = []
        self.scopes: str | None = "chat:write,channels:read,groups:read"
        self.wrong: dict[str, Any] = {}
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    def __enter__(self) -> "LocalSlack":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def settle(self) -> None:
        """Wait until all requests sent so far are handled, including those of killed processes."""
        # Connections are accepted in order, so all earlier ones are known when this one gets its response.
        with create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while last.recv(4096):
                pass
        for handler in self._server.handlers:
            handler.join()

    def refusal(self, method: str, asked: dict[str, Any], token: str) -> str | None:
        """Return the planned error of a method other than posting, if any."""
        if token != f"Bearer {TOKEN}":
            return "invalid_auth"
        scopes = (self.scopes or "chat:write,channels:read,groups:read").split(",")
        needed = {"public_channel": "channels:read", "private_channel": "groups:read"}
        types = asked.get("types", "public_channel").split(",") if method.startswith("conversations") else []
        if any(needed[one] not in scopes for one in types):
            return "missing_scope"
        if method == "conversations.info" and asked["channel"] not in {one["id"] for one in self.channels}:
            return "channel_not_found"
        return None

    def answer(self, method: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the response to a method other than posting; lists have two entries per page."""
        if method == "conversations.info":
            return {"channel": next(one for one in self.channels if one["id"] == asked["channel"])}
        if method == "conversations.list":
            types = asked["types"].split(",")
            shown = [
                one for one in self.channels if ("private" if one["is_private"] else "public") + "_channel" in types
            ]
            start = int(asked.get("cursor") or 0)
            more = str(start + 2) if start + 2 < len(shown) else ""
            return {"channels": shown[start : start + 2], "response_metadata": {"next_cursor": more}}
        return {"team": "Local", "user": "bot"}

    def judge(self, message: dict[str, Any], token: str) -> Any:
        if token != f"Bearer {TOKEN}":
            return "invalid_auth"
        trouble = self.trouble(message)
        if trouble is not None:
            return trouble
        blocks = json.loads(message.get("blocks") or "[]")
        sections = [block["text"]["text"] for block in blocks if block["type"] == "section"]
        if len(blocks) > 50 or any(not 0 < len(text) <= 3000 for text in sections):
            return "invalid_blocks"
        return None if message.get("text") else "no_text"


class _Server(ThreadingHTTPServer):
    """An HTTP server that keeps track of the threads that handle its connections."""

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.handlers: list[threading.Thread] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        handler = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self.handlers.append(handler)
        handler.start()


def _handler(slack: LocalSlack) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            message = _read(self.headers.get("Content-Type", ""), body)
            method = self.path.rpartition("/")[2]
            if method != "chat.postMessage":
                self._answer(method, message)
                return
            slack.requests.append(message)
            trouble = slack.judge(message, self.headers.get("Authorization", ""))
            if trouble in {"cut", "lost"}:
                if trouble == "lost":
                    slack.taken.append(message)
                self.close_connection = True
                self.connection.close()
            elif isinstance(trouble, tuple):
                self._say(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(trouble[1])})
            elif isinstance(trouble, int):
                self._say(trouble, None, {})
            elif trouble:
                self._say(200, {"ok": False, "error": trouble}, {})
            else:
                slack.taken.append(message)
                self._say(200, {"ok": True, "ts": str(len(slack.taken)), "channel": "C1"}, {})

        def _answer(self, method: str, asked: dict[str, Any]) -> None:
            wrong = slack.wrong.get(method) or slack.refusal(method, asked, self.headers.get("Authorization", ""))
            headers = {} if slack.scopes is None else {"x-oauth-scopes": slack.scopes}
            if isinstance(wrong, tuple):
                self._say(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(wrong[1])})
            elif isinstance(wrong, int):
                self._say(wrong, None, {})
            elif wrong:
                self._say(200, {"ok": False, "error": wrong}, {})
            else:
                self._say(200, {"ok": True} | slack.answer(method, asked), headers)

        def _say(self, status: int, answer: Any, headers: dict[str, str]) -> None:
            body = json.dumps(answer).encode() if answer else b"<html>out of order</html>"
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            try:
                super().handle()
            except (OSError, ValueError):
                self.close_connection = True

        def finish(self) -> None:
            try:
                super().finish()
            except (OSError, ValueError):
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _read(kind: str, body: str) -> dict[str, Any]:
    if "json" in kind:
        message = json.loads(body or "{}")
        return message | ({"blocks": json.dumps(message["blocks"])} if message.get("blocks") else {})
    return {name: values[0] for name, values in parse_qs(body).items()}


def said(message: dict[str, Any]) -> str:
    """Return all text of a message."""
    blocks = json.loads(message.get("blocks") or "[]")
    return "\n".join([message.get("text", ""), *(str(block) for block in blocks)])
