"""Authentication: the bearer token and the Accept header.

The sandbox accepts any token unless one is configured, except tokens with a word of `_REJECTED_WORDS`.
"""

from intercom_sync.sandbox.errors import ApiError
from intercom_sync.sandbox.requests import Request

_REJECTED_WORDS = ("wrong", "invalid", "bad", "revoked", "expired")


def check_access(request: Request, token: str | None) -> None:
    """Check the credentials and the Accept header of a request.

    Raises:
        ApiError: 401 for a missing or invalid token, 403 for a token with `forbidden` in it, 406 if JSON is not
            accepted.
    """
    scheme, _, sent_token = request.headers.get("authorization", "").partition(" ")
    sent_token = sent_token.strip()
    if scheme.lower() != "bearer" or not sent_token:
        raise ApiError(401, "missing_authorization", "Authorization header is missing or is no bearer token")
    if any(word in sent_token.lower() for word in _REJECTED_WORDS) or (token is not None and sent_token != token):
        raise ApiError(401, "unauthorized", "Access Token Invalid")
    if "forbidden" in sent_token.lower():
        raise ApiError(403, "api_plan_restricted", "Active subscription needed.")
    accept = request.headers.get("accept", "*/*")
    if "json" not in accept and "*/*" not in accept and "application/*" not in accept:
        raise ApiError(406, "not_acceptable", "The Accept header should be application/json")
