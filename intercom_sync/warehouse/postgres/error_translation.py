"""Translate driver errors to `WarehouseError`, with a sentence that says what to do and holds no row values.

deploy/README.md has the GRANT statements; `preflight` checks privileges before a sync starts.
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
_PRIVILEGES = {
    "table": "SELECT, INSERT, UPDATE and DELETE",
    "sequence": "USAGE",
    "schema": "USAGE and CREATE",
    "database": "CREATE",
}
_MISSING_PRIVILEGE = re.compile(rf"{DENIED} for ({'|'.join(_PRIVILEGES)}) (\S+)")


def missing_privilege(message: str) -> str:
    """Return the privilege that a message such as "permission denied for table x" asks for."""
    if "temporary tables" in message:
        return "TEMPORARY on the database"
    found = _MISSING_PRIVILEGE.search(message)
    return f"{_PRIVILEGES[found[1]]} on the {found[1]} {found[2]}" if found else "it"


SETTING = "INTERCOM_SYNC_DATABASE_URL"
_CONNECTION_LOST = (
    "no connection", "server closed", "terminating connection", "SSL connection has been closed", "SSL SYSCALL",
    "could not receive data", "could not send data", "connection not open", "Error writing tuple",
)  # fmt: skip
_BROKEN = "the connection broke"
_BUSY = {
    "53300": "has no connection left: sync again when others have closed theirs, or raise its max_connections",
    "55P03": "did not grant a lock in time: another program holds {table}; sync again when it is done",
    "40P01": "ended a deadlock with another program that holds {table}: sync again",
    "40001": "stopped a transaction because another program writes to {table}: sync again",
}
_REFUSED = {
    "42501": "refuses a privilege that the sync needs: grant {privilege} to the role in {setting}",
    "25006": "is read-only: name a primary server in {setting}",
    "53100": "has no disk space left: free some and sync again",
    "57014": "cancelled a statement that took too long: raise its statement_timeout for the role in {setting}",
    "22P05": "lacks a character in its encoding: create a database of encoding UTF8 and name it in {setting}",
    "3D000": "has no such database: create it, or fix {setting}",
}
_STATE_BY_MESSAGE = {
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
# An error that another program's trigger raises can contain any text. In other messages, quoted text may be a value;
# in messages of the classes below it is always the name of an object.
_RAISED_BY_TRIGGER = "P0"
_NAMES_ONLY = ("08", "23", "25", "28", "3D", "3F", "40", "42", "53", "55", "57")
_NOT_UP = ("starting up", "shutting down", "in recovery mode", "not accepting connections", "not yet accepting")


def translate(text: str, state: str, url: str) -> WarehouseError:
    """Return the error for a failed statement."""
    reason = _redact(_reason(text, url), state or _state(text))
    connection_lost = not state and (reason == _BROKEN or any(words in text for words in _CONNECTION_LOST))
    if state.startswith(("08", "57P")) or connection_lost:
        return DatabaseUnreachableError(f"PostgreSQL went away: {reason}. Sync again when it is back.")
    state = state or _state(text)
    cause = f"{reason} (SQLSTATE {state or 'unknown'})"
    if state in _BUSY:
        return DatabaseBusyError(f"PostgreSQL {_BUSY[state].format(table=_table(text))}: {cause}")
    hint = _REFUSED.get(state, "refused a statement").format(setting=SETTING, privilege=missing_privilege(reason))
    return DatabaseRefusedError(f"PostgreSQL {hint}: {cause}")


def unreachable(text: str, url: str) -> WarehouseError:
    """Return the error for a connection that cannot be made."""
    reason, state = _reason(text, url), _state(text)
    if state in _BUSY:
        return DatabaseBusyError(f"PostgreSQL {_BUSY[state]}: {reason}.")
    if any(words in text for words in _NOT_UP):
        return DatabaseUnreachableError(
            f"PostgreSQL does not accept connections yet: {reason}. Sync again when it does."
        )
    return DatabaseUnreachableError(f"PostgreSQL cannot be reached: {reason}. Check {SETTING}.")


def from_driver(error: DBAPIError, url: str) -> WarehouseError:
    """Return the error for a failure that SQLAlchemy raised."""
    text, state = str(error.orig), getattr(error.orig, "pgcode", None) or ""
    # When no connection can be made, psycopg2 has no SQLSTATE.
    if text.startswith("connection to server"):
        return unreachable(text, url)
    return translate(f"{text}\nQuery was {error.statement}", state, url)


def from_storage(error: BaseException, url: str) -> WarehouseError | None:
    """Return the error for a failure of Dagster's storage, which uses the same database; None for other failures."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, DBAPIError):
        cause = cause.__cause__ or cause.__context__
    return from_driver(cause, url) if cause else None


def _state(text: str) -> str:
    return next((state for message, state in _STATE_BY_MESSAGE.items() if message in text), "")


def _table(text: str) -> str:
    """Return the first table in the statement, which the driver's message repeats."""
    found = [(at, table.name) for table in tables.TABLES if (at := text.find(table.name)) >= 0]
    return min(found)[1] if found else "a table of the sync"


def _reason(text: str, url: str) -> str:
    """Return the server's message without the statement, row values, passwords and emails."""
    message = re.split(r"(?:ERROR|FATAL|PANIC):\s+|\[libpq\]\s+(?:Failed to connect:\s+)?", text)[-1]
    first = re.split(r"\n|Query was|DETAIL|CONTEXT", message.strip())[0].strip()
    for secret in _secrets(url):
        first = first.replace(secret, "***")
    return re.sub(r"\S+", lambda word: "…" if "@" in word[0] else word[0], first).rstrip(".") or _BROKEN


def _redact(reason: str, state: str) -> str:
    """Return a server message without text that may come from rows or from other programs."""
    if state.startswith(_RAISED_BY_TRIGGER):
        return "an error raised by a trigger, see the server's log"
    return reason if state.startswith(_NAMES_ONLY) else re.sub(r"\".*\"", "…", reason)


def _secrets(url: str) -> set[str]:
    parts = urlsplit(url)
    given = [parts.password or "", *parse_qs(parts.query).get("password", [])]
    return {form for one in given for form in (one, unquote(one)) if form}
