"""Identify the workspace of a token, and refuse one whose records are not those in the tables."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from intercom_sync.domain.errors import RetryableError
from intercom_sync.domain.parsing import usable_id
from intercom_sync.domain.rules import WEB_APPS
from intercom_sync.intercom import streams
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.intercom.errors import IntercomError
from intercom_sync.intercom.search_pages import PageSize
from intercom_sync.intercom.streams import CONTACTS
from intercom_sync.pipeline.errors import RunRefusedError
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import workspace_state


class Workspace(NamedTuple):
    """The workspace of a token.

    Attributes:
        id: its id; None if unknown.
        region: a key of `WEB_APPS`; empty if unknown.
    """

    id: str | None = None
    region: str = ""


def fetch_workspace(client: IntercomClient) -> Workspace:
    """Fetch the token's workspace; without access to `/me`, take the id from its newest contacts.

    Raises:
        RetryableError: Intercom cannot be reached, or returns no usable response.
    """
    try:
        app = client.me().get("app")
        workspace = app if isinstance(app, dict) else {}
        return Workspace(usable_id(workspace.get("id_code")) or _id_of_newest_contacts(client), region_of(workspace))
    except RetryableError:
        raise
    except IntercomError:
        return Workspace(_id_of_newest_contacts(client))


def region_of(app: dict[str, Any]) -> str:
    """Return the region in Intercom's description of a workspace; empty if missing or unknown."""
    region = str(app.get("region")).strip().lower()
    return region if region in WEB_APPS else ""


def require_workspace(session: Session, found: Workspace) -> None:
    """Refuse a workspace other than the stored one, and store the first. Runs inside the caller's transaction.

    Raises:
        RunRefusedError: the tables hold another workspace.
    """
    if found.id:
        if refusal := foreign_workspace(session, found.id):
            raise RunRefusedError(refusal)
        workspace_state.store_workspace_id(session, found.id)
    if found.region:
        workspace_state.store_region(session, found.region)


def foreign_workspace(session: Session, found: str) -> str | None:
    """Return an error message if the tables hold another workspace. Runs inside the caller's transaction."""
    stored = workspace_state.workspace_id(session)
    if stored is None or stored == found:
        return None
    return (
        f"INTERCOM_API_KEY is of workspace {found}, but the tables hold workspace {stored}, so nothing was written. "
        f"Use a key of workspace {stored}, or set INTERCOM_SYNC_SCHEMA to another schema for workspace {found}."
    )


def refuse_foreign_contacts(records: Iterable[Any], workspace: str | None) -> None:
    """Refuse contacts that all carry the id of another workspace than the token's.

    Raises:
        RunRefusedError: all contacts belong to other workspaces.
    """
    found = {_workspace_of(record) for record in records} - {None}
    if workspace and found and workspace not in found:
        raise RunRefusedError(
            f"INTERCOM_API_KEY is of workspace {workspace}, but the contacts that Intercom gives carry workspace "
            f"{', '.join(sorted(map(str, found)))}, so they were not written. Check the key and INTERCOM_BASE_URL."
        )


def _id_of_newest_contacts(client: IntercomClient) -> str | None:
    body = streams.search("updated_at", descending=True)
    try:
        found = client.search(CONTACTS, body, PageSize(streams.MAX_PAGE_SIZE))
    except RetryableError:
        raise
    except IntercomError:
        return None
    return next((id for id in map(_workspace_of, found[CONTACTS.key]) if id), None)


def _workspace_of(record: Any) -> str | None:
    return usable_id(record.get("workspace_id")) if isinstance(record, dict) else None
