"""The workspace's data attributes: what GET /data_attributes lists and what a search may name.

Intercom keeps a registry; here it grows from the contacts put. Types are API 2.16's (string, integer, float, boolean,
date). How a contact's value is compared is not decided here.
"""

from typing import Any

_STANDARD = {
    "name": "string",
    "email": "string",
    "phone": "string",
    "external_id": "string",
    "created_at": "date",
    "updated_at": "date",
    "signed_up_at": "date",
    "last_seen_at": "date",
    "unsubscribed_from_emails": "boolean",
}
_TYPES: dict[type, str] = {bool: "boolean", int: "integer", float: "float"}


class Attributes:
    """Name and type of every custom attribute that a contact of the workspace has ever carried."""

    def __init__(self) -> None:
        self.types: dict[str, str] = {}

    def notice(self, contact: Any) -> None:
        """Register the attributes of a contact that are new; null tells no type."""
        custom = contact.get("custom_attributes") if isinstance(contact, dict) else None
        if not isinstance(custom, dict):
            return
        for name, value in custom.items():
            if name not in self.types and value is not None:
                self.types[name] = _type_of(name, value)

    def listed(self) -> list[dict[str, Any]]:
        """The attributes as the API lists them, standard ones first."""
        standard = [_attribute(name, name, kind) for name, kind in _STANDARD.items()]
        own = [_attribute(name, f"custom_attributes.{name}", kind) for name, kind in sorted(self.types.items())]
        return standard + own


def _type_of(name: str, value: object) -> str:
    kind = _TYPES.get(type(value), "string")
    return "date" if kind == "integer" and name.endswith("_at") else kind


def _attribute(name: str, full_name: str, data_type: str) -> dict[str, Any]:
    own = name != full_name
    return {
        "type": "data_attribute",
        "model": "contact",
        "name": name,
        "full_name": full_name,
        "label": name,
        "description": "",
        "data_type": data_type,
        "api_writable": own,
        "ui_writable": False,
        "messenger_writable": False,
        "custom": own,
        "archived": False,
    }
