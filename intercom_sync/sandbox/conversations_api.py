"""The endpoints below /conversations."""

from typing import Any

import orjson

from intercom_sync.sandbox.api_calls import EndpointCall
from intercom_sync.sandbox.errors import not_found
from intercom_sync.sandbox.paging import page_size
from intercom_sync.sandbox.plaintext import as_plaintext
from intercom_sync.sandbox.query import compile_query
from intercom_sync.sandbox.search import envelope, find, page, read_sort, sort_by
from intercom_sync.sandbox.stored_record import CONVERSATION, dump, load

MAX_PARTS = 500  # a conversation is returned with at most its newest 500 parts


def search_conversations(call: EndpointCall) -> bytes:
    """POST /conversations/search: 20 per page, most recently updated first, without parts."""
    body, pagination, language = call.search_body(), call.pagination(), call.language(CONVERSATION)
    condition = compile_query(body["query"], language)
    sort = read_sort(body.get("sort"), language)
    per_page = page_size(pagination.get("per_page"), 20)
    view = call.workspace.conversation_table.searchable()
    found = find(view, condition, sort, orjson.dumps(body["query"]))
    return _listed(*page(view, found, sort, per_page, pagination.get("starting_after")))


def list_conversations(call: EndpointCall) -> bytes:
    """GET /conversations: 20 per page, most recently updated first."""
    sort = sort_by("updated_at", "date", call.language(CONVERSATION), ascending=False)
    per_page = page_size(call.request.query.get("per_page"), 20)
    view = call.workspace.conversation_table.live
    return _listed(*page(view, find(view, None, sort, None), sort, per_page, call.request.query.get("starting_after")))


def _listed(bodies: list[bytes], pages: dict[str, Any], total: int) -> bytes:
    return envelope("conversation.list", "conversations", bodies, pages, total)


def get_conversation(call: EndpointCall) -> bytes:
    """GET /conversations/{id}: with the newest 500 parts; `display_as=plaintext` returns text instead of HTML."""
    stored = call.workspace.conversation_table.live.records.get(call.part)
    if stored is None:
        raise not_found(code="conversation_not_found")
    as_text = call.request.query.get("display_as") == "plaintext"
    if not as_text and (stored.parts is None or stored.parts.count(b'"part_type"') <= MAX_PARTS):
        return stored.whole()
    found = _newest_parts(load(stored.whole()))
    return dump(as_plaintext(found) if as_text else found)


def _newest_parts(conversation: dict[str, Any]) -> dict[str, Any]:
    parts = conversation.get("conversation_parts")
    if isinstance(parts, dict) and isinstance(parts.get("conversation_parts"), list):
        conversation["conversation_parts"] = {**parts, "conversation_parts": parts["conversation_parts"][-MAX_PARTS:]}
    return conversation


def deleted_conversations(call: EndpointCall) -> bytes:
    """GET /conversations/deleted: newest first unless `order=asc`; `pages.next` is a URL."""
    per_page, number = call.number("per_page", 20, 60), call.number("page", 1, 1_000_000)
    order = "asc" if call.request.query.get("order") == "asc" else "desc"
    deleted = sorted(call.workspace.deleted_conversations.items(), key=lambda each: each[::-1], reverse=order == "desc")
    total = -(-len(deleted) // per_page)
    pages: dict[str, Any] = {"type": "pages", "page": number, "per_page": per_page, "total_pages": total}
    if number < total:
        pages["next"] = f"{call.base}/conversations/deleted?per_page={per_page}&order={order}&page={number + 1}"
    listed = deleted[(number - 1) * per_page : number * per_page]
    items = [{"type": "conversation", "id": id, "metrics_retained": True, "deleted_at": at} for id, at in listed]
    return dump({"type": "conversations.list", "conversations": items, "total_count": len(deleted), "pages": pages})
