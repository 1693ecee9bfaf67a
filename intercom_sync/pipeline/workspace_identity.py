"""Which workspace a token belongs to, and whether it is the one whose records the tables hold."""

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
    """What Intercom says of the workspace of a token.

    Attributes:
        id: its id; None where nothing tells it.
        region: a key of `WEB_APPS`; empty when Intercom does not say it or it is not known here.
    """

    id: str | None = None
    region: str = ""


def fetch_workspace(client: IntercomClient) -> Workspace:
    """Return the token's workspace; its id is that of its newest contacts where the token may not read `/me`.

    Raises:
        RetryableError: Intercom cannot be reached, or gives no usable answer.
    """
    try:
        app = client.me().get("app")
        answer = app if isinstance(app, dict) else {}
        return Workspace(usable_id(answer.get("id_code")) or _of_newest_contacts(client), region_of(answer))
    except RetryableError:
        raise
    except IntercomError:
        return Workspace(_of_newest_contacts(client))


def region_of(app: dict[str, Any]) -> str:
    """Return the region that Intercom gives a workspace; empty where it gives none that is known here."""
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
    """Return a sentence when the tables hold another workspace. Runs inside the caller's transaction."""
    stored = workspace_state.workspace_id(session)
    if stored is None or stored == found:
        return None
    return (
        f"INTERCOM_API_KEY is of workspace {found}, but the tables hold workspace {stored}, so nothing was written. "
        f"Use a key of workspace {stored}, or set INTERCOM_SYNC_SCHEMA to another schema for workspace {found}."
    )


def refuse_foreign_contacts(records: Iterable[Any], workspace: str | None) -> None:
    """Refuse contacts that all carry the id of another workspace than the one that the token says it is of.

    Raises:
        RunRefusedError: they do.
    """
    found = {_workspace_of(record) for record in records} - {None}
    if workspace and found and workspace not in found:
        raise RunRefusedError(
            f"INTERCOM_API_KEY is of workspace {workspace}, but the contacts that Intercom gives carry workspace "
            f"{', '.join(sorted(map(str, found)))}, so they were not written. Check the key and INTERCOM_BASE_URL."
        )


def _of_newest_contacts(client: IntercomClient) -> str | None:
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
