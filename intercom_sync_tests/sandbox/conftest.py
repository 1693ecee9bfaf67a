"""A small hand-written workspace on a running sandbox, and functions that send requests to it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from intercom_sync.sandbox.builders import contact, conversation, message, part
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.sandbox.workspace import Workspace

NOON = 1_750_075_200  # 16 June 2025, 12:00 UTC
HOUR = 3600

Ask = Callable[..., requests.Response]


@pytest.fixture
def company() -> Workspace:
    """Return a workspace in UTC with seven users an hour apart and three conversations."""
    company = Workspace()
    for number in range(7):
        at = NOON + number * HOUR
        company.put_contact(contact(id=f"c{number}", created_at=at, last_seen_at=None if number == 6 else at))
    for number in range(3):
        opening = message(author={"type": "user", "id": f"c{number}", "name": None, "email": "a@example.com"})
        reply = part(created_at=NOON + HOUR, author={"type": "admin", "id": "1", "name": "A", "email": "t@example.com"})
        company.put_conversation(
            conversation(id=str(number), created_at=NOON + number * HOUR, source=opening, parts=[reply])
        )
    return company


@pytest.fixture
def sandbox(company: Workspace) -> Iterator[Sandbox]:
    """Run a sandbox with the workspace."""
    with Sandbox(company) as running:
        yield running


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Return an HTTP session with a valid token."""
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer sandbox"
        yield session


@pytest.fixture
def ask(sandbox: Sandbox, session: requests.Session) -> Ask:
    """`ask("GET", "/me")`, `ask("POST", "/contacts/search", json=...)`: the sandbox's answer."""

    def ask(method: str, path: str, **options: Any) -> requests.Response:
        return session.request(method, sandbox.url + path, timeout=10, **options)

    return ask


@pytest.fixture
def search(ask: Ask) -> Callable[..., requests.Response]:
    """A search of contacts (or `what="conversations"`): `search("created_at", ">", 1, sort=...)`."""

    def search(
        field: str, operator: str, value: Any, *, what: str = "contacts", version: str = "2.16", **body: Any
    ) -> requests.Response:
        query = {"field": field, "operator": operator, "value": value}
        headers = {"Intercom-Version": version}
        return ask("POST", f"/{what}/search", json={"query": query, **body}, headers=headers)

    return search


@pytest.fixture
def found(search: Callable[..., requests.Response]) -> Callable[..., list[str]]:
    """Return the ids in a search result, in order."""

    def found(*given: Any, **options: Any) -> list[str]:
        answer = search(*given, **options)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return [item["id"] for item in body.get("data", body.get("conversations"))]

    return found
