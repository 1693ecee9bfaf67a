"""The searchable fields of contacts and conversations: their types and their paths in the record.

The lists are from the search pages of API 2.16. `_PATHS` has the fields whose search name differs from the record.
"""

from typing import Any

from intercom_sync.sandbox.stored_record import CONTACT, Kind

_CONTACT_STRINGS = (
    "id role name avatar owner_id email email_domain phone formatted_phone external_id language_override browser "
    "browser_language os location.country location.region location.city ios_app_version ios_device ios_app_device "
    "ios_os_version ios_app_name ios_sdk_version android_app_version android_device android_app_name "
    "android_sdk_version segment_id"
)
_CONTACT_DATES = (
    "created_at updated_at signed_up_at last_seen_at last_contacted_at last_replied_at last_email_opened_at "
    "last_email_clicked_at ios_last_seen_at android_last_seen_at"
)
_CONTACT_FLAGS = "unsubscribed_from_emails marked_email_as_spam has_hard_bounced"
CONTACT_FIELDS: dict[str, str] = {
    **dict.fromkeys(_CONTACT_STRINGS.split(), "string"),
    **dict.fromkeys(_CONTACT_DATES.split(), "date"),
    **dict.fromkeys(_CONTACT_FLAGS.split(), "boolean"),
    "tag_id": "tag",
}

_CONVERSATION_STRINGS = (
    "id source.type source.id source.delivered_as source.subject source.body source.author.id source.author.type "
    "source.author.name source.author.email source.url contact_ids teammate_ids channel_initiated state tag_ids "
    "priority statistics.last_closed_by_id conversation_rating.remark conversation_rating.contact_id"
)
_CONVERSATION_DATES = (
    "created_at updated_at waiting_since snoozed_until statistics.first_contact_reply_at "
    "statistics.first_assignment_at statistics.first_admin_reply_at statistics.first_close_at "
    "statistics.last_assignment_at statistics.last_assignment_admin_reply_at statistics.last_contact_reply_at "
    "statistics.last_admin_reply_at statistics.last_close_at conversation_rating.requested_at "
    "conversation_rating.replied_at"
)
_CONVERSATION_NUMBERS = (
    "admin_assignee_id team_assignee_id statistics.time_to_assignment statistics.time_to_admin_reply "
    "statistics.time_to_first_close statistics.time_to_last_close statistics.median_time_to_reply "
    "statistics.count_reopens statistics.count_assignments statistics.count_conversation_parts "
    "conversation_rating.score"
)
CONVERSATION_FIELDS: dict[str, str] = {
    **dict.fromkeys(_CONVERSATION_STRINGS.split(), "string"),
    **dict.fromkeys(_CONVERSATION_DATES.split(), "date"),
    **dict.fromkeys(_CONVERSATION_NUMBERS.split(), "integer"),
    **dict.fromkeys(("open", "read", "ai_agent_participated"), "boolean"),
}

_PATHS = {
    "tag_id": "tags.data.*.id",
    "formatted_phone": "phone",
    "contact_ids": "contacts.contacts.*.id",
    "teammate_ids": "teammates.teammates.*.id",
    "tag_ids": "tags.tags.*.id",
    "channel_initiated": "source.type",
    "conversation_rating.score": "conversation_rating.rating",
    "conversation_rating.contact_id": "conversation_rating.contact.id",
    "conversation_rating.requested_at": "conversation_rating.created_at",
    "conversation_rating.replied_at": "conversation_rating.updated_at",
}


def field_type(kind: Kind, name: str, attributes: dict[str, str]) -> str | None:
    """Return the type of a field (string, date, boolean, integer, tag), or None if it is not searchable."""
    if kind is not CONTACT:
        return CONVERSATION_FIELDS.get(name)
    prefix, dot, attribute = name.partition(".")
    if dot and prefix == "custom_attributes":
        found = attributes.get(attribute)
        return "integer" if found == "float" else found
    return CONTACT_FIELDS.get(name)


def field_path(name: str) -> tuple[str, ...]:
    """Return the path of a field in the record; `*` is each item of a list."""
    if name.startswith("custom_attributes."):
        return ("custom_attributes", name.partition(".")[2])
    return tuple(_PATHS.get(name, name).split("."))


def values(node: Any, path: tuple[str, ...]) -> list[Any]:
    """Return the values at a path: one, several below a `*`, or none if the path does not exist."""
    for at, step in enumerate(path):
        if step == "*":
            return [found for each in node for found in values(each, path[at + 1 :])] if isinstance(node, list) else []
        if not isinstance(node, dict):
            return []
        node = node.get(step)
    return [] if node is None else [node]
