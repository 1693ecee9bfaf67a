"""What a role must be granted, in words, from PostgreSQL's sentence about what it refuses.

Which statements an administrator runs stands in deploy/README.md; what is looked at before a sync begins, in `rights`.
"""

import re
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy.exc import DBAPIError

from intercom_sync.domain.schema import tables
from intercom_sync.warehouse.errors import (
    DatabaseBusyError,
    DatabaseRefusedError,
    DatabaseUnreachableError,
    WarehouseError,
)

DENIED = "permission denied"
_RIGHTS = {
    "table": "SELECT, INSERT, UPDATE and DELETE",
    "sequence": "USAGE",
    "schema": "USAGE and CREATE",
    "database": "CREATE",
}
_MISSING_PRIVILEGE = re.compile(rf"{DENIED} for ({'|'.join(_RIGHTS)}) (\S+)")


def right_to_grant(sentence: str) -> str:
    """Return the right that a sentence such as "permission denied for table x" asks for."""
    if "temporary tables" in sentence:
        return "TEMPORARY on the database"
    refused = _MISSING_PRIVILEGE.search(sentence)
    return f"{_RIGHTS[refused[1]]} on the {refused[1]} {refused[2]}" if refused else "it"


SETTING = "INTERCOM_SYNC_DATABASE_URL"
_AWAY = (
    "no connection", "server closed", "terminating connection", "SSL connection has been closed", "SSL SYSCALL",
    "could not receive data", "could not send data", "connection not open", "Error writing tuple",
)  # fmt: skip
_BROKE = "the connection broke"
_BUSY = {
    "53300": "has no connection left: sync again when others have let go of theirs, or raise its max_connections",
    "55P03": "kept a lock too long: another program holds {table}; sync again when it is done",
    "40P01": "ended a deadlock with another program that holds {table}: sync again",
    "40001": "gave way to another program that writes to {table}: sync again",
}
_REFUSED = {
    "42501": "refuses a right that the sync needs: grant {right} to the role in {setting}",
    "25006": "is read-only: name a primary server in {setting}",
    "53100": "has no disk space left: free some and sync again",
    "57014": "cancelled a statement that took too long: raise its statement_timeout for the role in {setting}",
    "22P05": "has no such character in its encoding: create a database of encoding UTF8 and name it in {setting}",
    "3D000": "has no such database: create it, or mend {setting}",
}
_WORDS = {
    DENIED: "42501",
    "No space left on device": "53100",
    "due to lock timeout": "55P03",
    "due to statement timeout": "57014",
    "deadlock detected": "40P01",
    "read-only transaction": "25006",
    "has no equivalent in encoding": "22P05",
    "too many clients": "53300",
    "too many connections": "53300",
    "remaining connection slots": "53300",
}
# What a trigger of somebody else's raises may say anything; elsewhere quotes hold values, but for these classes' names.
_OWN_WORDS = "P0"
_NAMES_ONLY = ("08", "23", "25", "28", "3D", "3F", "40", "42", "53", "55", "57")
_NOT_UP = ("starting up", "shutting down", "in recovery mode", "not accepting connections", "not yet accepting")


def translate(text: str, state: str, url: str) -> WarehouseError:
    """Return what a statement's failure means."""
    reason = _redact(_reason(text, url), state or _state(text))
    if state.startswith(("08", "57P")) or (not state and (reason == _BROKE or any(words in text for words in _AWAY))):
        return DatabaseUnreachableError(f"PostgreSQL went away: {reason}. Sync again when it is back.")
    state = state or _state(text)
    told = f"{reason} (SQLSTATE {state or 'unknown'})"
    if state in _BUSY:
        return DatabaseBusyError(f"PostgreSQL {_BUSY[state].format(table=_table(text))}: {told}")
    hint = _REFUSED.get(state, "refused a statement").format(setting=SETTING, right=right_to_grant(reason))
    return DatabaseRefusedError(f"PostgreSQL {hint}: {told}")


def unreachable(text: str, url: str) -> WarehouseError:
    """Return what it means that no connection can be made."""
    reason, state = _reason(text, url), _state(text)
    if state in _BUSY:
        return DatabaseBusyError(f"PostgreSQL {_BUSY[state]}: {reason}.")
    if any(words in text for words in _NOT_UP):
        return DatabaseUnreachableError(f"PostgreSQL is there but not up: {reason}. Sync again when it is.")
    return DatabaseUnreachableError(f"PostgreSQL cannot be reached: {reason}. Check {SETTING}.")


def from_driver(error: DBAPIError, url: str) -> WarehouseError:
    """Return what a failure means that came by SQLAlchemy."""
    text, state = str(error.orig), getattr(error.orig, "pgcode", None) or ""
    # Of a connection that could not be made psycopg2 keeps no result.
    if text.startswith("connection to server"):
        return unreachable(text, url)
    return translate(f"{text}\nQuery was {error.statement}", state, url)


def from_storage(error: BaseException, url: str) -> WarehouseError | None:
    """Return what a failure of Dagster's storage means, which lies in the same database; None when it is no such."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, DBAPIError):
        cause = cause.__cause__ or cause.__context__
    return from_driver(cause, url) if cause else None


def _state(text: str) -> str:
    return next((state for words, state in _WORDS.items() if words in text), "")


def _table(text: str) -> str:
    """Return the table that the statement, which the driver repeats, is about; most wait for the customers."""
    named = [(at, table.name) for table in tables.TABLES if (at := text.find(table.name)) >= 0]
    return min(named)[1] if named else "a table of the sync"


def _reason(text: str, url: str) -> str:
    """Return the server's own sentence: no statement, no row's values, no password, no email."""
    said = re.split(r"(?:ERROR|FATAL|PANIC):\s+|\[libpq\]\s+(?:Failed to connect:\s+)?", text)[-1]
    first = re.split(r"\n|Query was|DETAIL|CONTEXT", said.strip())[0].strip()
    for secret in _secrets(url):
        first = first.replace(secret, "***")
    return re.sub(r"\S+", lambda word: "…" if "@" in word[0] else word[0], first).rstrip(".") or _BROKE


def _redact(reason: str, state: str) -> str:
    """Return a sentence about a statement without what rows and other programs may have put into it."""
    if state.startswith(_OWN_WORDS):
        return "a rule of its own, see the server's log"
    return reason if state.startswith(_NAMES_ONLY) else re.sub(r"\".*\"", "…", reason)


def _secrets(url: str) -> set[str]:
    parts = urlsplit(url)
    given = [parts.password or "", *parse_qs(parts.query).get("password", [])]
    return {form for one in given for form in (one, unquote(one)) if form}
