"""The routing table: the handler of each path and method."""

from collections.abc import Callable
from urllib.parse import unquote

from intercom_sync.sandbox import contacts_api, conversations_api, workspace_api
from intercom_sync.sandbox.api_calls import EndpointCall
from intercom_sync.sandbox.errors import ApiError, not_found

Handler = Callable[[EndpointCall], bytes]

_FIXED: dict[str, dict[str, Handler]] = {
    "/contacts": {"GET": contacts_api.list_contacts},
    "/contacts/search": {"POST": contacts_api.search_contacts},
    "/conversations": {"GET": conversations_api.list_conversations},
    "/conversations/search": {"POST": conversations_api.search_conversations},
    "/conversations/deleted": {"GET": conversations_api.deleted_conversations},
    "/me": {"GET": workspace_api.me},
    "/data_attributes": {"GET": workspace_api.data_attributes},
}
_BY_ID: dict[tuple[str, str], dict[str, Handler]] = {
    ("/contacts/find_by_external_id/", ""): {"GET": contacts_api.find_by_external_id},
    ("/contacts/", "/merge_history"): {"GET": contacts_api.merge_history},
    ("/contacts/", ""): {"GET": contacts_api.get_contact},
    ("/conversations/", ""): {"GET": conversations_api.get_conversation},
}


def route(method: str, path: str) -> tuple[Handler, str]:
    """Return the handler of a path, and the variable part of the path.

    Raises:
        ApiError: 404 for an unknown path, 405 for a method that it does not support.
    """
    methods, part = _find(path)
    if method not in methods:
        raise ApiError(405, "method_not_allowed", f"{method} is not allowed here")
    return methods[method], part


def _find(path: str) -> tuple[dict[str, Handler], str]:
    if path in _FIXED:
        return _FIXED[path], ""
    for (before, after), methods in _BY_ID.items():
        if path.startswith(before) and path.endswith(after):
            part = path[len(before) : len(path) - len(after)]
            if part and "/" not in part:
                return methods, unquote(part)
    raise not_found()
