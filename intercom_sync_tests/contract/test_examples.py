"""Every contact and conversation that Intercom's own description shows as an example lands; none breaks a rule."""

from collections.abc import Iterator
from typing import Any

from intercom_sync_tests.end_to_end.scenario import Scenario

_MARKS = {"contact": {"workspace_id", "email", "created_at"}, "conversation": {"source", "state", "created_at"}}


def _examples(node: Any, kind: str, inside: bool = False) -> Iterator[Any]:
    """Every object of a kind anywhere inside an example; bare references (an id and a type) are none."""
    if isinstance(node, dict):
        if inside and node.get("type") == kind and len(_MARKS[kind] & set(node)) > 1:
            yield node
        for name, inner in node.items():
            yield from _examples(inner, kind, inside or name in {"example", "examples"})
    elif isinstance(node, list):
        for inner in node:
            yield from _examples(inner, kind, inside)


def test_intercoms_own_examples_land(described: Any, scenario: Scenario) -> None:
    contacts, conversations = (list(_examples(described, kind)) for kind in ("contact", "conversation"))
    assert (len(contacts), len(conversations)) >= (5, 10)
    # The examples name many workspaces; a key reads one.
    scenario.put(*({**contact, "workspace_id": scenario.company.workspace_id} for contact in contacts))
    scenario.talks(*conversations)
    scenario.sync(full=True)
    assert scenario.rejects() == []
    for table, examples in (("intercom_contacts", contacts), ("intercom_conversations", conversations)):
        assert scenario.values(f"SELECT id FROM {table} ORDER BY id") == sorted({one["id"] for one in examples})
    emails = {(one.get("email") or "").lower() for one in contacts} - {""}
    assert {email.lower() for email in scenario.emails()} == emails
