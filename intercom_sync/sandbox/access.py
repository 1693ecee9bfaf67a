"""Who may ask: the bearer token and the Accept header.

Any token opens the sandbox, unless one is set; a few words in it stand for tokens that Intercom would refuse.
"""

from intercom_sync.sandbox.errors import ApiError
from intercom_sync.sandbox.requests import Request

_REFUSED = ("wrong", "invalid", "bad", "revoked", "expired")


def check_access(request: Request, token: str | None) -> None:
    """Let the request pass.

    Raises:
        ApiError: 401 without a good token, 403 with one that says `forbidden`, 406 when JSON is not accepted.
    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    given = given.strip()
    if scheme.lower() != "bearer" or not given:
        raise ApiError(401, "missing_authorization", "Authorization header is missing or is no bearer token")
    if any(word in given.lower() for word in _REFUSED) or (token is not None and given != token):
        raise ApiError(401, "unauthorized", "Access Token Invalid")
    if "forbidden" in given.lower():
        raise ApiError(403, "api_plan_restricted", "Active subscription needed.")
    accept = request.headers.get("accept", "*/*")
    if "json" not in accept and "*/*" not in accept and "application/*" not in accept:
        raise ApiError(406, "not_acceptable", "The Accept header should be application/json")
