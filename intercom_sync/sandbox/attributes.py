"""The data attributes of a workspace, which GET /data_attributes lists and searches can filter on.

Storing a contact registers its custom attributes. Types are those of API 2.16: string, integer, float, boolean, date.
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
    """Name and type of every custom attribute that any contact of the workspace has had."""

    def __init__(self) -> None:
        self.types: dict[str, str] = {}

    def register(self, contact: Any) -> None:
        """Register new attributes of a contact; null values are skipped because they have no type."""
        custom = contact.get("custom_attributes") if isinstance(contact, dict) else None
        if not isinstance(custom, dict):
            return
        for name, value in custom.items():
            if name not in self.types and value is not None:
                self.types[name] = _type_of(name, value)

    def listed(self) -> list[dict[str, Any]]:
        """Return the attributes as the API lists them, standard ones first."""
        standard = [_attribute(name, name, kind) for name, kind in _STANDARD.items()]
        custom = [_attribute(name, f"custom_attributes.{name}", kind) for name, kind in sorted(self.types.items())]
        return standard + custom


def _type_of(name: str, value: object) -> str:
    kind = _TYPES.get(type(value), "string")
    return "date" if kind == "integer" and name.endswith("_at") else kind


def _attribute(name: str, full_name: str, data_type: str) -> dict[str, Any]:
    is_custom = name != full_name
    return {
        "type": "data_attribute",
        "model": "contact",
        "name": name,
        "full_name": full_name,
        "label": name,
        "description": "",
        "data_type": data_type,
        "api_writable": is_custom,
        "ui_writable": False,
        "messenger_writable": False,
        "custom": is_custom,
        "archived": False,
    }
