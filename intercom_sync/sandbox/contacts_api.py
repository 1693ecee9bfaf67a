"""The endpoints below /contacts."""

from base64 import b64decode, b64encode
from typing import Any

import orjson

from intercom_sync.sandbox.api_calls import EndpointCall
from intercom_sync.sandbox.errors import ApiError, invalid, not_found
from intercom_sync.sandbox.paging import page_size
from intercom_sync.sandbox.query import compile_query
from intercom_sync.sandbox.search import envelope, find, page, read_sort, sort_by
from intercom_sync.sandbox.stored_record import CONTACT, dump, load

_ONLY_BY_ID_NAMES = "utm_campaign utm_content utm_medium utm_source utm_term referrer enabled_push_messaging"
_ONLY_BY_ID = dict.fromkeys(_ONLY_BY_ID_NAMES.split())


def search_contacts(call: EndpointCall) -> bytes:
    """POST /contacts/search: by default 50 per page, most recently seen first."""
    body, pagination, language = call.search_body(), call.pagination(), call.language(CONTACT)
    condition = compile_query(body["query"], language)
    sort = read_sort(body.get("sort"), language)
    per_page = page_size(pagination.get("per_page"), 50)
    view = call.workspace.contact_table.searchable()
    token = (orjson.dumps(body["query"]), call.exact, call.workspace.timezone)
    found = find(view, condition, sort, token)
    return _listed(call, *page(view, found, sort, per_page, pagination.get("starting_after")))


def list_contacts(call: EndpointCall) -> bytes:
    """GET /contacts: 10 per page, newest first (Intercom documents no order), without the index delay."""
    sort = sort_by("created_at", "date", call.language(CONTACT), ascending=False)
    per_page = page_size(call.request.query.get("per_page"), 10)
    view = call.workspace.contact_table.live
    found = find(view, None, sort, None)
    return _listed(call, *page(view, found, sort, per_page, call.request.query.get("starting_after")))


def _listed(call: EndpointCall, bodies: list[bytes], pages: dict[str, Any], total: int) -> bytes:
    if call.flag("include_merge_history"):
        bodies = [_listed_with_history(call, each) for each in bodies]
    return envelope("list", "data", bodies, pages, total)


def get_contact(call: EndpointCall) -> bytes:
    """GET /contacts/{id}: 410 with a Link header if merged, 404 if archived or unknown."""
    found = _contact(call, call.part)
    url = f"/contacts/{call.part}/subscriptions"
    empty = {"type": "list", "data": [], "url": url, "total_count": 0, "has_more": False}
    return dump({"opted_out_subscription_types": empty, "opted_in_subscription_types": empty, **_ONLY_BY_ID} | found)


def find_by_external_id(call: EndpointCall) -> bytes:
    """GET /contacts/find_by_external_id/{external_id}: users only."""
    needle = orjson.dumps(call.part)
    for each in call.workspace.contact_table.live.records.values():
        if needle in each.body:
            found = load(each.body)
            if isinstance(found, dict) and found.get("external_id") == call.part and found.get("role") == "user":
                return dump(found)
    raise not_found("User Not Found")


def merge_history(call: EndpointCall) -> bytes:
    """GET /contacts/{id}/merge_history: the contacts merged into a user, newest first; 404 for a lead."""
    if _contact(call, call.part).get("role") != "user":
        raise not_found("Contact not found")
    per_page, start = call.number("per_page", 50, 150), _offset(call.request.query.get("cursor"))
    merges = _history(call, call.part)
    if call.request.query.get("order") == "asc":
        merges.reverse()
    has_more = start + per_page < len(merges)
    next_cursor = b64encode(b"%d" % (start + per_page)).decode() if has_more else None
    data = merges[start : start + per_page]
    return dump({"type": "list", "data": data, "next_cursor": next_cursor, "has_more": has_more})


def _offset(cursor: str | None) -> int:
    try:
        return int(b64decode(cursor, validate=True)) if cursor else 0
    except ValueError:
        raise invalid("cursor is not valid", "cursor") from None


def _contact(call: EndpointCall, id: str) -> dict[str, Any]:
    stored = call.workspace.contact_table.live.records.get(id)
    if stored is not None:
        found: dict[str, Any] = load(stored.body)
        return _with_history(call, found) if call.flag("include_merge_history") else found
    target = call.workspace.merged_into(id)
    if target is None:
        raise not_found("Contact not found")
    message = "This contact has been merged. See the 'Link' header for the canonical contact."
    raise ApiError(410, "contact_merged", message, headers={"Link": f'</contacts/{target}>; rel="canonical"'})


def _history(call: EndpointCall, id: str) -> list[dict[str, Any]]:
    merges = [(at, source, role) for source, (into, role, at) in call.workspace.merges.items() if into == id]
    return [
        {"type": "merge_history", "source_contact_id": source, "source_contact_role": role, "merged_at": at}
        for at, source, role in sorted(merges, reverse=True)
    ]


def _listed_with_history(call: EndpointCall, body: bytes) -> bytes:
    """Add the merge history, directly in the JSON text if possible: parsing every record of a page is slow."""
    if call.workspace.merges or body.count(b'"role":') != 1:
        return dump(_with_history(call, load(body)))
    return body[:-1] + b',"merge_history":[]}' if b'"role":"user"' in body else body


def _with_history(call: EndpointCall, contact: Any) -> Any:
    if isinstance(contact, dict) and contact.get("role") == "user":
        return {**contact, "merge_history": _history(call, str(contact.get("id")))}
    return contact
