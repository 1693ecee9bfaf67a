"""The endpoints on the workspace itself: /me and /data_attributes."""

from intercom_sync.sandbox.api_calls import EndpointCall
from intercom_sync.sandbox.errors import ApiError, invalid
from intercom_sync.sandbox.stored_record import dump


def me(call: EndpointCall) -> bytes:
    """GET /me: the only endpoint that returns the workspace's time zone."""
    app = {
        "type": "app",
        "id_code": call.workspace.workspace_id,
        "name": "Sandbox Company",
        "region": call.workspace.region,
        "timezone": call.workspace.timezone,
        "created_at": 1_500_000_000,
        "identity_verification": False,
    }
    return dump(
        {
            "type": "admin",
            "id": "7001",
            "name": "Robin Sandbox",
            "email": "robin@sandbox.example",
            "email_verified": True,
            "has_inbox_seat": True,
            "avatar": {"type": "avatar", "image_url": None},
            "app": app,
        }
    )


def data_attributes(call: EndpointCall) -> bytes:
    """GET /data_attributes: the attributes of contacts; companies have none here.

    Raises:
        ApiError: 422 for `model=conversation`, as since API 2.16; 400 for any other model.
    """
    model = call.request.query.get("model", "contact")
    if model == "conversation":
        message = "model=conversation is no longer supported. Use GET /conversations/attributes instead"
        raise ApiError(422, "parameter_invalid", message)
    if model not in ("contact", "company"):
        raise invalid(f"model {model!r} is neither contact nor company", "model")
    return dump({"type": "list", "data": call.workspace.attributes.listed() if model == "contact" else []})
