"""Redact unexpected exceptions: keep class and location, drop the message, which may hold customer data.

Errors of database drivers, parsers and HTTP clients quote their input: a row, a statement, a response body. Messages
of Dagster and the operating system are about configuration, files and ports, so they are kept. Expected errors have
messages of our own and pass unchanged.
"""

import errno
import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PACKAGE = Path(__file__).parent
_OUR_PACKAGE = __name__.partition(".")[0]
_SAFE_PACKAGES = {"dagster", "dagster_shared", "dagster_postgres", "alembic", "subprocess"}
# Dagster's errors that quote a value, or the message of an error in another process.
_QUOTES_INPUT = {
    "ParameterCheckError", "ElementCheckError", "NotImplementedCheckError", "DagsterTypeCheckDidNotPass",
    "DagsterUserCodeProcessError", "DagsterSubprocessError",
}  # fmt: skip
_SYSTEM_MODULES = {"builtins", "socket", "ssl", "shutil"}
_MAX_CHARACTERS = 600
_MIN_SECRET_CHARACTERS = 4
"""A shorter value occurs inside too many other words."""
_secrets: set[str] = set()
_HINTS = {
    errno.EACCES: "Give this user permission, or configure another path.",
    errno.EPERM: "Give this user permission, or configure another path.",
    errno.EROFS: "Configure a writable path.",
    errno.ENOSPC: "Free some space and try again.",
    errno.EDQUOT: "Free some space and try again.",
    errno.ENOTDIR: "A part of this path is a file: configure another path.",
    errno.ENOENT: "Create it, or configure another path.",
    errno.EADDRINUSE: "Choose another port with --port.",
    errno.EMFILE: "Raise the limit of open files (ulimit -n).",
    errno.ENOMEM: "Free some memory and try again.",
}


class UnexpectedError(Exception):
    """An unexpected exception was raised; this message holds no customer data."""


def hide_secrets(*values: str) -> None:
    """Remove these values from all later messages of this process."""
    _secrets.update(value for value in values if len(value) >= _MIN_SECRET_CHARACTERS)


@contextmanager
def redact_unexpected(*expected: type[Exception]) -> Iterator[None]:
    """Pass expected errors unchanged, and replace any other exception by its redacted description.

    Raises:
        UnexpectedError: any other exception was raised; it is not chained.
    """
    try:
        yield
    except expected:
        raise
    except Exception as error:
        raise UnexpectedError(describe(error)) from None


def describe(error: Exception) -> str:
    """Return the message of an error if it cannot hold customer data, else its class and location."""
    inner = getattr(error, "user_exception", None)  # Dagster wraps exceptions of our code
    return describe(inner) if isinstance(inner, Exception) else _safe_message(error) or _class_and_location(error)


def _safe_message(error: Exception) -> str:
    """Return the message of an error of the operating system or a safe package, or an empty string."""
    kind = type(error)
    package = kind.__module__.partition(".")[0]
    if isinstance(error, OSError) and (package in _SYSTEM_MODULES or package == _OUR_PACKAGE):
        return _system_message(error)
    if package not in _SAFE_PACKAGES or kind.__name__ in _QUOTES_INPUT:
        return ""
    return f"{package.partition('_')[0].capitalize()}: {_scrub(str(error))}" if str(error).strip() else ""


def _system_message(error: OSError) -> str:
    if type(error).__module__.startswith(_OUR_PACKAGE):
        return error.strerror or str(error)
    number = error.errno
    if number is None:
        return ""
    # Only the number is certain to come from the system: a library may raise the same class with its own message.
    reason = os.strerror(number) if number > 0 else error.strerror
    name = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
    return _scrub(f"{reason}{name}. {_HINTS.get(number, '')}")


def _scrub(text: str) -> str:
    """Return a message as one line without secrets and emails."""
    line = " ".join(text.split())
    for secret in sorted(_secrets, key=len, reverse=True):
        line = line.replace(secret, "***")
    line = re.sub(r"[^\s'\"]+", lambda word: "…" if "@" in word[0] else word[0], line)
    return line if len(line) <= _MAX_CHARACTERS else f"{line[: _MAX_CHARACTERS - 1]}…"


def _class_and_location(error: Exception) -> str:
    """Return the class of an error, its last location in our code, and where it was raised."""
    kind = type(error)
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    where = f"at {_location(ours[-1])}" if ours else "outside our code"
    return (
        f"Unexpected {kind.__module__}.{kind.__qualname__} {where}"
        f"{f', raised in {_location(frames[-1])}' if frames and frames[-1:] != ours[-1:] else ''}. "
        "Its message may hold customer data and is not kept."
    )


def _location(frame: traceback.FrameSummary) -> str:
    path = Path(frame.filename)
    name = path.relative_to(_PACKAGE.parent) if path.is_relative_to(_PACKAGE) else Path(*path.parts[-2:])
    return f"{name}:{frame.lineno}"
